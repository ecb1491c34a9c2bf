"""How many sockets this process has, in all and from each address, and how many are still on their way in.

Refusing costs one look-up and a ready answer, before anything of a session exists.
"""

import ipaddress
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from edge.errors import TooManyConnections

# Whoever has one address of an IPv6 network has all of it.
IPV6_PREFIX = 64
BUSY_SECONDS = 5.0


class Entrant(Protocol):
    """A connection, seen from the door."""

    # The address it counts for; empty before it was let in.
    address: str

    def cut(self) -> None:
        """Break the connection off."""


class Turnstile:
    """Counts who is in. A limit of 0 means none."""

    def __init__(self, *, max_sockets: int, max_address_sockets: int, max_handshakes: int) -> None:
        self._max_sockets, self._max_address_sockets = max_sockets, max_address_sockets
        self._max_handshakes = max_handshakes
        self._waiting: dict[Entrant, None] = {}
        self._sockets: Counter[str] = Counter()
        self.sockets = 0

    def knock(self, entrant: Entrant) -> None:
        """A connection was made. Real clients say within a moment what they want, so of too many silent ones the oldest goes."""
        self._waiting[entrant] = None
        if len(self._waiting) > self._max_handshakes > 0:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            oldest.cut()

    def enter(self, entrant: Entrant, address: str) -> None:
        """Let a connection in. Raises TooManyConnections."""
        if 0 < self._max_sockets <= self.sockets:
            raise TooManyConnections(
                "this server is full", scope="process", limit=self._max_sockets, retry_after_seconds=BUSY_SECONDS
            )
        if 0 < self._max_address_sockets <= self._sockets[address]:
            raise TooManyConnections(
                "too many connections from your address",
                scope="address",
                limit=self._max_address_sockets,
                retry_after_seconds=BUSY_SECONDS,
            )
        entrant.address = address
        self._sockets[address] += 1
        self.sockets += 1

    def settle(self, entrant: Entrant) -> None:
        """The handshake is done."""
        self._waiting.pop(entrant, None)

    def leave(self, entrant: Entrant) -> None:
        """A connection is gone, wherever it was."""
        self._waiting.pop(entrant, None)
        if not entrant.address:
            return
        self.sockets -= 1
        self._sockets[entrant.address] -= 1
        if not self._sockets[entrant.address]:
            del self._sockets[entrant.address]
        entrant.address = ""


class Addresses:
    """Tells a client's address, also when it comes through a proxy; only proxies that are trusted are believed."""

    def __init__(self, trusted: Sequence[str]) -> None:
        """`trusted` are networks like 10.0.0.0/8. Raises ValueError for what is none."""
        self._trusted = [ipaddress.ip_network(network) for network in trusted]

    def of(self, peer: str, *, external: str = "", forwarded: str = "") -> str:
        """Return what to count a client by: its address, or its network where it surely has all of that.

        `external` is what Envoy says (x-envoy-external-address), `forwarded` the chain of proxies (x-forwarded-for), whose last
        entries are those that the trusted proxies wrote.
        """
        if not self._is_trusted(peer):
            return _counted(peer)
        for told in (external, *reversed(forwarded.split(","))):
            address = told.strip()
            if address and not self._is_trusted(address):
                return _counted(address) or _counted(peer)
        return _counted(peer)

    def _is_trusted(self, text: str) -> bool:
        address = _address(text)
        return address is not None and any(address in network for network in self._trusted)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _counted(text: str) -> str:
    address = _address(text)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))
    return str(address) if address else ""
