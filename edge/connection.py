"""A WebSocket connection that takes ready frames and says when its client does not take them.

`websockets` keeps the handshake, reading, fragments, pings and the closing handshake; what is written goes past its `send`, which
builds every frame anew for each socket and needs a task for each. Both write whole frames to one transport, so that they never mix.
"""

import asyncio
import socket
import sys
from contextlib import suppress
from typing import Protocol

from websockets.asyncio.server import ServerConnection
from websockets.protocol import State

# Bytes that the kernel takes before they can leave: more would only grow old there, as prices are newest when taken late.
UNSENT_BYTES = 16_384
# A ping of a server, with four bytes that the pong brings back.
_PING = b"\x89\x04ping"
# Where the system sets no limit.
MOST_FILES = 1 << 20


class Flow(Protocol):
    """Who wants to know whether the client takes what is written."""

    def pause(self) -> None:
        """Too much is unsent."""

    def resume(self) -> None:
        """There is room again."""


class Connection(ServerConnection):
    """The server's end of a socket."""

    flow: Flow | None = None
    # When anything came from the client, in seconds of the loop; pongs count.
    heard_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what lies unsent in the kernel small, so that a slow client is noticed here, where newer prices replace older."""
        super().connection_made(transport)
        self.heard_at = self.loop.time()
        raw = transport.get_extra_info("socket")
        if raw is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)

    def data_received(self, data: bytes) -> None:
        """Note the sign of life."""
        self.heard_at = self.loop.time()
        super().data_received(data)

    def put(self, frames: bytes) -> None:
        """Write whole frames; nothing follows a close frame."""
        if self.protocol.state is State.OPEN:
            self.transport.write(frames)

    def probe(self) -> None:
        """Ask for a sign of life."""
        self.put(_PING)

    def pause_writing(self) -> None:
        """The transport holds more than its limit."""
        super().pause_writing()
        if self.flow is not None:
            self.flow.pause()

    def resume_writing(self) -> None:
        """The transport has sent most of it."""
        super().resume_writing()
        if self.flow is not None:
            self.flow.resume()


def allow_many_sockets() -> None:
    """Let this process have as many sockets as the system lets it have; the usual limit of 1,024 files is for small programs."""
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - absent elsewhere

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_FILES if most == resource.RLIM_INFINITY else most, most))
