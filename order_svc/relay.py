"""The outbox relay: what the database has committed goes on the bus, at once, and is never forgotten.

It follows the outbox by change stream (no polling on the path), publishes, waits for the broker's receipt, settles, and saves its
place. A sweeper runs beside it always: it turns every failure of the stream, the broker or this process into latency, not loss.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from bson import ObjectId
from pymongo.errors import PyMongoError
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from order_svc.event import Message
from order_svc.outbox import Entry, ResumeImpossible
from runtime import logs
from runtime.errors import TradingError
from runtime.jetstream import BusUnavailable

# Entries on their way at once; more wait in the database, not in memory.
MAX_IN_FLIGHT = 64
SETTLE_EVERY_SECONDS = 0.05
SAVE_TOKEN_EVERY_SECONDS = 1.0
SWEEP_EVERY_SECONDS = 2.0
# An entry is swept when the stream had time enough to bring it, a command's order when the gateway had time enough to act.
SWEEP_AGE = timedelta(seconds=3)
SWEEP_MANY = 200
REOPEN_SECONDS = 5.0
# A message that the broker does not take for this long is left to the sweeper.
PUBLISH_SECONDS = 10.0

logger = logs.get_logger("order_svc.relay")


class Outbox(Protocol):
    """The outbox as the relay needs it; see order_svc.outbox."""

    def follow(self, resume_after: Mapping[str, Any] | None) -> AsyncIterator[tuple[Entry | None, Mapping[str, Any]]]:
        """Return every new entry with the token to resume after it."""

    async def unsettled(self, *, older_than: timedelta, but: Collection[ObjectId], limit: int) -> list[Entry]:
        """Return entries of some age but for the named ones."""

    async def still_pending(self, order_ids: Collection[str]) -> set[str]:
        """Return those of the orders that have not left PENDING."""

    async def settle(self, entry_ids: Collection[ObjectId]) -> None:
        """Forget entries."""

    async def saved_token(self) -> Mapping[str, Any] | None:
        """Return where the relay left off."""

    async def save_token(self, token: Mapping[str, Any]) -> None:
        """Keep where the relay is."""


class Publisher(Protocol):
    """The bus as the relay needs it."""

    async def publish(
        self, subject: str, payload: bytes, *, event_id: str, headers: Mapping[str, str] | None = None
    ) -> int:
        """Store a message and wait for the receipt; raises BusUnavailable."""


@dataclass(slots=True)
class _Flight:
    """An entry on its way, and the token that may be saved once it and all before it have landed."""

    entry: Entry | None
    token: Mapping[str, Any]
    task: asyncio.Task[bool] | None


class Relay:
    """Brings the outbox to the bus. One relay is active per order database; a second one is safe but wasteful."""

    def __init__(self, outbox: Outbox, bus: Publisher) -> None:
        self._outbox, self._bus = outbox, bus
        self._flights: deque[_Flight] = deque()
        self._room = asyncio.Semaphore(MAX_IN_FLIGHT)
        # The last message on its way for each subject: one at a time per account keeps its order.
        self._tails: dict[str, asyncio.Future[None]] = {}
        self._in_flight: set[ObjectId] = set()
        # Entries that have landed, whose commands' orders still are to leave PENDING.
        self._landed: dict[ObjectId, float] = {}
        self._token_saved_at = 0.0

    async def run(self) -> None:
        """Follow the outbox for ever; reopen the stream whenever it breaks."""
        token = await self._start()
        while True:
            try:
                async for entry, place in self._outbox.follow(token):
                    token = place
                    await self._take_off(entry, place)
            except ResumeImpossible as error:
                logger.error("change stream history lost, sweeping instead", error=str(error))
                token = None
            except (PyMongoError, TradingError) as error:
                logger.warning("change stream broke, reopening", error=repr(error))
                await asyncio.sleep(0.1)

    async def _start(self) -> Mapping[str, Any] | None:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type((TradingError, PyMongoError)),
            wait=wait_random_exponential(multiplier=0.1, max=2.0),
            stop=stop_after_delay(60.0),
            reraise=True,
        ):
            with attempt:
                return await self._outbox.saved_token()
        raise AssertionError("tenacity either returns or raises")

    async def _take_off(self, entry: Entry | None, token: Mapping[str, Any]) -> None:
        if entry is None:
            self._flights.append(_Flight(None, token, None))
            return
        await self._room.acquire()
        self._in_flight.add(entry.entry_id)
        task = asyncio.create_task(self._fly(entry), name=f"relay {entry.entry_id}")
        self._flights.append(_Flight(entry, token, task))

    async def _fly(self, entry: Entry) -> bool:
        """Publish an entry's messages, those of one subject in their order; tell whether all have landed."""
        try:
            lanes: dict[str, list[Message]] = {}
            for message in entry.messages:
                lanes.setdefault(message.subject, []).append(message)
            # Places in the lanes are taken before anything is awaited, so that entries keep their order in each lane.
            turns = [self._turn(subject) for subject in lanes]
            async with asyncio.TaskGroup() as group:
                for (subject, messages), (before, after) in zip(lanes.items(), turns, strict=True):
                    group.create_task(self._publish(subject, messages, before, after))
        except* BusUnavailable as errors:
            logger.warning(
                "not published yet, left to the sweeper", entry=str(entry.entry_id), error=repr(errors.exceptions[0])
            )
            landed = False
        else:
            landed = True
        finally:
            self._in_flight.discard(entry.entry_id)
            self._room.release()
        return landed

    def _turn(self, subject: str) -> tuple[asyncio.Future[None] | None, asyncio.Future[None]]:
        before, after = self._tails.get(subject), asyncio.get_running_loop().create_future()
        self._tails[subject] = after
        return before, after

    async def _publish(
        self, subject: str, messages: list[Message], before: asyncio.Future[None] | None, after: asyncio.Future[None]
    ) -> None:
        try:
            if before is not None:
                await before
            for message in messages:
                await self._publish_one(message)
        finally:
            after.set_result(None)
            if self._tails.get(subject) is after:
                del self._tails[subject]

    async def _publish_one(self, message: Message) -> None:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(BusUnavailable),
            wait=wait_random_exponential(multiplier=0.05, max=1.0),
            stop=stop_after_delay(PUBLISH_SECONDS),
            reraise=True,
        ):
            with attempt:
                await self._bus.publish(
                    message.subject, message.payload, event_id=message.event_id, headers=message.headers
                )

    async def settle(self) -> None:
        """Settle what has landed and save the place in the stream, for ever; one of the process's loops."""
        while True:
            await asyncio.sleep(SETTLE_EVERY_SECONDS)
            done, token = self._harvest()
            try:
                await self._outbox.settle(done)
                if token is not None and time.monotonic() - self._token_saved_at > SAVE_TOKEN_EVERY_SECONDS:
                    await self._outbox.save_token(token)
                    self._token_saved_at = time.monotonic()
            except (PyMongoError, TradingError) as error:
                # Unsettled entries are published once more by the sweeper; their ids make that harmless.
                logger.warning("not settled", error=repr(error))

    def _harvest(self) -> tuple[list[ObjectId], Mapping[str, Any] | None]:
        """Return the entries to settle and the last token before which everything has landed or is left to the sweeper."""
        done: list[ObjectId] = []
        token: Mapping[str, Any] | None = None
        while self._flights and (self._flights[0].task is None or self._flights[0].task.done()):
            flight = self._flights.popleft()
            token = flight.token
            if flight.entry is None or flight.task is None or not flight.task.result():
                continue
            if flight.entry.pending_orders:
                self._landed[flight.entry.entry_id] = time.monotonic()
            else:
                done.append(flight.entry.entry_id)
        return done, token

    async def sweep(self) -> None:
        """Look after what is left in the outbox, for ever; one of the process's loops."""
        while True:
            try:
                await self._sweep_once()
            except (PyMongoError, TradingError) as error:
                logger.warning("sweep failed", error=repr(error))
            await asyncio.sleep(SWEEP_EVERY_SECONDS)

    async def _sweep_once(self) -> None:
        entries = await self._outbox.unsettled(older_than=SWEEP_AGE, but=self._in_flight, limit=SWEEP_MANY)
        pending = await self._outbox.still_pending([key for entry in entries for key in entry.pending_orders])
        over: list[ObjectId] = []
        for entry in entries:
            waits = [key for key in entry.pending_orders if key in pending]
            if entry.entry_id in self._landed and not waits:
                over.append(entry.entry_id)
            elif entry.entry_id not in self._in_flight:
                await self._again(entry, over)
        for entry_id in over:
            self._landed.pop(entry_id, None)
        await self._outbox.settle(over)

    async def _again(self, entry: Entry, over: list[ObjectId]) -> None:
        """Publish an entry once more: the stream never brought it, the broker lost it, or the gateway has not acted on it."""
        if entry.entry_id in self._landed:
            logger.info("orders still pending, commands published again", entry=str(entry.entry_id))
        else:
            logger.info("entry swept", entry=str(entry.entry_id))
        await self._room.acquire()
        self._in_flight.add(entry.entry_id)
        if not await self._fly(entry):
            return
        if entry.pending_orders:
            self._landed[entry.entry_id] = time.monotonic()
        else:
            over.append(entry.entry_id)
