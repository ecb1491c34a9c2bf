"""What happens to a session because time passes: the token that never came, heartbeats, expiry, a client that takes nothing."""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Protocol

from edge.closing import Close
from edge.rendering import timestamp_text

# How long before the end of its token a client is told to bring a new one.
WARN_SECONDS = 60.0
# A client that takes nothing of what is written keeps its place, and its order updates, for so long.
STUCK_SECONDS = 120.0
# One that is given nothing, or takes it, and says nothing, not even a pong to a ping, is gone after this.
SILENT_SECONDS = 30.0


class Timed(Protocol):
    """What a lifetime asks of its session."""

    @property
    def blocked_seconds(self) -> float:
        """How long the client has not taken what was sent."""

    @property
    def silent_seconds(self) -> float:
        """How long nothing came from a client that reads."""

    def beat(self) -> None:
        """Send a sign of life."""

    def tell(self, method: str, params: dict[str, object]) -> None:
        """Send a notification."""

    def close(self, why: Close) -> None:
        """Begin to close the socket."""

    def abort(self) -> None:
        """Cut the connection without a word."""


class Lifetime:
    """The timers of one session."""

    def __init__(self, session: Timed, *, auth_seconds: float, heartbeat_seconds: float) -> None:
        self._session, self._auth_seconds, self._heartbeat_seconds = session, auth_seconds, heartbeat_seconds
        self._loop = asyncio.get_running_loop()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._expires_at = 0

    def begin(self) -> None:
        """Wait for a token, and let the heart beat, not all hearts in the same moment."""
        self._after("auth", self._auth_seconds, lambda: self._session.close(Close.NOT_AUTHENTICATED))
        self._after("beat", self._heartbeat_seconds * random.uniform(0.5, 1.0), self._beat)  # noqa: S311 - no secret

    def admit(self, expires_at: int) -> None:
        """A token came that is good until this time (seconds since 1970)."""
        self._expires_at = expires_at
        self._cancel("auth")
        left = expires_at - time.time()
        self._after("warn", max(left - WARN_SECONDS, 0.0), self._warn)
        self._after("expire", max(left, 0.0), lambda: self._session.close(Close.TOKEN_EXPIRED))

    def end(self) -> None:
        """Stop all timers."""
        for name in list(self._timers):
            self._cancel(name)

    def _beat(self) -> None:
        self._after("beat", self._heartbeat_seconds, self._beat)
        if self._session.blocked_seconds > STUCK_SECONDS:
            self._session.abort()
        elif self._session.silent_seconds > SILENT_SECONDS:
            self._session.close(Close.SILENT)
        else:
            self._session.beat()

    def _warn(self) -> None:
        self._session.tell("session.expiring", {"expireTime": timestamp_text(self._expires_at, 0)})

    def _after(self, name: str, seconds: float, then: Callable[[], None]) -> None:
        self._cancel(name)
        self._timers[name] = self._loop.call_later(seconds, then)

    def _cancel(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()
