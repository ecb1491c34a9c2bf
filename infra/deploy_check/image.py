"""The Dockerfile, as far as it can be judged without an engine."""

import json
import re
import subprocess
from collections.abc import Iterator

from infra.deploy_check.documents import INFRA, ROOT, short
from infra.local.programs import find

DOCKERFILE = INFRA / "Dockerfile"
IGNORE = INFRA / "Dockerfile.dockerignore"
ROOMS = ("edge", "exchange_gw", "gen", "infra", "order_svc", "price_svc", "runtime", "stockmesh")
COMPILERS = re.compile(r"\b(apt-get|apt|apk|gcc|g\+\+|build-essential|cargo)\b")


def problems() -> Iterator[str]:
    """Yield what is wrong with the image."""
    text = DOCKERFILE.read_text(encoding="utf-8")
    yield from (f"{short(DOCKERFILE)}: {problem}" for problem in judge(text, IGNORE.read_text(encoding="utf-8")))
    yield from _lint()


def judge(text: str, ignore: str) -> Iterator[str]:
    """Yield what is wrong with a Dockerfile and what it may see."""
    steps = instructions(text)
    final = steps[max(index for index, (word, _) in enumerate(steps) if word == "FROM") :]
    users = [rest for word, rest in final if word == "USER"]
    if not users or not re.fullmatch(r"[1-9]\d*(:[1-9]\d*)?", users[-1]):
        yield "the last stage needs a USER with a number other than 0, or a cluster cannot tell that it is not root"
    if not any(word == "HEALTHCHECK" for word, _ in final):
        yield "the last stage has no HEALTHCHECK"
    for word, rest in final:
        if word == "RUN" and COMPILERS.search(rest):
            yield f"the last stage may install nothing: {rest}"
    yield from _copies(steps, {line[1:].strip("/") for line in ignore.splitlines() if line.startswith("!")})


def _copies(steps: list[tuple[str, str]], shown: set[str]) -> Iterator[str]:
    copied: set[str] = set()
    for word, rest in steps:
        if word in {"COPY", "ADD"} and "--from" not in rest:
            copied.update(item.strip("./") for item in rest.split()[:-1] if not item.startswith("--"))
    for source in sorted(copied):
        if not (ROOT / source).exists():
            yield f"there is no {source} to copy"
        elif source not in shown:
            yield f"{source} is copied, but the build does not see it ({short(IGNORE)})"
    yield from (f"the image lacks {room}" for room in ROOMS if room not in copied)


def instructions(text: str) -> list[tuple[str, str]]:
    """Return instruction and arguments of each step, continued lines joined."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    found = []
    for line in joined.splitlines():
        word, _, rest = line.strip().partition(" ")
        if word:
            found.append((word.upper(), " ".join(rest.split())))
    return found


def _lint() -> Iterator[str]:
    program = find("hadolint")
    if program is None:
        return
    ran = subprocess.run([program, "--format", "json", str(DOCKERFILE)], capture_output=True, text=True, check=False)  # noqa: S603
    for finding in json.loads(ran.stdout or "[]"):
        yield f"{short(DOCKERFILE)}:{finding['line']}: {finding['code']} {finding['message']}"
