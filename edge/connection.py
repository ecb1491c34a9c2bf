"""A WebSocket connection that takes ready frames and says when its client does not take them.

`websockets` keeps the handshake, reading, fragments, pings and the closing handshake; what is written goes past its `send`, which
builds every frame anew for each socket and needs a task for each. Both write whole frames to one transport, so that they never mix.
"""

import asyncio
import socket
import sys
from collections import deque
from contextlib import suppress
from typing import Protocol

from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State

from edge.accounts import Budget
from edge.bucket import Bucket

# Bytes that the kernel takes before they can leave: more would only grow old there, as prices are newest when taken late.
UNSENT_BYTES = 16_384
# A ping of a server, with four bytes that the pong brings back.
_PING = b"\x89\x04ping"
# Clients and proxies ping every some seconds; each ping makes us write.
PINGS_PER_SECOND, PINGS_AT_ONCE = 2.0, 20
# Parts of one message, and messages that wait to be read; each takes memory, even an empty one.
MAX_FRAGMENTS = 128
MAX_WAITING_MESSAGES = 4_096
# How long a client that is let go for it may take to read why.
CUT_SECONDS = 0.1
# Before a client has said who it is, a frame holds a token and no more.
FIRST_FRAME_BYTES = 16_384
# Where the system sets no limit.
MOST_FILES = 1 << 20


class Flow(Protocol):
    """Who wants to know whether the client takes what is written."""

    def pause(self) -> None:
        """Too much is unsent."""

    def resume(self) -> None:
        """There is room again."""

    def flood(self) -> None:
        """The client sends what can only be meant to harm."""


class Connection(ServerConnection):
    """The server's end of a socket."""

    flow: Flow | None = None
    # When anything came from the client, in seconds of the loop; pongs count.
    heard_at = 0.0
    # What the client's account may use; None before it has said who it is.
    budget: Budget | None = None
    # The address that it counts for; empty before it was let in.
    address = ""
    is_gone = False
    _fragments = 0
    _is_flooding = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what lies unsent in the kernel small, so that a slow client is noticed here, where newer prices replace older."""
        super().connection_made(transport)
        self.heard_at = self.loop.time()
        # When the messages came that wait to be read.
        self._arrivals: deque[float] = deque()
        self._pings = Bucket(PINGS_PER_SECOND, burst=PINGS_AT_ONCE)
        raw = transport.get_extra_info("socket")
        if raw is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)

    def data_received(self, data: bytes) -> None:
        """Note the sign of life."""
        if self._is_flooding:
            return
        self.heard_at = self.loop.time()
        super().data_received(data)

    def process_event(self, event: Request | Response | Frame) -> None:
        """Count what costs us more than the client, before it is kept."""
        if isinstance(event, Frame) and (self._is_flooding or not self._is_bearable(event)):
            self._flood()
            return
        super().process_event(event)

    def _is_bearable(self, frame: Frame) -> bool:
        if frame.opcode is Opcode.PING:
            return not self._pings.take(self.heard_at)
        if frame.opcode > Opcode.BINARY:
            return True
        if not frame.fin:
            self._fragments += 1
            return self._fragments <= MAX_FRAGMENTS
        self._fragments = 0
        self._arrivals.append(self.heard_at)
        return len(self._arrivals) <= MAX_WAITING_MESSAGES

    def _flood(self) -> None:
        if self._is_flooding:
            return
        self._is_flooding = True
        if self.flow is None:
            self.transport.abort()
        else:
            self.flow.flood()
            # Whoever does this does not wait for the closing handshake either.
            self.loop.call_later(CUT_SECONDS, self.transport.abort)

    async def read(self) -> tuple[bytes, float]:
        """Return the next message and when it came, in seconds of the loop. Raises ConnectionClosed."""
        message = await self.recv(decode=False)
        return message, self._arrivals.popleft()

    def allow(self, frame_bytes: int) -> None:
        """Take messages of this size from now on."""
        self.protocol.max_message_size = frame_bytes

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the client is gone."""
        self.is_gone = True
        super().connection_lost(exc)

    @property
    def member(self) -> str:
        """A name that no other connection has, on any replica."""
        return self.id.hex

    def cut(self) -> None:
        """Break the connection off."""
        self.transport.abort()

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
