"""MongoDB: ticks, bars, instruments. Written behind and in batches; a slow or dead database costs history, never a live price."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pymongo
from pymongo import ReplaceOne
from pymongo.errors import BulkWriteError, PyMongoError

from price_svc import documents, schema
from price_svc.backlog import Backlog
from price_svc.bar import Bar
from price_svc.history import Past, Span, joined
from price_svc.instrument import Instrument
from price_svc.past_store import past_bars
from price_svc.quote import Tick
from runtime import logs
from runtime.databases import Database, DatabaseUnavailable, Document

# A write of this many documents keeps a small server busy for some 50 ms, not longer.
BATCH = 200
WRITE_SECONDS = 10.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 5.0
# What may wait while the database is away: some minutes' worth, at most some 50 MB.
MAX_TICKS, MAX_BARS, MAX_INSTRUMENTS = 100_000, 50_000, 50_000
# A document holds at most this many ticks.
MAX_TICKS_TOGETHER = 1_000
TELL_SECONDS = 60.0
DUPLICATE_KEY = 11_000

K = TypeVar("K")
V = TypeVar("V")
R = TypeVar("R")

logger = logs.get_logger("price_svc.store")


class MongoHistory:
    """What symbols cost before, in the collections `ticks`, `bars` and `instruments`."""

    def __init__(
        self,
        database: Database,
        *,
        flush_seconds: float,
        tick_retention_days: float,
        preparation: schema.Preparation | None = None,
    ) -> None:
        self._database, self._flush_seconds = database, flush_seconds
        self._kept = timedelta(days=tick_retention_days)
        self._preparation = preparation or schema.Preparation(database, ticks_kept=self._kept)
        self._gathering: dict[tuple[str, int], list[Tick]] = {}
        self._gathered = 0
        self._ticks: Backlog[tuple[str, int, int], list[Tick]] = Backlog(limit=MAX_TICKS, weight=len)
        self._bars: Backlog[tuple[str, int, int], Bar] = Backlog(limit=MAX_BARS)
        self._instruments: Backlog[str, Instrument] = Backlog(limit=MAX_INSTRUMENTS)
        self._told_at = 0.0
        # By the monotonic clock: since when something has waited, and what came after the write under way began.
        self._since = self._next_since = 0.0
        self._spoilt = 0

    def keep_ticks(self, ticks: Iterable[Tick]) -> None:
        """Keep ticks, oldest first, until the retention ends."""
        self._begin_to_wait()
        for tick in ticks:
            place = tick.symbol, tick.epoch
            together = self._gathering.setdefault(place, [])
            together.append(tick)
            self._gathered += 1
            if len(together) >= MAX_TICKS_TOGETHER:
                self._cut(place)
        if self.waiting_ticks > MAX_TICKS:
            self._cut_all()

    def keep_bars(self, final: Iterable[Bar]) -> None:
        """Keep bars that are final."""
        self._begin_to_wait()
        for bar in final:
            self._bars.put(bar.key, bar)

    def keep_instruments(self, instruments: Iterable[Instrument]) -> None:
        """Keep instruments; an instrument replaces the one with its symbol."""
        for instrument in instruments:
            self._instruments.put(instrument.symbol, instrument)

    @property
    def waiting_ticks(self) -> int:
        """How many ticks are not written yet."""
        return self._gathered + self._ticks.weight

    @property
    def waiting_bars(self) -> int:
        """How many bars are not written yet."""
        return len(self._bars)

    @property
    def behind_seconds(self) -> float:
        """How long the oldest tick or bar has been waiting."""
        return time.monotonic() - self._since if self._since else 0.0

    @property
    def lost(self) -> int:
        """How many ticks and bars were given up."""
        return self._ticks.dropped + self._bars.dropped + self._spoilt

    @property
    def dropped_ticks(self) -> int:
        """How many ticks were never written."""
        return self._ticks.dropped

    async def bars(self, symbol: str, span: Span) -> Past:
        """Return a symbol's final bars of a span, oldest first: all, or at least one more than its limit. What was heard holds.

        Raises DatabaseUnavailable.
        """
        # Before the question: what is written meanwhile is then in one of the two, or in both.
        waiting = [bar for bar in self._bars.values() if bar.symbol == symbol and bar.interval == span.interval]
        starts = {"$gte": documents.date_of(max(span.from_ns, 0)), "$lt": documents.date_of(span.to_ns)}
        wanted = {"symbol": symbol, "interval": span.interval, "start": starts}
        cursor = self._database.collection("bars").find(wanted).sort("start", pymongo.ASCENDING)
        cursor = cursor.limit(span.limit + 1) if span.limit else cursor
        kept, past = await asyncio.gather(
            self._database.read(cursor.to_list(None)), past_bars(self._database, symbol, span)
        )
        heard = joined(map(documents.bar_from, kept), filter(span.holds, waiting))
        bars = joined(past.bars, heard)
        heard_at = {bar.start_ns for bar in heard}
        is_heard = all(bar.start_ns in heard_at for bar in bars)
        return Past(bars, frozenset() if is_heard else past.sources)

    async def instruments(self) -> list[Instrument]:
        """Return the instruments that were kept. Raises DatabaseUnavailable."""
        found = await self._database.read(self._database.collection("instruments").find({}).to_list(None))
        return [documents.instrument_from(document) for document in found]

    async def run(self) -> None:
        """Write what waits, now and then, for ever. While the database is away the newest waits and the oldest is dropped."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                await self.flush()
            except (DatabaseUnavailable, TimeoutError, PyMongoError) as error:
                self._tell(repr(error))
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                pause = FIRST_PAUSE_SECONDS
                await asyncio.sleep(self._flush_seconds)

    async def flush(self) -> None:
        """Write all that waits. Raises DatabaseUnavailable, TimeoutError or PyMongoError; what was not written still waits."""
        self._next_since = 0.0
        expiry = await self._in_time(self._preparation.expiry())
        await self._drain("instruments", self._instruments, documents.instrument_to)
        await self._drain("bars", self._bars, documents.bar_to)
        # Not before something was written: while the database is away ticks stay together.
        self._cut_all()
        await self._drain("ticks", self._ticks, lambda ticks: documents.ticks_to(ticks, kept=self._kept))
        self._since = self._next_since
        await self._in_time(expiry.sweep(datetime.now(UTC)))

    async def _drain(self, name: str, backlog: Backlog[K, V], to_document: Callable[[V], Document]) -> None:
        while batch := backlog.first(BATCH):
            try:
                await self._in_time(self._write(name, [to_document(item) for item in batch.values()]))
            except (DatabaseUnavailable, TimeoutError, PyMongoError):
                raise
            except Exception as error:
                # A document that cannot even be encoded would be in the way for ever.
                self._spoilt += len(batch)
                logger.error("history dropped", collection=name, documents=len(batch), exc_info=error)
            backlog.remove(batch)

    async def _write(self, name: str, batch: list[Document]) -> None:
        """Insert documents; where one is there already it is replaced. An insert costs a quarter of an upsert (SecantusDB)."""
        collection = self._database.collection(name)
        try:
            await self._database.read(collection.insert_many(batch, ordered=False))
        except BulkWriteError as error:
            failed = error.details["writeErrors"]
            there = [batch[item["index"]] for item in failed if item["code"] == DUPLICATE_KEY]
            if len(there) < len(failed):
                raise
            await self._database.read(
                collection.bulk_write([ReplaceOne({"_id": item["_id"]}, item) for item in there], ordered=False)
            )

    def _begin_to_wait(self) -> None:
        now = time.monotonic()
        self._since = self._since or now
        self._next_since = self._next_since or now

    def _cut(self, place: tuple[str, int]) -> None:
        together = self._gathering.pop(place)
        self._gathered -= len(together)
        self._ticks.put((*place, together[0].seq), together)

    def _cut_all(self) -> None:
        for place in list(self._gathering):
            self._cut(place)

    def _tell(self, failure: str) -> None:
        """Say at most once a minute that the database is away, and what that has cost so far."""
        now = time.monotonic()
        if self._told_at and now - self._told_at < TELL_SECONDS:
            return
        self._told_at = now
        logger.warning(
            "history not written",
            error=failure,
            dropped_ticks=self.dropped_ticks,
            dropped_bars=self._bars.dropped,
            waiting_bars=len(self._bars),
        )

    @staticmethod
    async def _in_time(work: Awaitable[R]) -> R:
        async with asyncio.timeout(WRITE_SECONDS):
            return await work
