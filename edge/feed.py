"""The order updates of one account: heard once, rendered once, given to every session that follows it; no gap, no double.

Core NATS is fast and may lose messages; the stream behind it loses none. Each message tells the sequence of the one before it on
its subject, so a loss shows with the next message, or when the connection is found again, and is then read back.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from edge.bus import OrderUpdates, StreamState
from edge.closing import Close
from edge.rendering import json_of
from edge.replies import notification
from edge.tally import Observe, nobody
from gen.trading.v1.order_pb2 import OrderEvent, OrderUpdate
from runtime import logs
from runtime.crash_points import reach
from runtime.errors import TradingError
from runtime.jetstream import Heard
from runtime.positions import Position

# A client that missed more is better served with a snapshot.
MAX_REPLAY = 500
# Updates that may come while a subscription is being answered.
MAX_WAITING = 2_000

# What the exchange said, as against what a client asked for.
_REPORTS = frozenset(
    {
        OrderEvent.PLACED,
        OrderEvent.FILL,
        OrderEvent.CANCELED,
        OrderEvent.CANCEL_REJECTED,
        OrderEvent.REPLACED,
        OrderEvent.REPLACE_REJECTED,
        OrderEvent.REJECTED,
    }
)

logger = logs.get_logger("edge.feed")


@dataclass(frozen=True, slots=True)
class Update:
    """One update: its sequence and the ready frame; and, if it tells a report, when that was heard (seconds since 1970), else 0."""

    sequence: int
    frame: bytes
    heard_at: float = 0.0


class Follower:
    """One session's place in an account's updates. What comes before `begin` waits."""

    def __init__(self, account_id: str, *, send: Callable[[bytes], None], close: Callable[[Close], None]) -> None:
        self.account_id = account_id
        self._send, self._close = send, close
        self._waiting: list[Update] | None = []
        self._last = Position(0, 0)

    @property
    def position(self) -> str:
        """Position of the last update sent."""
        return str(self._last)

    def begin(self, start: Position, frames: list[bytes], last: int) -> None:
        """Send some frames that bring the client to sequence `last`, then what waited, then what comes."""
        self._last = Position(start.created, last)
        for frame in frames:
            self._send(frame)
        waiting, self._waiting = self._waiting or [], None
        for update in waiting:
            self.take(update)

    def take(self, update: Update) -> None:
        """Send an update, unless the client has it."""
        if self._waiting is None:
            if update.sequence > self._last.sequence:
                self._last = Position(self._last.created, update.sequence)
                self._send(update.frame)
        elif len(self._waiting) < MAX_WAITING:
            self._waiting.append(update)
        else:
            self._close(Close.SLOW_READER)

    def lose(self) -> None:
        """The stream is another one now: the client has to begin anew."""
        self._close(Close.STATE_LOST)


class Feed:
    """One account's updates in this process."""

    def __init__(self, account_id: str, source: OrderUpdates, report_to_pushed: Observe = nobody) -> None:
        self.account_id = account_id
        self.followers: set[Follower] = set()
        # Subscriptions that are being answered.
        self.holds = 0
        # True when something may have been missed, and when it can never be read back.
        self.is_behind = self.is_lost = False
        self._source, self._report_to_pushed = source, report_to_pushed
        self._lock = asyncio.Lock()
        self._listening: AsyncExitStack | None = None
        self._stream = StreamState(0, 0)
        self._last = 0

    @property
    def is_open(self) -> bool:
        """Tell whether it listens."""
        return self._listening is not None

    @property
    def position(self) -> Position:
        """Position of the last update heard."""
        return Position(self._stream.created, self._last)

    async def open(self) -> None:
        """Listen, then find out where the account's updates stand. Raises BusUnavailable."""
        async with self._lock:
            if self._listening is not None:
                return
            async with AsyncExitStack() as stack:
                # What is heard from here on waits for the lock.
                await stack.enter_async_context(self._source.listen(self.account_id, self._hear))
                self._stream = await self._source.state()
                self._last = await self._source.last(self.account_id)
                self._listening = stack.pop_all()

    async def close(self) -> None:
        """Listen no more."""
        if self._listening is not None:
            listening, self._listening = self._listening, None
            await listening.aclose()

    async def _hear(self, heard: Heard) -> None:
        async with self._lock:
            if heard.sequence <= self._last:
                return
            if heard.previous == self._last:
                self._pass_on(heard, is_live=True)
            else:
                await self._catch_up()

    async def repair(self) -> None:
        """Read back what may have been missed; stays behind when the broker does not answer."""
        async with self._lock:
            await self._catch_up()

    async def _catch_up(self) -> None:
        self.is_behind = True
        try:
            stream = await self._source.state()
            if stream.created != self._stream.created or stream.first > self._last + 1 > 1:
                self.is_lost = True
                for follower in tuple(self.followers):
                    follower.lose()
                return
            async with aclosing(self._source.history(self.account_id, after=self._last)) as missed:
                async for heard in missed:
                    self._pass_on(heard)
        except TradingError as error:
            logger.warning("cannot read back order updates", account=self.account_id, reason=error.reason)
        else:
            self.is_behind = False

    def _pass_on(self, heard: Heard, *, is_live: bool = False) -> None:
        update = self._rendered(heard, previous=self._last)
        self._last = heard.sequence
        if update is not None:
            reach("K15")
            for follower in tuple(self.followers):
                follower.take(update)
            if is_live and update.heard_at and self.followers:
                self._report_to_pushed(max(time.time() - update.heard_at, 0.0))

    async def missed_since(self, asked: Position) -> list[Update] | None:
        """Return the updates after a position; None when nobody can tell whether they are all there.

        Raises BusUnavailable.
        """
        stream = await self._source.state()
        if asked.created != self._stream.created or stream.created != self._stream.created:
            return None
        if asked.sequence > self._last:
            # Another edge may have heard more than this one.
            await self.repair()
        if asked.sequence > self._last:
            return None
        if asked.sequence == 0:
            return await self._read_back(after=0) if stream.first <= 1 else None
        return [] if asked.sequence == self._last else await self._read_back(after=asked.sequence)

    async def _read_back(self, *, after: int) -> list[Update] | None:
        """Return the updates after one that is still there and is this account's, so that none between can be gone."""
        updates: list[Update] = []
        known, previous = after == 0, after
        async with aclosing(self._source.history(self.account_id, after=max(after - 1, 0))) as stored:
            async for heard in stored:
                if not known:
                    known = heard.sequence == after
                    if not known:
                        return None
                    continue
                update = self._rendered(heard, previous=previous)
                previous = heard.sequence
                if update is not None:
                    updates.append(update)
                if len(updates) > MAX_REPLAY:
                    return None
        return updates if known else None

    def _rendered(self, heard: Heard, *, previous: int) -> Update | None:
        try:
            update = OrderUpdate.FromString(heard.payload)
        except DecodeError:
            logger.error("no OrderUpdate", subject=heard.subject, sequence=heard.sequence)
            return None
        created = self._stream.created
        update.position = str(Position(created, heard.sequence))
        update.previous = str(Position(created, previous))
        changed, is_report = update.order.update_time, update.event.kind in _REPORTS
        heard_at = changed.seconds + changed.nanos / 1e9 if is_report else 0.0
        return Update(heard.sequence, notification("orders.update", json_of(update)), heard_at)
