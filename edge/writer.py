"""Joins a client's outbox to its connection: frames go at the client's own speed, and it is told when that is too slow."""

import asyncio
from collections.abc import Callable

from edge import replies
from edge.audience import Seat, Wish
from edge.connection import Connection
from edge.outbox import Outbox
from edge.params import MAX_HZ

TELL_SLOW_EVERY_SECONDS = 5.0


class Writer:
    """Hears from the connection whether the client takes what is written. Nothing waits here, so nobody waits for a slow client."""

    def __init__(
        self,
        connection: Connection,
        *,
        max_frames: int,
        max_bytes: int,
        when_idle: Callable[[], None],
        when_flooding: Callable[[], None],
    ) -> None:
        self.outbox = Outbox(connection.put, max_frames=max_frames, max_bytes=max_bytes)
        # The client's price subscriptions, by how it wants the symbols.
        self.seats: dict[Wish, Seat] = {}
        connection.flow, self._connection = self, connection
        self._when_idle, self._when_flooding = when_idle, when_flooding
        self._loop = asyncio.get_running_loop()
        self._paused_at: float | None = None
        self._resumed_at = 0.0
        # How long the client took for the last that it did not take at once, and what was left out since it was told.
        self._slow_seconds, self._left_out = 0.0, 0
        self._told_slow_at = -TELL_SLOW_EVERY_SECONDS

    @property
    def blocked_seconds(self) -> float:
        """How long the client has not taken what was written; 0 when it takes it."""
        return 0.0 if self._paused_at is None else self._loop.time() - self._paused_at

    @property
    def silent_seconds(self) -> float:
        """How long nothing came from the client, not even a pong; 0 while it does not read, as then it cannot answer."""
        if self._paused_at is not None:
            return 0.0
        return self._loop.time() - max(self._connection.heard_at, self._resumed_at)

    def pause(self) -> None:
        """The client does not take what was written."""
        self._paused_at = self._loop.time()
        self.outbox.pause()

    def resume(self) -> None:
        """The client reads again."""
        self._slow_seconds, self._paused_at = self.blocked_seconds, None
        self._resumed_at = self._loop.time()
        self.outbox.resume()
        self._left_out += sum(seat.catch_up() for seat in self.seats.values())
        self.tell_slow()
        if self.outbox.is_ready:
            self._when_idle()

    def flood(self) -> None:
        """The client sends what can only be meant to harm."""
        self._when_flooding()

    def tell_slow(self) -> None:
        """Tell the client what it missed because it read too slowly, if that is so and was not told just now."""
        now = self._loop.time()
        if not self._left_out or now - self._told_slow_at < TELL_SLOW_EVERY_SECONDS:
            return
        pace = min(1.0 / max(self._slow_seconds, 1e-3), MAX_HZ)
        params = {"maxHz": round(pace, 3), "dropped": self._left_out}
        self._told_slow_at, self._left_out = now, 0
        self.outbox.put_newest("degraded", replies.notification("session.degraded", replies.encode(params)))

    def close(self) -> list[bytes]:
        """Write no more, as the client is gone; return the lossless frames that it did not get."""
        return self.outbox.close()
