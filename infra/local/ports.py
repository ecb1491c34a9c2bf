"""Ports: those that somebody else holds, named with the setting that moves them, and free ones."""

import os
import secrets
import socket
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from infra.local.part import Part
from infra.local.settings import LOOPBACK

LISTENING = "0A"
MOMENT_SECONDS = 3.0
# Below the ports that Linux gives to outgoing connections (32768 and more): nobody gets one of these by chance.
FREE_RANGE = range(15_000, 32_000)


def conflicts(parts: Iterable[Part]) -> list[str]:
    """Return a sentence for each port of the parts that is taken."""
    return [
        f"port {port.number} of {part.name} is taken{_by_whom(port.number)}, or set {port.setting}"
        for part in parts
        for port in part.ports
        if not _is_free(port.number) and _stays_taken(port.number)
    ]


def free_ports(count: int, *, above: Sequence[int] = ()) -> list[int]:
    """Return so many ports that nobody uses, none of those that the system hands to connections by itself.

    Those that are so many `above` each of them are free, too.
    """
    found: list[int] = []
    taken: set[int] = set()
    while len(found) < count:
        first = FREE_RANGE.start + secrets.randbelow(len(FREE_RANGE))
        group = {first, *(first + step for step in above)}
        if not group & taken and all(map(_is_free, group)):
            found.append(first)
            taken |= group
    return found


def _stays_taken(port: int) -> bool:
    """Tell whether a port is still taken after a moment: the client's end of someone's connection holds one for so long."""
    deadline = time.monotonic() + MOMENT_SECONDS
    while not _sockets_listening_on(port) and time.monotonic() < deadline:
        if _is_free(port):
            return False
        time.sleep(0.1)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: connections that linger from an earlier run do not count, listeners do.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _by_whom(port: int) -> str:
    """Return who holds the port, where the system tells (Linux, own processes), and what to do about it."""
    sockets = _sockets_listening_on(port)
    if not sockets and sys.platform == "linux":
        return " by an outgoing connection of some program: try again in a minute"
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # another user's, or gone by now
            if any(_target(descriptor) in sockets for descriptor in (folder / "fd").iterdir()):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
                return f" by {command[:60]!r} (process {folder.name}): stop that"
    return ": stop what listens there"


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
