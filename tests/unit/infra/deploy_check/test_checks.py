"""The check of the deployment files finds what it is for: each mistake is made in a good file, and is named."""

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from infra.deploy_check import clusters, compose, image, main, observability
from infra.deploy_check.documents import INFRA, Tree, Unreadable, parse, read
from infra.deploy_check.kustomize import Broken, build

PROD = INFRA / "k8s" / "overlays" / "prod"


@cache
def _built() -> list[Tree]:
    return build(PROD)


def _named(objects: list[Tree], kind: str, name: str) -> Any:
    return next(item for item in objects if (item["kind"], item["metadata"]["name"]) == (kind, name))


def _pod(objects: list[Tree], name: str) -> Any:
    return _named(objects, "Deployment", name)["spec"]["template"]["spec"]


def test_the_files_of_this_repository_fit_the_code(capfd: pytest.CaptureFixture[str]) -> None:
    assert main.main() == 0, capfd.readouterr().err


MISTAKES: dict[str, Callable[[list[Tree]], object]] = {
    "edge has no setting EDGE_PORTS": lambda objects: _pod(objects, "edge")["containers"][0]["env"].append(
        {"name": "EDGE_PORTS", "value": "1"}
    ),
    "exchange_gw refuses its settings: groups": lambda objects: _pod(objects, "exchange-gw")["containers"][0][
        "env"
    ].append({"name": "EXCHANGE_GW_GROUPS", "value": "9"}),
    "listens on 50052, which is not among its ports": lambda objects: _pod(objects, "order-svc")["containers"][
        0
    ].update(ports=[{"name": "grpc", "containerPort": 50059}]),
    "there is no program orders": lambda objects: _pod(objects, "order-svc")["containers"][0].update(
        command=["python", "-m", "orders"]
    ),
    "may run as root": lambda objects: _pod(objects, "envoy")["securityContext"].update(runAsNonRoot=False),
    "needs enableServiceLinks: false": lambda objects: _pod(objects, "edge").pop("enableServiceLinks"),
    "may need 46 s to stop": lambda objects: _pod(objects, "edge").update(terminationGracePeriodSeconds=30),
    "has no readinessProbe": lambda objects: _pod(objects, "edge")["containers"][0].pop("readinessProbe"),
    "keeps capabilities": lambda objects: _pod(objects, "edge")["containers"][0]["securityContext"].pop("capabilities"),
    "order-svc may not call redis:6379": lambda objects: _named(objects, "NetworkPolicy", "order-svc")["spec"][
        "egress"
    ].pop(),
    "redis:6379 takes no calls of order-svc": lambda objects: _named(objects, "NetworkPolicy", "redis")["spec"].pop(
        "ingress"
    ),
    "no policy denies egress by default": lambda objects: _named(objects, "NetworkPolicy", "default-deny")[
        "spec"
    ].update(policyTypes=["Ingress"]),
    "no code makes a consumer order_svc-report": lambda objects: _named(objects, "ScaledObject", "order-svc")["spec"][
        "triggers"
    ][1]["metadata"].update(consumer="order_svc-report"),
    "there is no stream REPORTS": lambda objects: _named(objects, "ScaledObject", "order-svc")["spec"]["triggers"][1][
        "metadata"
    ].update(stream="REPORTS"),
    "has a number of replicas": lambda objects: _named(objects, "Deployment", "edge")["spec"].update(replicas=3),
    "Additional properties are not allowed ('replica'": lambda objects: _named(objects, "Deployment", "edge")[
        "spec"
    ].update(replica=3),
    "selects no pod": lambda objects: _named(objects, "Service", "edge")["spec"].update(selector={"app": "edges"}),
    "nothing makes the key EDGE_TOKEN": lambda objects: _named(objects, "ExternalSecret", "stockmesh")["spec"][
        "data"
    ].pop(0),
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_in_a_manifest_is_named(words: str) -> None:
    objects = copy.deepcopy(_built())
    MISTAKES[words](objects)

    assert any(words in problem for problem in clusters.judge(objects)), list(clusters.judge(objects))


def test_an_edge_may_not_reach_the_database() -> None:
    objects = copy.deepcopy(_built())
    everybody: Tree = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [], "egress": []}
    for way in ("ingress", "egress"):
        everybody[way] = [{"ports": [{"protocol": "TCP", "port": 27017}]}]
    objects.append(
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "open"}, "spec": everybody}
    )

    assert "edge can reach orders-mongo-svc:27017 and has no business there" in list(clusters.judge(objects))


