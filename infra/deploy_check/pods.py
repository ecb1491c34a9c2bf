"""What every pod of ours has to keep: settings that exist, ports of the contract, probes, locked down, time to stop."""

from collections.abc import Iterator

from infra.deploy_check import services
from infra.deploy_check.compose import mongod, variables
from infra.deploy_check.documents import Tree
from infra.deploy_check.kustomize import POD_KINDS

# Between the end of a process's own patience and the kill.
MARGIN_SECONDS = 1


def judge(objects: list[Tree]) -> Iterator[str]:
    """Yield what is wrong with the pods that the objects make."""
    maps = {item["metadata"]["name"]: item["data"] for item in objects if item["kind"] == "ConfigMap"}
    for item in objects:
        if item["kind"] in POD_KINDS:
            name = f"{item['kind']} {item['metadata']['name']}"
            yield from (f"{name}: {problem}" for problem in _pod(item, maps))


def _pod(item: Tree, maps: dict[str, Tree]) -> Iterator[str]:
    pod: Tree = item["spec"]["template"]["spec"]
    labels = item["spec"]["template"]["metadata"]["labels"]
    if not item["spec"]["selector"]["matchLabels"].items() <= labels.items():
        yield "selects other pods than it makes"
    if pod.get("enableServiceLinks") is not False:
        yield "needs enableServiceLinks: false: services of the cluster would be variables that look like settings"
    if pod.get("automountServiceAccountToken") is not False:
        yield "gives its pods a token of the cluster that none of them needs"
    yield from _locked(pod.get("securityContext", {}))
    if item["kind"] == "Deployment" and not pod.get("topologySpreadConstraints"):
        yield "may put all its pods on one machine"
    volumes = {volume["name"] for volume in pod.get("volumes", ())}
    volumes |= {claim["metadata"]["name"] for claim in item["spec"].get("volumeClaimTemplates", ())}
    for container in pod.get("initContainers", []):
        yield from _container(container, maps, volumes)
    for container in pod["containers"]:
        yield from _container(container, maps, volumes)
        yield from _probes(container)
        yield from _stopping(container, pod["terminationGracePeriodSeconds"])


def _locked(rules: Tree) -> Iterator[str]:
    if rules.get("runAsNonRoot") is not True or not rules.get("runAsUser"):
        yield "may run as root"
    if rules.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "needs seccompProfile RuntimeDefault"


def _container(container: Tree, maps: dict[str, Tree], volumes: set[str]) -> Iterator[str]:
    rules = container.get("securityContext", {})
    if rules.get("allowPrivilegeEscalation") is not False or rules.get("readOnlyRootFilesystem") is not True:
        yield f"{container['name']}: needs a read-only file system and no escalation"
    if rules.get("capabilities", {}).get("drop") != ["ALL"]:
        yield f"{container['name']}: keeps capabilities"
    resources = container.get("resources", {})
    if "cpu" not in resources.get("requests", {}) or "memory" not in resources.get("limits", {}):
        yield f"{container['name']}: needs a request of CPU and a limit of memory"
    for mount in container.get("volumeMounts", ()):
        if mount["name"] not in volumes:
            yield f"{container['name']}: mounts {mount['name']}, which is no volume"
    if "mongod" in container.get("command", ()):
        yield from (f"{container['name']}: {problem}" for problem in mongod(container["command"]))
    if "stockmesh" in container["image"]:
        yield from (f"{container['name']}: {problem}" for problem in _ours(container, maps))


def _ours(container: Tree, maps: dict[str, Tree]) -> Iterator[str]:
    try:
        module = services.module_of(container.get("command", []))
        if module is None:
            yield "is our image without a command of ours"
            return
        yield from variables(module, environment(container, maps))
        if module in services.SERVERS:
            yield from _port(module, container, maps)
    except services.NoProgram as error:
        yield str(error)


def environment(container: Tree, maps: dict[str, Tree]) -> dict[str, str]:
    """Return the variables of a container, those of secrets as empty text."""
    found: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        if "configMapRef" in source:
            found.update(maps.get(source["configMapRef"]["name"], {}))
    found.update({variable["name"]: variable.get("value", "") for variable in container.get("env", ())})
    return found


def _port(module: str, container: Tree, maps: dict[str, Tree]) -> Iterator[str]:
    prefix = module.rpartition(".")[2].upper()
    given = environment(container, maps)
    wanted = int(given.get(f"{prefix}_PORT", services.port(module)))
    if given.get(f"{prefix}_HOST") != "0.0.0.0":  # noqa: S104 - compared, not listened on
        yield f"listens on loopback alone: {prefix}_HOST"
    if wanted not in {port["containerPort"] for port in container.get("ports", ())}:
        yield f"listens on {wanted}, which is not among its ports"


def _probes(container: Tree) -> Iterator[str]:
    ports = {
        key: port["containerPort"]
        for port in container.get("ports", ())
        for key in (port["name"], port["containerPort"])
    }
    for word in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = container.get(word)
        if probe is None:
            yield f"{container['name']}: has no {word}"
            continue
        asked = [how["port"] for how in probe.values() if isinstance(how, dict) and "port" in how]
        for port in asked:
            if port not in ports:
                yield f"{container['name']}: {word} asks at {port}, which is none of its ports"


def _stopping(container: Tree, allowed: int) -> Iterator[str]:
    try:
        module = services.module_of(container.get("command", []))
    except services.NoProgram:
        return
    pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    grace = 0.0
    if module in services.SERVERS:
        given = {variable["name"]: variable.get("value") for variable in container.get("env", ())}
        grace = float(given.get("STOP_GRACE_SECONDS") or services.stop_grace(module))
    needed = pause + 2 * grace + MARGIN_SECONDS
    if allowed < needed:
        yield f"{container['name']}: may need {needed:g} s to stop, terminationGracePeriodSeconds is {allowed}"
