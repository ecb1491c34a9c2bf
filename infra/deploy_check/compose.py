"""The compose file: the specification's own schema, then what it has to keep beside that."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources

from jsonschema import Draft202012Validator

from infra.deploy_check import services
from infra.deploy_check.documents import INFRA, Tree, Unreadable, read, short

COMPOSE = INFRA / "compose.yaml"
# What the world may reach without being on the host.
PUBLIC = {"envoy": {"8080:8080"}}
OURS = "stockmesh:"
TRANSACTION_SECONDS = 10
# ${NAME:-default} is worth its default here, ${NAME:?complaint} nothing.
INTERPOLATED = re.compile(r"\$\{\w+:(?:-([^}]*)|\?[^}]*)\}")


def problems() -> Iterator[str]:
    """Yield what is wrong with the compose file."""
    try:
        document = read(COMPOSE)[0]
    except Unreadable as error:
        yield str(error)
        return
    yield from (f"{short(COMPOSE)}: {problem}" for problem in judge(document))


def judge(document: Tree) -> Iterator[str]:
    """Yield what is wrong with a compose document."""
    broken = [f"{'.'.join(map(str, error.path))}: {error.message}" for error in _schema().iter_errors(document)]
    if broken:
        yield from broken
        return
    parts: Tree = document["services"]
    for name, part in parts.items():
        yield from (f"{name}: {problem}" for problem in _part(name, part, parts))
    yield from _files(document)


@cache
def _schema() -> Draft202012Validator:
    # The specification's schema as check-jsonschema brings it (Apache-2.0, github.com/compose-spec/compose-spec).
    text = resources.files("check_jsonschema.builtin_schemas.vendor").joinpath("compose-spec.json").read_text("utf-8")
    return Draft202012Validator(json.loads(text))


def _part(name: str, part: Tree, parts: Tree) -> Iterator[str]:
    for port in part.get("ports", ()):
        if str(port) not in PUBLIC.get(name, set()) and not str(port).startswith("127.0.0.1:"):
            yield f"publishes {port}, which is no public door"
    once = part.get("restart") == "no"
    if "healthcheck" not in part and not part["image"].startswith(OURS):
        yield "has no healthcheck, so nobody can wait for it"
    if "restart" not in part:
        yield "has no restart policy"
    limits = part.get("deploy", {}).get("resources", {}).get("limits", {})
    if not {"cpus", "memory"} <= limits.keys():
        yield "has no limits of CPU and memory"
    yield from _waits(part, parts)
    if part["image"].startswith(OURS):
        yield from _ours(part, once)
    if "mongod" in part.get("command", ()):
        yield from mongod(part["command"])


def _waits(part: Tree, parts: Tree) -> Iterator[str]:
    for other, how in part.get("depends_on", {}).items():
        wanted = "service_completed_successfully" if parts[other].get("restart") == "no" else "service_healthy"
        if how.get("condition") != wanted:
            yield f"should wait for {other} with condition {wanted}"


def mongod(command: list[str]) -> Iterator[str]:
    """Yield what a mongod's command lacks for us."""
    if "--replSet" not in command:
        yield "MongoDB must be a replica set"
    if f"transactionLifetimeLimitSeconds={TRANSACTION_SECONDS}" not in command:
        yield f"needs transactionLifetimeLimitSeconds={TRANSACTION_SECONDS}"


def _ours(part: Tree, once: bool) -> Iterator[str]:
    try:
        module = services.module_of(part.get("command", []))
        if module is None:
            yield "is our image without a command of ours"
            return
        yield from variables(module, part.get("environment", {}))
    except services.NoProgram as error:
        yield str(error)
        return
    if not part.get("read_only") or part.get("cap_drop") != ["ALL"]:
        yield "should have a read-only file system and no capabilities"
    grace = float(part.get("environment", {}).get("STOP_GRACE_SECONDS", 5))
    allowed = float(str(part.get("stop_grace_period", "10s")).removesuffix("s"))
    if not once and allowed <= 2 * grace:
        yield f"is killed after {allowed:g} s, but may take {2 * grace:g} s to stop"


def variables(module: str, given: Mapping[str, object]) -> Iterator[str]:
    """Yield a sentence for every variable that a program does not read, and for every value that it does not take."""
    known = services.variables(module)
    yield from (f"{module} has no setting {name}" for name in given if name not in known)
    told = {
        name: INTERPOLATED.sub(lambda found: found[1] or "", str(value))
        for name, value in given.items()
        if name in known
    }
    yield from (f"{module} refuses its settings: {problem}" for problem in services.refused(module, told))


def _files(document: Tree) -> Iterator[str]:
    for name, part in document["services"].items():
        for volume in part.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith(".") and not (COMPOSE.parent / source).exists():
                yield f"{name}: there is no {source} to mount"
            elif not source.startswith(".") and source not in document.get("volumes", {}):
                yield f"{name}: the volume {source} is not declared"