COMPOSE_MISTAKES: dict[str, Callable[[Tree], object]] = {
    "('helthcheck' was unexpected)": lambda document: document["services"]["edge"].update(helthcheck={}),
    "publishes 50053:50053": lambda document: document["services"]["exchange-gw"].update(ports=["50053:50053"]),
    "edge has no setting EDGE_PORTS": lambda document: document["services"]["edge"]["environment"].update(
        EDGE_PORTS="1"
    ),
    "should wait for nats": lambda document: document["services"]["edge"]["depends_on"].update(
        nats={"condition": "service_started"}
    ),
    "needs transactionLifetimeLimitSeconds=10": lambda document: document["services"]["orders-mongo"].update(
        command=["mongod", "--replSet", "stockmesh"]
    ),
    "has no limits": lambda document: document["services"]["redis"].pop("deploy"),
    "may take 80 s to stop": lambda document: document["services"]["edge"]["environment"].update(
        STOP_GRACE_SECONDS="40"
    ),
}


@pytest.mark.parametrize("words", COMPOSE_MISTAKES)
def test_a_mistake_in_the_compose_file_is_named(words: str) -> None:
    document = copy.deepcopy(read(compose.COMPOSE)[0])
    COMPOSE_MISTAKES[words](document)

    assert any(words in problem for problem in compose.judge(document)), list(compose.judge(document))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("USER 10001:10001", "USER root", "needs a USER with a number"),
        ("HEALTHCHECK", "LABEL", "has no HEALTHCHECK"),
        ("COPY edge edge", "COPY edges edges", "there is no edges to copy"),
        ("USER 10001", "RUN apt-get install gcc\nUSER 10001", "the last stage may install nothing"),
    ],
)
def test_a_mistake_in_the_image_is_named(old: str, new: str, words: str) -> None:
    text = image.DOCKERFILE.read_text(encoding="utf-8").replace(old, new)

    assert any(words in problem for problem in image.judge(text, image.IGNORE.read_text(encoding="utf-8")))


TABLE = observability.known(
    "| `orders_total` | counter | `state` | | |\n| `hop_seconds` | histogram | | | |\n| `depth` | gauge | `queue` | | |\n"
)


@pytest.mark.parametrize(
    "query",
    [
        'sum by (state) (rate(orders_total{state!="FILLED"}[5m]))',
        "histogram_quantile(0.99, sum by (le) (rate(hop_seconds_bucket[5m]))) > 0.1",
        'max by (instance) (depth{job="edge"}) and up == 0',
    ],
)
def test_a_query_over_what_is_exported_passes(query: str) -> None:
    assert list(observability.query(query, TABLE)) == []


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("rate(order_total[5m])", "nobody exports order_total"),
        ("rate(hop_seconds[5m])", "nobody exports hop_seconds"),
        ('depth{que="a"}', "depth has no label que"),
        ("sum by (symbol) (depth)", "depth has no label symbol"),
    ],
)
def test_a_query_over_what_nobody_exports_is_named(query: str, problem: str) -> None:
    assert problem in list(observability.query(query, TABLE))


def test_a_key_that_is_there_twice_is_refused() -> None:
    with pytest.raises(Unreadable, match="'a' is there twice"):
        parse("a: 1\na: 2\n")


def test_a_patch_that_finds_nothing_stops_the_build(tmp_path: Any) -> None:
    (tmp_path / "kustomization.yaml").write_text(
        "patches:\n  - target: {kind: Deployment, name: edge}\n    patch: '[{op: remove, path: /spec}]'\n"
    )

    with pytest.raises(Broken, match="finds no Deployment edge"):
        build(tmp_path)
