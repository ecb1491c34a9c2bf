"""Schemas of the kinds that operators add to a cluster, in our own words and only as far as our manifests use them.

After the operators' references: KEDA 2.x (ScaledObject), External Secrets (ExternalSecret v1), MongoDB's operator
(MongoDBCommunity). They are stricter than the operators: a field that is not here is an error, so a misspelt one is found.
"""

from typing import Any

Schema = dict[str, Any]
TEXT: Schema = {"type": "string", "minLength": 1}
COUNT: Schema = {"type": "integer", "minimum": 0}
SECONDS: Schema = {"type": "integer", "minimum": 1}


def strict(required: str = "", /, **fields: Schema) -> Schema:
    """Return the schema of a map with these fields and no others; the words of `required` have to be there."""
    return {"type": "object", "properties": fields, "required": required.split(), "additionalProperties": False}


def several(element: Schema) -> Schema:
    """Return the schema of a list of at least one."""
    return {"type": "array", "items": element, "minItems": 1}


def kind(spec: Schema) -> Schema:
    """Return the schema of a whole object."""
    metadata = {"type": "object", "required": ["name"]}
    return strict("apiVersion kind metadata spec", apiVersion=TEXT, kind=TEXT, metadata=metadata, spec=spec)


BEHAVIOR = strict(
    stabilizationWindowSeconds=COUNT,
    policies=several(
        strict("type value periodSeconds", type={"enum": ["Pods", "Percent"]}, value=COUNT, periodSeconds=SECONDS)
    ),
)
TRIGGERS = [
    strict(
        "type metadata",
        type={"const": "nats-jetstream"},
        metadata=strict(
            "natsServerMonitoringEndpoint account stream consumer lagThreshold",
            natsServerMonitoringEndpoint=TEXT,
            account=TEXT,
            stream=TEXT,
            consumer=TEXT,
            lagThreshold={"type": "string", "pattern": r"^\d+$"},
            activationLagThreshold={"type": "string", "pattern": r"^\d+$"},
            useHttps={"enum": ["true", "false"]},
        ),
    ),
    strict(
        "type metadata",
        type={"const": "prometheus"},
        metadata=strict("serverAddress query threshold", serverAddress=TEXT, query=TEXT, threshold=TEXT),
    ),
    strict(
        "type metricType metadata",
        type={"const": "cpu"},
        metricType={"enum": ["Utilization", "AverageValue"]},
        metadata=strict("value", value=TEXT),
    ),
]
SCALED_OBJECT = kind(
    strict(
        "scaleTargetRef triggers",
        scaleTargetRef=strict("name", name=TEXT, kind=TEXT, apiVersion=TEXT),
        pollingInterval=SECONDS,
        cooldownPeriod=COUNT,
        minReplicaCount=COUNT,
        maxReplicaCount=SECONDS,
        fallback=strict("failureThreshold replicas", failureThreshold=COUNT, replicas=COUNT),
        advanced=strict(horizontalPodAutoscalerConfig=strict(behavior=strict(scaleDown=BEHAVIOR, scaleUp=BEHAVIOR))),
        triggers=several({"oneOf": TRIGGERS}),
    )
)
EXTERNAL_SECRET = kind(
    strict(
        "secretStoreRef target data",
        refreshInterval=TEXT,
        secretStoreRef=strict("name kind", name=TEXT, kind={"enum": ["SecretStore", "ClusterSecretStore"]}),
        target=strict("name", name=TEXT, creationPolicy={"enum": ["Owner", "Merge", "Orphan", "None"]}),
        data=several(strict("secretKey remoteRef", secretKey=TEXT, remoteRef=strict("key", key=TEXT, property=TEXT))),
    )
)
NAMED = strict("name", name=TEXT)
MONGODB = kind(
    strict(
        "type members version security users",
        type={"const": "ReplicaSet"},
        members={"type": "integer", "minimum": 3},
        version=TEXT,
        security=strict("authentication", authentication=strict("modes", modes=several(TEXT))),
        users=several(
            strict(
                "name db passwordSecretRef scramCredentialsSecretName roles",
                name=TEXT,
                db=TEXT,
                passwordSecretRef=NAMED,
                scramCredentialsSecretName=TEXT,
                roles=several(strict("db name", db=TEXT, name=TEXT)),
            )
        ),
        additionalMongodConfig={"type": "object"},
        statefulSet={"type": "object"},
    )
)
CUSTOM: dict[tuple[str, str], Schema] = {
    ("keda.sh/v1alpha1", "ScaledObject"): SCALED_OBJECT,
    ("external-secrets.io/v1", "ExternalSecret"): EXTERNAL_SECRET,
    ("mongodbcommunity.mongodb.com/v1", "MongoDBCommunity"): MONGODB,
}
