"""The bars of every partition, apart from one another, and up to which tick of each symbol they are counted. Pure.

Those of our own partitions are made of ticks and handed on to who owns them next; those of others are made of the quotes that
their owners say, good enough to be shown until the owner has written the bar down.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from price_svc.bar import Bar, BarBook
from price_svc.quote import SECOND_NS, Quote, Tick
from runtime import subjects

# The owner has written a bar down by then.
WRITTEN_NS = 120 * SECOND_NS
NEVER = (0, 0)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What an owner leaves to the next: bars not yet final, the version of the last tick in them of each symbol, and the place in
    the stream TICKS up to which that is so (0: before the first; None: unknown, as older releases left it)."""

    bars: Collection[Bar]
    versions: Mapping[str, tuple[int, int]]
    position: int | None


class Books:
    """A book for each partition. A tick is counted once, however often it is read."""

    def __init__(self, partition_of: Callable[[str], int], new_book: Callable[[], BarBook] = BarBook) -> None:
        self._partition_of, self._new_book = partition_of, new_book
        self._books = [new_book() for _ in range(subjects.TICK_PARTITIONS)]
        # The versions of the ticks counted last.
        self._counted: list[dict[str, tuple[int, int]]] = [{} for _ in self._books]
        # The venue's latest time that was counted, where bars are made of quotes; 0 where they are ours.
        self._told_ns = [0 for _ in self._books]
        # Final bars that may not be written down yet: those since the last time they were left, and since the time before.
        self._final: list[tuple[list[Bar], list[Bar]]] = [([], []) for _ in self._books]

    def count(self, tick: Tick, *, venue_now_ns: int) -> None:
        """Count a tick of our own partitions in its bars unless it is counted."""
        partition = self._partition_of(tick.symbol)
        counted = self._counted[partition]
        version = tick.epoch, tick.seq
        if version <= counted.get(tick.symbol, NEVER):
            return
        counted[tick.symbol] = version
        if tick.is_trade:
            self._books[partition].add(
                tick.symbol,
                price=tick.price_micros,
                size=tick.size,
                time_ns=tick.time_ns,
                venue_now_ns=venue_now_ns,
            )

    def count_told(self, before: Quote | None, told: Quote, *, venue_now_ns: int) -> None:
        """Count what another owner's newer quote tells of trades since the one before."""
        partition = self._partition_of(told.symbol)
        self._counted[partition][told.symbol] = told.epoch, told.seq
        if before is None or not told.price_micros:
            return
        shares = told.volume - (before.volume if before.day == told.day else 0)
        if shares > 0:
            self._told_ns[partition] = max(told.time_ns, self._told_ns[partition])
            self._books[partition].add(
                told.symbol, price=told.price_micros, size=shares, time_ns=told.time_ns, venue_now_ns=venue_now_ns
            )

    def count_restored(self, quote: Quote) -> None:
        """Note that the trades behind a quote of an earlier life are not ours to count."""
        self._counted[self._partition_of(quote.symbol)][quote.symbol] = quote.epoch, quote.seq

    def add_day(self, quote: Quote) -> None:
        """Take the day so far as the quote tells it."""
        self._books[self._partition_of(quote.symbol)].add_day(quote)

    def begin(self, partition: int, left: Unfinished | None) -> None:
        """Count from now on in what the owner of a partition left; None: in what was made of its quotes."""
        self._told_ns[partition] = 0
        if left is not None:
            self._books[partition] = book = self._new_book()
            book.restore(left.bars)
            self._counted[partition] = dict(left.versions)

    def leave(self, partition: int, position: int) -> Unfinished:
        """Return what the next owner needs, as of now."""
        newer, older = self._final[partition]
        self._final[partition] = [], newer
        bars = [*older, *newer, *self._books[partition].unsaved()]
        return Unfinished(bars, dict(self._counted[partition]), position)

    def take_final(self, partition: int, venue_now_ns: int) -> list[Bar]:
        """Return the bars of a partition that became final since this was called last."""
        final = self._books[partition].take_final(venue_now_ns)
        if not self._told_ns[partition]:
            self._final[partition][0].extend(final)
        return final

    def open_bars(self, symbol: str, interval: int) -> list[Bar]:
        """Return what is in memory of a symbol's bars, oldest first."""
        partition = self._partition_of(symbol)
        written_ns = self._told_ns[partition] - WRITTEN_NS
        bars = self._books[partition].open_bars(symbol, interval)
        return [bar for bar in bars if bar.end_ns > written_ns]
