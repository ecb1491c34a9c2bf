"""NATS door of market data: tells ticks and instruments. A broker that is away or slow costs ticks, never memory or the feed."""

import asyncio
from collections.abc import Sequence
from typing import NoReturn
from uuid import uuid4

from exchange_gw import wire
from exchange_gw.feed import Outbox
from exchange_gw.tick import Instrument
from runtime import logs
from runtime.errors import Unavailable
from runtime.jetstream import Bus
from runtime.subjects import TICK_PARTITIONS, instruments, partition_of, ticks

PAUSE_SECONDS = 0.25
SAY_AGAIN_SECONDS = 30.0

logger = logs.get_logger("exchange_gw.feed_bus")


async def tell_ticks(bus: Bus, partition: int, outbox: Outbox, interval_seconds: float) -> NoReturn:
    """Tell what is heard about a partition, for ever: one message at a time, each with all that has come meanwhile.

    With one message on its way the partition's ticks stay in order, and a slow broker gets larger messages, not more.
    """
    subject, life, number = ticks(partition), uuid4().hex[:12], 0
    while True:
        await outbox.news.wait()
        heard, phases = outbox.take()
        number += 1
        try:
            await bus.publish(
                subject, wire.tick_batch_bytes(heard, phases), event_id=f"ticks:{life}:{partition}:{number}"
            )
        except Unavailable as error:
            logger.warning("ticks not told", partition=partition, ticks=len(heard), error=repr(error))
            outbox.give_back(heard, phases)
            await asyncio.sleep(PAUSE_SECONDS)
        await asyncio.sleep(interval_seconds)


class InstrumentBoard:
    """Tells the instruments, and again every now and then, as a broker may lose what it was told."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._instruments: tuple[Instrument, ...] = ()
        self._news = asyncio.Event()

    def tell(self, listed: Sequence[Instrument]) -> None:
        """Tell these instruments from now on."""
        self._instruments = tuple(listed)
        self._news.set()

    async def run(self) -> NoReturn:
        """Tell for ever."""
        while True:
            try:
                async with asyncio.timeout(SAY_AGAIN_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                logger.debug("instruments told again")
            self._news.clear()
            try:
                await self._tell()
            except Unavailable as error:
                logger.warning("instruments not told, later again", error=repr(error))
                await asyncio.sleep(PAUSE_SECONDS)
                self._news.set()

    async def _tell(self) -> None:
        partitions: dict[int, list[Instrument]] = {}
        for one in self._instruments:
            partitions.setdefault(partition_of(one.symbol, TICK_PARTITIONS), []).append(one)
        for partition, some in partitions.items():
            await self._bus.publish(
                instruments(partition), wire.instrument_batch_bytes(some), event_id=f"instruments:{uuid4().hex}"
            )
