"""Says quotes on the bus: what changed every few milliseconds, everything again within 5 s, the last of each to be kept."""

import asyncio
from collections.abc import Collection, Iterable

from gen.trading.v1 import price_pb2 as pb
from price_svc import wire
from price_svc.market import Phase
from price_svc.quote import Quote, State
from runtime import subjects
from runtime.jetstream import Bus

# Every quote is said again within 5 s, as core NATS may lose one: a partition at a time, so that no moment is loud.
ROUND_SECONDS = 4.0
KEEP_SECONDS = 1.0
# At most this many in a message: 500 quotes are some 60 KB.
MAX_QUOTES = 500
# So many go out at once before others may run.
BURST = 50


class QuoteAnnouncer:
    """Tells other replicas, edges and order_svc of the partitions that this replica owns."""

    def __init__(
        self, bus: Bus, messages: wire.QuoteMessages, *, owned: frozenset[int], interval_seconds: float
    ) -> None:
        self._bus, self._messages = bus, messages
        self._owned, self._interval_seconds = owned, interval_seconds
        self._newest: dict[int, dict[str, Quote]] = {partition: {} for partition in owned}
        self._changed: dict[int, dict[str, Quote]] = {}
        self._turned: dict[int, dict[str, Quote]] = {}
        self._to_keep: dict[str, Quote] = {}
        self._reached: dict[int, int] = {}
        self._market = wire.phase_to(Phase.UNKNOWN)
        self._something = asyncio.Event()
        self._partitions: dict[str, int] = {}

    def changed(self, quotes: Collection[Quote], turned: Collection[Quote]) -> None:
        """Say quotes that have changed soon, and that the state of some turned; those of other owners are theirs to say."""
        self._put(quotes, self._changed)
        self._put(turned, self._turned)

    def phase_changed(self, phase: Phase) -> None:
        """Say the venue's phase with everything from now on, and keep it beside every quote."""
        self._market = wire.phase_to(phase)
        for partition, newest in self._newest.items():
            self._changed.setdefault(partition, {})
            self._to_keep.update(newest)
        self._something.set()

    def reached(self, partition: int, sequence: int) -> None:
        """Note up to which position in TICKS the quotes of a partition speak."""
        self._reached[partition] = sequence

    def _put(self, quotes: Iterable[Quote], waiting: dict[int, dict[str, Quote]]) -> None:
        for quote in quotes:
            partition = self._partition_of(quote.symbol)
            if partition in self._owned:
                waiting.setdefault(partition, {})[quote.symbol] = quote
                self._newest[partition][quote.symbol] = self._to_keep[quote.symbol] = quote
                self._something.set()

    def _partition_of(self, symbol: str) -> int:
        partition = self._partitions.get(symbol)
        if partition is None:
            partition = self._partitions[symbol] = subjects.partition_of(symbol, subjects.TICK_PARTITIONS)
        return partition

    async def say_changes(self) -> None:
        """Say what changed, for ever."""
        while True:
            await self._something.wait()
            await asyncio.sleep(self._interval_seconds)
            self._something.clear()
            await self.flush()

    async def flush(self) -> None:
        """Say what changed now."""
        changed, self._changed = self._changed, {}
        turned, self._turned = self._turned, {}
        for partition in changed.keys() | turned.keys():
            await self._say(partition, changed.get(partition, {}).values(), turned.get(partition, {}).values())

    async def say_all_again(self) -> None:
        """Say everything again and again, for ever."""
        while True:
            for partition, newest in self._newest.items():
                await asyncio.sleep(ROUND_SECONDS / len(self._newest))
                if newest:
                    await self._say(partition, newest.values(), ())
            if not self._newest:
                await asyncio.sleep(ROUND_SECONDS)

    async def _say(self, partition: int, quotes: Collection[Quote], turned: Collection[Quote]) -> None:
        messages = [self._messages.of(quote) for quote in quotes]
        statuses = [wire.status_to(quote) for quote in turned]
        for first in range(0, max(len(messages), len(statuses), 1), MAX_QUOTES):
            batch = pb.QuoteBatch(
                quotes=messages[first : first + MAX_QUOTES],
                statuses=statuses[first : first + MAX_QUOTES],
                ticks_sequence=self._reached.get(partition, 0),
                market=self._market,
            )
            await self._bus.publish_live(subjects.quotes_live(partition), batch.SerializeToString())

    async def keep_last(self) -> None:
        """Keep the last quote of each symbol in the stream QUOTES, at most once a second a symbol, for ever."""
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            await self.flush_kept()

    async def flush_kept(self) -> None:
        """Keep what changed now.

        Without receipts: a quote that is lost is replaced by the next, and a receipt would cost more than the message.
        """
        to_keep, self._to_keep = self._to_keep, {}
        for number, quote in enumerate(to_keep.values()):
            batch = pb.QuoteBatch(
                quotes=(self._messages.of(quote),),
                statuses=() if quote.state is State.LIVE else (wire.status_to(quote),),
                ticks_sequence=self._reached.get(self._partition_of(quote.symbol), 0),
                market=self._market,
            )
            await self._bus.publish_live(subjects.quote_last(quote.symbol), batch.SerializeToString())
            if number % BURST == BURST - 1:
                await asyncio.sleep(0)
