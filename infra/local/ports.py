"""Ports that somebody else holds: found before anything starts, named with the setting that moves them."""

import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from infra.local.part import Part
from infra.local.settings import LOOPBACK

LISTENING = "0A"


def conflicts(parts: Iterable[Part]) -> list[str]:
    """Return a sentence for each port of the parts that is taken."""
    return [
        f"port {port.number} of {part.name} is taken{_by_whom(port.number)}: stop that, or set {port.setting}"
        for part in parts
        for port in part.ports
        if _taken(port.number)
    ]


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: connections that linger from an earlier run do not count, listeners do.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def _by_whom(port: int) -> str:
    """Return " by <program> (process <id>)" where the system tells (Linux, own processes), else nothing."""
    sockets = _sockets_listening_on(port)
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # another user's, or gone by now
            if any(_target(descriptor) in sockets for descriptor in (folder / "fd").iterdir()):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
                return f" by {command[:60]!r} (process {folder.name})"
    return ""


def _target(descriptor: Path) -> str:
    try:
        return os.readlink(descriptor)
    except OSError:
        return ""


def _sockets_listening_on(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            _, address, _, state, *rest = row.split()
            if state == LISTENING and int(address.rsplit(":", 1)[1], 16) == port:
                found.add(f"socket:[{rest[5]}]")
    return found
