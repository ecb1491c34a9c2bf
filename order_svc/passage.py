"""One reign of the relay: begins with what the reign before left, ends when the lease does."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from bson import ObjectId
from pymongo.errors import PyMongoError
from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from order_svc.event import Message, News
from order_svc.figures import Figures
from order_svc.flights import Flight, Flights
from order_svc.lanes import Fence, Lanes, Poster
from order_svc.order import State
from order_svc.outbox import Entry, Reign, ResumeImpossible
from order_svc.ports import Outbox, Updates, Watcher
from order_svc.told import Told
from runtime import logs
from runtime.crash_points import reach
from runtime.crews import Crew
from runtime.errors import TradingError
from runtime.leases import LeaseLost

# Entries on their way at once; more wait in the database, not in memory.
MAX_IN_FLIGHT = 64
SETTLE_EVERY_SECONDS = 0.25
# While nothing happens the place in the stream still moves on, as other collections write, and is saved now and then.
SAVE_TOKEN_EVERY_SECONDS, SAVE_IDLE_TOKEN_EVERY_SECONDS = 1.0, 10.0
SWEEP_EVERY_SECONDS = 2.0
# An entry is swept when the stream had time enough to bring it.
SWEEP_AGE_SECONDS = 3.0
# How far the clocks of the hosts that commit may be apart.
INHERITED_MARGIN_US = 60_000_000
SWEEP_IDS, SWEEP_ENTRIES = 1_000, 50
REOPEN_SECONDS = 0.1
COMMITTED_TIME = "Committed-Time"

R = TypeVar("R")

logger = logs.get_logger("order_svc.relay")


class Passage:
    """Relays for one reign."""

    def __init__(
        self,
        outbox: Outbox,
        bus: Poster,
        updates: Updates,
        lease: Fence,
        *,
        figures: Figures,
        watchers: Sequence[Watcher] = (),
    ) -> None:
        self._outbox, self._updates, self._figures, self._watchers = outbox, updates, figures, watchers
        self._told = Told(updates, is_anew=False)
        # When the stream of updates was made, and up to which commits the reign before may have told some.
        self._born, self._inherited_until_us = 0, 0
        self._crew = Crew()
        self._lanes = Lanes(bus, lease, self._crew.spawn)
        self._room = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._flights = Flights()
        # What came by the stream, in its order; a place is passed when all up to it has landed.
        self._line: deque[tuple[Flight | None, Mapping[str, Any]]] = deque()
        # How far the stream is, by the time of the commits, and when it last brought one.
        self._streamed_us, self._streamed_at = 0, 0.0
        self._drained: set[ObjectId] = set()
        self._passed: Mapping[str, Any] | None = None
        self._moved = False
        self._token_saved_at = 0.0
        self._swept_up_to: ObjectId | None = None

    async def run(self) -> None:
        """Relay until the lease is lost. Raises LeaseLost."""
        reign = await _insist(self._outbox.take_over)
        self._born = await _insist(self._updates.born)
        self._told = Told(self._updates, is_anew=not reign.continues(self._born))
        self._inherited_until_us = time.time_ns() // 1000 + INHERITED_MARGIN_US
        logger.info("relaying", epoch=reign.epoch, resumed=reign.token is not None)
        async with self._crew:
            for watcher in self._watchers:
                self._crew.spawn(watcher.run(), name=type(watcher).__name__)
            self._crew.spawn(self._follow(reign), name="relay follow")
            self._crew.spawn(self._settle(reign), name="relay settle")
            self._crew.spawn(self._sweep(), name="relay sweep")
            await self._crew.first_failure()

    async def _follow(self, reign: Reign) -> None:
        """Publish what the stream brings, for ever; reopen it whenever it breaks."""
        token = reign.token
        complete = token is not None
        while True:
            try:
                async with aclosing(self._outbox.follow(token)) as changes:
                    async for entry, place in changes:
                        if not complete:
                            await self._drain()
                            complete = True
                        await self._take_off(entry, place)
                        token = place
            except ResumeImpossible as error:
                logger.error("change stream history lost, sweeping instead", error=str(error))
                token, complete = None, False
            except (PyMongoError, TradingError) as error:
                logger.warning("change stream broke, reopening", error=repr(error))
            await asyncio.sleep(REOPEN_SECONDS)

    async def _drain(self) -> None:
        """Publish all that is in the outbox, in the order of the commits; the stream stands already, so nothing falls between."""
        entry_ids = await self._told.learn_settled(self._outbox, self._listed)
        logger.info("draining the outbox", entries=len(entry_ids))
        await self._publish_again(entry_ids)
        # The stream may bring them, too.
        self._drained |= set(entry_ids)

    async def _listed(self) -> list[ObjectId]:
        """Return what is in the outbox, in the order of the commits."""
        found: list[tuple[int, ObjectId]] = []
        after: ObjectId | None = None
        while after is None or len(found) % SWEEP_IDS == 0:
            # One look for one moment: another would find some of what was committed since, and not what came before that.
            page = await self._outbox.old(older_than=timedelta(0), after=after, limit=SWEEP_IDS)
            if not page:
                break
            found += [(commit_us, entry_id) for entry_id, commit_us in page]
            after = page[-1][0]
        return [entry_id for _, entry_id in sorted(found)]

    async def _take_off(self, entry: Entry | None, place: Mapping[str, Any]) -> None:
        flight: Flight | None = None
        if entry is not None:
            self._streamed_us, self._streamed_at = entry.commit_time_us, time.monotonic()
            flight = self._flights.get(entry.entry_id)
            if entry.entry_id in self._drained:
                self._drained.discard(entry.entry_id)
            elif flight is None:
                flight = await self._fly(entry, set(entry.pending_orders))
        self._line.append((flight, place))

    async def _fly(self, entry: Entry, pending: set[str]) -> Flight:
        reach("K5")
        if entry.commit_time_us < self._inherited_until_us:
            for subject in sorted({one.subject for one in entry.messages if one.news is not None}):
                if self._told.is_unread(subject):
                    await _insist(partial(self._told.read, subject))
        known = self._flights.get(entry.entry_id)
        if known is not None:
            # The other of stream and sweeper was faster.
            return known
        messages = [one for one in entry.messages if one.news is None or self._told.admits(one)]
        # Before anything is awaited, so that nobody takes what is counted as told for landed.
        flight = self._flights.begin(entry.entry_id, messages=len(messages), pending=pending)
        if messages:
            await self._room.acquire()
        landed = partial(self._land, flight, entry.commit_time_us)
        for message in messages:
            if message.news is None:
                await self._lanes.send(_dated(message, entry), landed)
            else:
                self._hear(message.news)
                await self._lanes.send(message, landed)
        return flight

    def _hear(self, news: News) -> None:
        for watcher in self._watchers:
            watcher.hear(news)
        if news.state is not State.PENDING:
            self._flights.hear_effect(news.order_id)

    def _land(self, flight: Flight, commit_time_us: int, message: Message) -> None:
        if message.pending_order:
            self._figures.published(flight.entry_id, commit_time_us)
        if message.news:
            for watcher in self._watchers:
                watcher.landed(message.news)
        if self._flights.land_one(flight):
            self._room.release()

    async def _settle(self, reign: Reign) -> None:
        """Settle what is over and save the place in the stream, for ever. Raises LeaseLost when another reigns."""
        while True:
            await asyncio.sleep(SETTLE_EVERY_SECONDS)
            # One moment for the three: what lies before the place is over, or landed, or not ours to know of.
            over, landed = self._flights.take_over(), self._flights.unnoted()
            token, idle = self._pass()
            if over:
                reach("K7")
            try:
                await self._outbox.settle(over)
                await self._save(reign, token, landed, idle=idle)
            except (PyMongoError, TradingError) as error:
                # Unsettled entries would be published once more by the sweeper; their ids make that harmless.
                logger.warning("not settled", error=repr(error))
                self._flights.put_back(over)
                continue
            self._flights.forget(over)
            self._figures.unsettled.set(len(self._flights))
            self._figures.oldest.set(self._flights.oldest_seconds)

    def _pass(self) -> tuple[Mapping[str, Any] | None, bool]:
        """Return the last place up to which all has landed, and whether nothing but idle time lies before it."""
        while self._line and ((flight := self._line[0][0]) is None or flight.has_landed):
            self._passed = self._line.popleft()[1]
            self._moved = self._moved or flight is not None
        return self._passed, not self._moved

    async def _save(
        self, reign: Reign, token: Mapping[str, Any] | None, landed: Sequence[Flight], *, idle: bool
    ) -> None:
        pause = SAVE_IDLE_TOKEN_EVERY_SECONDS if idle else SAVE_TOKEN_EVERY_SECONDS
        if token is None or time.monotonic() - self._token_saved_at < pause:
            return
        # Whoever resumes at this place finds what lies before it unsettled or marked, and tells no update a second time: after
        # the duplicate window, or on a broker that was wiped, that would be after newer ones.
        await self._outbox.note_landed([flight.entry_id for flight in landed])
        for flight in landed:
            flight.noted = True
        if not await self._outbox.save_token(reign, token, born=self._born):
            raise LeaseLost("another relay reigns by now")
        self._token_saved_at, self._passed, self._moved = time.monotonic(), None, False

    async def _sweep(self) -> None:
        """Look after what is left in the outbox, for ever."""
        while True:
            await asyncio.sleep(SWEEP_EVERY_SECONDS)
            try:
                await self._sweep_once()
            except (PyMongoError, TradingError) as error:
                logger.warning("sweep failed", error=repr(error))

    async def _sweep_once(self) -> None:
        age = timedelta(seconds=SWEEP_AGE_SECONDS)
        found = await self._outbox.old(older_than=age, after=self._swept_up_to, limit=SWEEP_IDS)
        self._swept_up_to = found[-1][0] if len(found) == SWEEP_IDS else None
        due = sorted((commit_us, entry_id) for entry_id, commit_us in found if self._is_due(entry_id, commit_us))
        await self._publish_again([entry_id for _, entry_id in due])

    def _is_due(self, entry_id: ObjectId, commit_us: int) -> bool:
        """Tell whether an entry of some age is to be published again: the stream missed it, or its commands have no effect."""
        flight = self._flights.get(entry_id)
        if flight is not None:
            return flight.is_due
        # A stream that is behind and moves will bring it; doing its work twice would keep it behind.
        moves = time.monotonic() - self._streamed_at < SWEEP_AGE_SECONDS
        return not moves or commit_us < self._streamed_us

    async def _publish_again(self, entry_ids: Sequence[ObjectId]) -> None:
        for start in range(0, len(entry_ids), SWEEP_ENTRIES):
            entries = await self._outbox.load(entry_ids[start : start + SWEEP_ENTRIES])
            pending = await self._outbox.still_pending([key for entry in entries for key in entry.pending_orders])
            for entry in entries:
                await self._again(entry, pending.intersection(entry.pending_orders))

    async def _again(self, entry: Entry, pending: set[str]) -> None:
        flight = self._flights.get(entry.entry_id)
        if flight is None:
            logger.info("entry swept", entry=str(entry.entry_id), landed=entry.landed)
            self._figures.swept.inc()
            # What is known to have landed has told its updates.
            rest = tuple(_of(entry.messages, pending)) if entry.landed else entry.messages
            await self._fly(replace(entry, messages=rest), pending)
        elif flight.has_landed:
            self._flights.correct(flight, pending)
            flight.put_off()
            for message in _of(entry.messages, flight.pending):
                logger.info("order still pending, command published again", order_id=message.pending_order)
                await self._lanes.send(_dated(message, entry), _nothing)


def _of(messages: Iterable[Message], pending: set[str]) -> Iterable[Message]:
    return (message for message in messages if message.pending_order in pending)


def _dated(message: Message, entry: Entry) -> Message:
    return replace(message, headers={**message.headers, COMMITTED_TIME: str(entry.commit_time_us)})


def _nothing(message: Message) -> None:
    """Take in that a repetition is stored."""


async def _insist(ask: Callable[[], Awaitable[R]]) -> R:
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type((TradingError, PyMongoError)),
        wait=wait_random_exponential(multiplier=0.1, max=2.0),
    ):
        with attempt:
            return await ask()
    raise AssertionError("tenacity either returns or raises")
