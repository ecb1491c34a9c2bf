"""The manifests: every overlay built, each object against its schema, then pods, references, network and scaling."""

from collections.abc import Iterator

from infra.deploy_check import flows, pods, schemas, services
from infra.deploy_check.documents import INFRA, Tree, Unreadable, read, short
from infra.deploy_check.kustomize import POD_KINDS, Broken, build, containers
from runtime.subjects import STREAMS

FOLDER = INFRA / "k8s"
OVERLAYS = ("dev", "prod")
# Made outside, with these keys; ../k8s/README.md tells how.
SECRET = "stockmesh"  # noqa: S105 - a name


def problems() -> Iterator[str]:
    """Yield what is wrong with the manifests."""
    for name in OVERLAYS:
        folder = FOLDER / "overlays" / name
        try:
            objects = build(folder)
        except Broken as error:
            yield str(error)
            continue
        yield from (f"{name}: {problem}" for problem in judge(objects))
    yield from _unused()
    for path in sorted((FOLDER / "servers").glob("mongodb-*.yaml")):
        for item in read(path):
            yield from (f"{short(path)}: {problem}" for problem in schemas.judge(item))
            limit = (
                item["spec"].get("additionalMongodConfig", {}).get("setParameter.transactionLifetimeLimitSeconds", 10)
            )
            if limit != 10:  # noqa: PLR2004 - as long as ours may take, docs/operations.md
                yield f"{short(path)}: transactionLifetimeLimitSeconds should be 10"


def judge(objects: list[Tree]) -> Iterator[str]:
    """Yield what is wrong with the objects of an overlay."""
    broken = [problem for item in objects for problem in schemas.judge(item)]
    if broken:
        yield from broken
        return
    yield from pods.judge(objects)
    yield from flows.judge(objects)
    yield from references(objects)
    yield from scaling(objects)


def _unused() -> Iterator[str]:
    """Yield the files that no kustomization takes: a manifest that nobody applies is a mistake."""
    for kustomization in sorted(FOLDER.rglob("kustomization.yaml")):
        try:
            words: Tree = read(kustomization)[0]
        except Unreadable as error:
            yield str(error)
            continue
        taken = {str(name) for name in words.get("resources", ())}
        taken |= {str(patch["path"]) for patch in words.get("patches", ()) if "path" in patch}
        for path in sorted(kustomization.parent.glob("*.yaml")):
            if path != kustomization and path.name not in taken:
                yield f"{short(path)}: {short(kustomization)} does not take it"


def references(objects: list[Tree]) -> Iterator[str]:
    """Yield every name that an object uses and no other object has."""
    there = {(item["kind"], item["metadata"]["name"]) for item in objects}
    keys = {data["secretKey"] for item in objects if item["kind"] == "ExternalSecret" for data in item["spec"]["data"]}
    for container in containers(objects):
        yield from (f"{container['name']}: {problem}" for problem in _sources(container, there, keys))
    made = [item["spec"]["template"] for item in objects if item["kind"] in POD_KINDS]
    for pod in made:
        account = pod["spec"].get("serviceAccountName")
        if account and ("ServiceAccount", account) not in there:
            yield f"there is no ServiceAccount {account}"
    for item in objects:
        if item["kind"] in {"Service", "PodDisruptionBudget"}:
            selector = item["spec"]["selector"]
            wanted = selector if item["kind"] == "Service" else selector["matchLabels"]
            if not any(wanted.items() <= pod["metadata"]["labels"].items() for pod in made):
                yield f"{item['kind']} {item['metadata']['name']}: selects no pod"


def _sources(container: Tree, there: set[tuple[str, str]], keys: set[str]) -> Iterator[str]:
    for source in container.get("envFrom", ()):
        if ("ConfigMap", source["configMapRef"]["name"]) not in there:
            yield f"there is no ConfigMap {source['configMapRef']['name']}"
    for variable in container.get("env", ()):
        secret = variable.get("valueFrom", {}).get("secretKeyRef")
        if secret and (secret["name"] != SECRET or (keys and secret["key"] not in keys)):
            yield f"nothing makes the key {secret['key']} of the Secret {secret['name']}"


def scaling(objects: list[Tree]) -> Iterator[str]:
    """Yield what is wrong with whoever changes the number of replicas."""
    deployments = {item["metadata"]["name"]: item for item in objects if item["kind"] == "Deployment"}
    scaled: set[str] = set()
    for item in objects:
        if item["kind"] not in {"ScaledObject", "HorizontalPodAutoscaler"}:
            continue
        name = item["spec"]["scaleTargetRef"]["name"]
        if name not in deployments:
            yield f"{item['kind']} {item['metadata']['name']}: there is no Deployment {name}"
        elif "replicas" in deployments[name]["spec"]:
            yield f"Deployment {name}: has a number of replicas that {item['kind']} would fight with"
        if name in scaled:
            yield f"Deployment {name}: is scaled twice"
        scaled.add(name)
        for trigger in item["spec"].get("triggers", ()):
            if trigger["type"] == "nats-jetstream":
                yield from _lag(trigger["metadata"])


def _lag(trigger: Tree) -> Iterator[str]:
    if trigger["stream"] not in STREAMS:
        yield f"there is no stream {trigger['stream']}"
    if not services.has_durable(trigger["consumer"]):
        yield f"no code makes a consumer {trigger['consumer']}"
