"""Says quotes on the bus: what changed every few milliseconds, everything again within 5 s, the last of each to be kept."""

import asyncio
from collections.abc import Collection, Iterable

from gen.trading.v1 import price_pb2 as pb
from price_svc import wire
from price_svc.holdings import Holdings
from price_svc.market import Phase
from price_svc.quote import Quote, State
from runtime import subjects
from runtime.jetstream import Bus
from runtime.subjects import TICK_PARTITIONS

# Every quote is said again within 5 s, as core NATS may lose one: a partition at a time, so that no moment is loud.
ROUND_SECONDS = 4.0
KEEP_SECONDS = 1.0
# After so many rounds everything is also kept again.
ROUNDS_UNTIL_KEPT = 15
# At most this many in a message: 500 quotes are some 60 KB.
MAX_QUOTES = 500
# So many go out at once before others may run.
BURST = 50


class QuoteAnnouncer:
    """Tells other replicas, edges and order_svc of the partitions that this replica owns."""

    def __init__(self, bus: Bus, messages: wire.QuoteMessages, *, holdings: Holdings, interval_seconds: float) -> None:
        self._bus, self._messages = bus, messages
        self._holdings, self._interval_seconds = holdings, interval_seconds
        # Of the partitions that are ours: whatever else waits to be said is dropped when it is not ours any more.
        self._newest: dict[int, dict[str, Quote]] = {}
        self._changed: dict[int, dict[str, Quote]] = {}
        self._turned: dict[int, dict[str, Quote]] = {}
        self._to_keep: dict[str, Quote] = {}
        self._reached: dict[int, int] = {}
        self._market, self._market_since = wire.phase_to(Phase.UNKNOWN), wire.time_to(0)
        self._something = asyncio.Event()

    def changed(self, quotes: Collection[Quote], turned: Collection[Quote]) -> None:
        """Say quotes that have changed soon, and that the state of some turned; those of other owners are theirs to say."""
        self._put(quotes, self._changed)
        self._put(turned, self._turned)

    def take_over(self, partition: int, quotes: Iterable[Quote]) -> None:
        """Say the quotes of a partition from now on, and all of them now."""
        self._newest[partition] = {}
        self._put(quotes, self._changed)

    def leave(self, partition: int) -> int:
        """Say nothing of a partition any more. Return the position in TICKS up to which was spoken."""
        for of_partition in (self._newest, self._changed, self._turned):
            of_partition.pop(partition, None)
        return self._reached.pop(partition, 0)

    def position(self, partition: int) -> int:
        """Return the position in TICKS up to which the quotes of a partition speak; 0 when it is not known."""
        return self._reached.get(partition, 0)

    def phase_changed(self, phase: Phase, since_ns: int) -> None:
        """Say the venue's phase with everything from now on, and keep it beside every quote."""
        market, since = wire.phase_to(phase), wire.time_to(since_ns)
        if (market, since) == (self._market, self._market_since):
            return
        self._market, self._market_since = market, since
        for partition, newest in self._newest.items():
            self._changed.setdefault(partition, {})
            self._to_keep.update(newest)
        self._something.set()

    def reached(self, partition: int, sequence: int) -> None:
        """Note up to which position in TICKS the quotes of a partition speak."""
        self._reached[partition] = sequence

    def _put(self, quotes: Iterable[Quote], waiting: dict[int, dict[str, Quote]]) -> None:
        for quote in quotes:
            partition = self._holdings.partition_of(quote.symbol)
            newest = self._newest.get(partition)
            if newest is not None:
                waiting.setdefault(partition, {})[quote.symbol] = quote
                newest[quote.symbol] = self._to_keep[quote.symbol] = quote
                self._something.set()

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
            for number in range(ROUNDS_UNTIL_KEPT):
                for partition in range(TICK_PARTITIONS):
                    await asyncio.sleep(ROUND_SECONDS / TICK_PARTITIONS)
                    newest = self._newest.get(partition, {})
                    if number == 0:
                        # Nobody confirms what is kept, and one who was frozen may have kept an old one since.
                        self._to_keep.update(newest)
                    if newest:
                        await self._say(partition, newest.values(), ())

    async def _say(self, partition: int, quotes: Collection[Quote], turned: Collection[Quote]) -> None:
        if not self._holdings.have(partition):
            return
        messages = [self._messages.of(quote) for quote in quotes]
        statuses = [wire.status_to(quote) for quote in turned]
        for first in range(0, max(len(messages), len(statuses), 1), MAX_QUOTES):
            batch = pb.QuoteBatch(
                quotes=messages[first : first + MAX_QUOTES],
                statuses=statuses[first : first + MAX_QUOTES],
                ticks_sequence=self._reached.get(partition, 0),
                market=self._market,
                market_since=self._market_since,
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
        # As of now: what changes while this goes on is kept the next time.
        reached = dict(self._reached)
        for number, quote in enumerate(to_keep.values()):
            partition = self._holdings.partition_of(quote.symbol)
            if not self._holdings.have(partition):
                continue
            batch = pb.QuoteBatch(
                quotes=(self._messages.of(quote),),
                statuses=() if quote.state is State.LIVE else (wire.status_to(quote),),
                ticks_sequence=reached.get(partition, 0),
                market=self._market,
                market_since=self._market_since,
            )
            await self._bus.publish_live(subjects.quote_last(quote.symbol), batch.SerializeToString())
            if number % BURST == BURST - 1:
                await asyncio.sleep(0)
