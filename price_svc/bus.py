"""The bus's ears: ticks of the partitions that this replica owns, quotes of the others, instruments, and what was kept."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager

from google.protobuf.message import DecodeError

from gen.trading.v1 import price_pb2 as pb
from price_svc import wire
from price_svc.announcer import QuoteAnnouncer
from price_svc.feed import Feed
from price_svc.holdings import Holdings
from price_svc.instrument import Instrument
from price_svc.market import PhaseChange
from price_svc.marks import Marks
from price_svc.quote import Quote
from price_svc.service import Prices
from runtime import logs, subjects
from runtime.errors import InvalidArgument, Malformed
from runtime.following import follow
from runtime.jetstream import Bus, BusUnavailable, Heard
from runtime.leases import Lease
from runtime.pulling import Delivery

# Messages taken at once.
MAX_BATCH = 50
# Lists of instruments are heard when they are said; this repairs what was missed while the connection was away.
READ_AGAIN_SECONDS = 30.0
EVERY_INSTRUMENT = "instruments.*"
EVERY_LAST_QUOTE = "quotes.last.*"

logger = logs.get_logger("price_svc.bus")


class Ears:
    """What is said of one partition: by the venue, where it is ours, or else by its owner."""

    def __init__(
        self,
        bus: Bus,
        feed: Feed,
        *,
        announcer: QuoteAnnouncer,
        holdings: Holdings,
        marks: Marks,
        clock_ns: Callable[[], int],
    ) -> None:
        self._bus, self._feed, self._announcer = bus, feed, announcer
        self._holdings, self._marks, self._clock_ns = holdings, marks, clock_ns

    async def ticks(self, partition: int, *, after: int, lease: Lease) -> None:
        """Apply the ticks of a partition behind a place of the stream for as long as the lease is ours. Raises LeaseLost then."""
        following = follow(
            self._bus,
            subjects.TICKS,
            subjects.ticks(partition),
            name=f"price_svc-ticks-{partition}",
            after=after,
            max_batch=MAX_BATCH,
        )
        async with aclosing(following):
            async for lot in following:
                # Before every lot: who was frozen wakes up here, and another may be the owner.
                lease.require()
                for delivery in lot:
                    self._apply(delivery)
                self._announcer.reached(partition, lot[-1].sequence)
                if len(lot) == MAX_BATCH:
                    # A backlog comes faster than it is awaited; the rest of the process runs in between.
                    await asyncio.sleep(0)

    def _apply(self, delivery: Delivery) -> None:
        feed, now_ns = self._feed, self._clock_ns()
        refused = feed.implausible_ticks
        try:
            batch = pb.TickBatch.FromString(delivery.payload)
            feed.apply(
                [wire.tick_from(tick, now_ns) for tick in batch.ticks],
                [wire.phase_from(phase, now_ns) for phase in batch.phases],
            )
        except Exception as error:
            # Ticks are overtaken by the next ones; one message that breaks us must not stop its partition.
            logger.error("ticks dropped", subject=delivery.subject, sequence=delivery.sequence, exc_info=error)
        if feed.implausible_ticks > refused:
            logger.warning("absurd ticks dropped", subject=delivery.subject, total=feed.implausible_ticks)

    def quotes(self, partition: int) -> AbstractAsyncContextManager[None]:
        """Hear what the owner of a partition says of its quotes and of the venue, for a block. Raises BusUnavailable."""

        async def hear(heard: Heard) -> None:
            if self._holdings.have(partition):
                # Ours by now: these are the last words of the one before, and we read on from an earlier place.
                return
            batch = pb.QuoteBatch.FromString(heard.payload)
            self._marks.hear(partition, batch.ticks_sequence, time.monotonic())
            self._feed.hear(wire.quotes_from(batch), wire.phase_told(batch))

        return self._bus.listen(subjects.quotes_live(partition), hear)


@asynccontextmanager
async def hearing_instruments(bus: Bus, prices: Prices) -> AsyncIterator[None]:
    """Hear lists of instruments as they are published, for the block."""

    async def hear(heard: Heard) -> None:
        prices.list_instruments([_listed(heard)])

    async with bus.listen(EVERY_INSTRUMENT, hear):
        yield


async def read_instruments(bus: Bus, prices: Prices) -> None:
    """Read all lists of instruments. Raises BusUnavailable."""
    lists = []
    async for heard in bus.last_values(subjects.INSTRUMENTS, EVERY_INSTRUMENT):
        try:
            lists.append(_listed(heard))
        except Malformed as error:
            logger.error("instruments dropped", subject=heard.subject, exc_info=error)
    prices.list_instruments(lists)


async def keep_reading_instruments(bus: Bus, prices: Prices) -> None:
    """Read all lists again and again, for ever."""
    while True:
        await asyncio.sleep(READ_AGAIN_SECONDS)
        try:
            await read_instruments(bus, prices)
        except BusUnavailable as error:
            logger.warning("instruments not read", error=error.message)


def _listed(heard: Heard) -> tuple[int, tuple[Instrument, ...]]:
    try:
        partition = int(heard.subject.rsplit(".", 1)[1])
        return partition, wire.instruments_from(pb.InstrumentBatch.FromString(heard.payload).instruments)
    except (DecodeError, ValueError, InvalidArgument) as error:
        raise Malformed(f"not a list of instruments on {heard.subject}") from error


async def read_quotes(bus: Bus, marks: Marks) -> tuple[list[Quote], PhaseChange | None]:
    """Return the last quotes that were kept, and the venue's phase as the newest of them tells it. Raises BusUnavailable."""
    quotes: list[Quote] = []
    phase, told_ns = None, -1
    positions: dict[int, int] = {}
    async for heard in bus.last_values(subjects.QUOTES, EVERY_LAST_QUOTE):
        try:
            batch = pb.QuoteBatch.FromString(heard.payload)
            kept = wire.quotes_from(batch)
        except (DecodeError, InvalidArgument) as error:
            logger.error("kept quote dropped", subject=heard.subject, exc_info=error)
            continue
        quotes += kept
        for quote in kept:
            partition = subjects.partition_of(quote.symbol, subjects.TICK_PARTITIONS)
            positions[partition] = max(batch.ticks_sequence, positions.get(partition, 0))
            if quote.time_ns > told_ns:
                phase, told_ns = wire.phase_told(batch), quote.time_ns
    for partition, position in positions.items():
        marks.set(partition, position, time.monotonic())
    return quotes, phase
