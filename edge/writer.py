"""Hands a client's outbox to its socket, one frame at a time, at the client's own speed; notes when that is too slow."""

import asyncio
import random
from collections.abc import Callable

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from edge import replies
from edge.outbox import Outbox

# A frame that takes longer to hand over than this means that the client reads too slowly for its prices.
SLOW_SECONDS = 0.5
TELL_SLOW_EVERY_SECONDS = 5.0


class Writer:
    """Sends what the outbox holds. It waits for the socket, so a slow client slows down nobody but itself."""

    def __init__(self, socket: ServerConnection, *, max_frames: int, max_bytes: int) -> None:
        # Not for secrets: it only spreads the clients over the beat.
        phase = random.random()  # noqa: S311
        self.outbox = Outbox(self._wake_at, max_frames=max_frames, max_bytes=max_bytes, phase=phase)
        self._socket = socket
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._when_idle: Callable[[], None] | None = None
        self._sending_since: float | None = None
        # How long the last slow frame took; 0 once what waited behind it is counted.
        self._slow_seconds = 0.0
        self._told_slow_at, self._left_out = 0.0, 0

    @property
    def blocked_seconds(self) -> float:
        """How long the client has not taken the frame that is being sent; 0 when it takes them."""
        return 0.0 if self._sending_since is None else self._loop.time() - self._sending_since

    def when_idle(self, then: Callable[[], None]) -> None:
        """Call `then` now and whenever everything has been sent from now on."""
        self._when_idle = then
        self.wake()

    def wake(self) -> None:
        """Look into the outbox."""
        self._ready.set()

    async def run(self) -> None:
        """Send until the connection is closed."""
        try:
            while True:
                conflated = self.outbox.conflated
                frame = self.outbox.take(self._loop.time())
                if self._slow_seconds:
                    self._note_slow(self.outbox.conflated - conflated)
                if frame is None:
                    await self._rest()
                else:
                    await self._send(frame)
        except ConnectionClosed:
            return
        finally:
            self._cancel_timer()

    async def _rest(self) -> None:
        if self._when_idle is not None:
            self._when_idle()
        await self._ready.wait()
        self._ready.clear()

    async def _send(self, frame: bytes) -> None:
        began = self._sending_since = self._loop.time()
        await self._socket.send(frame, text=True)
        self._sending_since = None
        took = self._loop.time() - began
        if took > SLOW_SECONDS:
            self._slow_seconds = took

    def _note_slow(self, left_out: int) -> None:
        self._left_out += left_out
        now = self._loop.time()
        if self._left_out and now - self._told_slow_at >= TELL_SLOW_EVERY_SECONDS:
            params = {"maxHz": round(1 / self._slow_seconds, 3), "dropped": self._left_out}
            self.outbox.put_newest("degraded", replies.notification("session.degraded", replies.encode(params)))
            self._told_slow_at, self._left_out = now, 0
        if left_out:
            self._slow_seconds = 0.0

    def _wake_at(self, when: float) -> None:
        self._cancel_timer()
        if when <= self._loop.time():
            self._ready.set()
        else:
            self._timer = self._loop.call_at(when, self._ready.set)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
