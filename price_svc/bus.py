"""The bus's ears: ticks of the partitions that this replica owns, quotes of all, instruments, and what was kept."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from google.protobuf.message import DecodeError

from gen.trading.v1 import price_pb2 as pb
from price_svc import wire
from price_svc.announcer import QuoteAnnouncer
from price_svc.feed import Feed
from price_svc.instrument import Instrument
from price_svc.market import Phase
from price_svc.quote import Quote
from price_svc.service import Prices
from runtime import logs, subjects
from runtime.errors import InvalidArgument, Malformed
from runtime.jetstream import Bus, BusUnavailable, Heard
from runtime.pulling import Delivery

# Messages taken at once.
MAX_BATCH = 50
ACKNOWLEDGE_SECONDS = 0.02
# Lists of instruments are heard when they are said; this repairs what was missed while the connection was away.
READ_AGAIN_SECONDS = 30.0
EVERY_INSTRUMENT = "instruments.*"
EVERY_LAST_QUOTE = "quotes.last.*"

logger = logs.get_logger("price_svc.bus")


class Acknowledgements:
    """Says that messages were taken, many at once: one at a time every message would cost a system call more, a tenth of all."""

    def __init__(self) -> None:
        self._taken: list[Delivery] = []
        self._something = asyncio.Event()

    def add(self, delivery: Delivery) -> None:
        """Note that a message was taken. Should it come again, because the process ended before it said so, it is no news."""
        self._taken.append(delivery)
        self._something.set()

    async def run(self) -> None:
        """Say it, for ever."""
        while True:
            await self._something.wait()
            await asyncio.sleep(ACKNOWLEDGE_SECONDS)
            self._something.clear()
            taken, self._taken = self._taken, []
            for delivery in taken:
                await delivery.ack()


async def hear_ticks(
    bus: Bus,
    feed: Feed,
    announcer: QuoteAnnouncer,
    acknowledgements: Acknowledgements,
    *,
    partition: int,
    clock_ns: Callable[[], int],
) -> None:
    """Apply the ticks of an owned partition, for ever. One consumer per partition: whoever owns it next goes on with it."""
    deliveries = bus.pull(
        subjects.TICKS,
        durable=f"price_svc-ticks-{partition}",
        subjects=[subjects.ticks(partition)],
        max_batch=MAX_BATCH,
    )
    async for lot in deliveries:
        for delivery in lot:
            try:
                _apply(delivery, feed, clock_ns())
            except Exception as error:
                # Ticks are overtaken by the next ones; one message that breaks us must not stop its partition.
                logger.error("ticks dropped", subject=delivery.subject, sequence=delivery.sequence, exc_info=error)
            acknowledgements.add(delivery)
        announcer.reached(partition, lot[-1].sequence)
        if len(lot) == MAX_BATCH:
            # A backlog comes faster than it is awaited; the rest of the process runs in between.
            await asyncio.sleep(0)


def _apply(delivery: Delivery, feed: Feed, now_ns: int) -> None:
    batch = pb.TickBatch.FromString(delivery.payload)
    refused = feed.implausible_ticks
    feed.apply(
        [wire.tick_from(tick, now_ns) for tick in batch.ticks],
        [wire.phase_from(phase, now_ns) for phase in batch.phases],
    )
    if feed.implausible_ticks > refused:
        logger.warning("absurd ticks dropped", subject=delivery.subject, total=feed.implausible_ticks)


@asynccontextmanager
async def hearing_quotes(bus: Bus, feed: Feed, *, partitions: Iterable[int]) -> AsyncIterator[None]:
    """Hear what the owners of other partitions say of quotes and of the venue, for the block."""

    async def hear(heard: Heard) -> None:
        batch = pb.QuoteBatch.FromString(heard.payload)
        feed.hear(wire.quotes_from(batch), wire.phase_of(batch.market))

    async with AsyncExitStack() as stack:
        for partition in partitions:
            await stack.enter_async_context(bus.listen(subjects.quotes_live(partition), hear))
        yield


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


async def read_quotes(bus: Bus) -> tuple[list[Quote], Phase]:
    """Return the last quotes that were kept, and the venue's phase as the newest of them tells it. Raises BusUnavailable."""
    quotes: list[Quote] = []
    phase, told_ns = Phase.UNKNOWN, -1
    async for heard in bus.last_values(subjects.QUOTES, EVERY_LAST_QUOTE):
        try:
            batch = pb.QuoteBatch.FromString(heard.payload)
            kept = wire.quotes_from(batch)
        except (DecodeError, InvalidArgument) as error:
            logger.error("kept quote dropped", subject=heard.subject, exc_info=error)
            continue
        quotes += kept
        for quote in kept:
            if quote.time_ns > told_ns:
                phase, told_ns = wire.phase_of(batch.market), quote.time_ns
    return quotes, phase
