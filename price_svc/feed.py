"""What is heard of prices: the venue's ticks and phases, quotes of other owners, silence; and whom it concerns is told."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from price_svc.bar import Bar
from price_svc.board import Board
from price_svc.books import Books
from price_svc.holdings import Holdings
from price_svc.market import Phase, PhaseChange
from price_svc.quote import Quote, Tick
from price_svc.watch import Watches
from runtime.subjects import TICK_PARTITIONS

SWEEP_SECONDS = 1.0


class TickStore(Protocol):
    """Where ticks and bars are kept. The `keep_…` never wait and never fail: they may forget the oldest."""

    def keep_ticks(self, ticks: Iterable[Tick]) -> None:
        """Keep ticks, oldest first."""

    def keep_bars(self, final: Iterable[Bar]) -> None:
        """Keep bars that are final."""


class Announcer(Protocol):
    """Who tells everybody else. Never waits; a newer quote of a symbol replaces one that was not told yet."""

    def changed(self, quotes: Collection[Quote], turned: Collection[Quote]) -> None:
        """Tell quotes that have changed, and those whose state turned."""

    def phase_changed(self, phase: Phase, since_ns: int) -> None:
        """Tell that the venue is in another phase."""

    def take_over(self, partition: int, quotes: Iterable[Quote]) -> None:
        """Tell the quotes of a partition from now on, and all of them now."""


class Feed:
    """Everything that changes a price goes through here, one call after the other and without waiting."""

    def __init__(
        self,
        *,
        board: Board,
        books: Books,
        holdings: Holdings,
        watches: Watches,
        store: TickStore,
        announcer: Announcer,
        clock_ns: Callable[[], int],
    ) -> None:
        self._board, self._books, self._holdings, self._watches = board, books, holdings, watches
        self._store, self._announcer, self._clock_ns = store, announcer, clock_ns
        # Ticks that were newer than what was known, and that were not.
        self.taken_ticks = self.stale_ticks = 0
        # Ticks dropped because a number in them was absurd.
        self.implausible_ticks = 0

    def apply(self, ticks: Iterable[Tick], phases: Iterable[PhaseChange] = ()) -> None:
        """Take what the venue said. Ticks that are not newer are dropped, whatever order they come in."""
        now_ns = self._clock_ns()
        changed: dict[str, Quote] = {}
        turned: dict[str, Quote] = {}
        accepted: list[Tick] = []
        for tick in ticks:
            if not tick.is_plausible(now_ns):
                self.implausible_ticks += 1
                continue
            old = self._board.quote(tick.symbol)
            quote = self._board.apply(tick, now_ns)
            if quote is None:
                # Read again after a takeover: no news for the quote, but perhaps for the bars that were left to us.
                self._books.count(tick, venue_now_ns=tick.time_ns)
                self.stale_ticks += 1
                continue
            accepted.append(tick)
            changed[tick.symbol] = quote
            if old is None or old.state is not quote.state:
                turned[tick.symbol] = quote
            self._books.add_day(quote)
            self._books.count(tick, venue_now_ns=self._board.feed.venue_now_ns(now_ns))
        if changed:
            self.taken_ticks += len(accepted)
            self._store.keep_ticks(accepted)
            self._tell(changed.values(), turned.values())
        for change in phases:
            if change.symbol or self._is_newer(change):
                self._change_phase(change, now_ns)

    def hear(self, quotes: Iterable[Quote], phase: PhaseChange | None) -> None:
        """Take what the owner of another partition said of its quotes, and of the venue's phase (None: nothing)."""
        now_ns = self._clock_ns()
        # Every partition is told the phase: who owns one needs no hearsay, which may be older.
        if phase and phase.phase is not self._board.market.phase and not self._holdings.have_any():
            phase = replace(phase, time_ns=phase.time_ns or now_ns)
            if self._is_newer(phase):
                self._change_phase(phase, now_ns)
        changed, turned = [], []
        for told in quotes:
            old = self._board.quote(told.symbol)
            quote = self._board.hear(told, now_ns)
            if quote is None:
                continue
            changed.append(quote)
            if old is None or old.state is not quote.state:
                turned.append(quote)
            if old is None or old.is_older_than(quote.epoch, quote.seq):
                self._books.add_day(quote)
                self._books.count_told(old, quote, venue_now_ns=self._board.feed.venue_now_ns(now_ns))
        self._watches.tell(changed, turned)

    def restore(self, quotes: Sequence[Quote], phase: PhaseChange | None) -> None:
        """Take the quotes and the venue's phase that were kept from an earlier life."""
        now_ns = self._clock_ns()
        if phase:
            self._change_phase(phase, now_ns)
        for quote in quotes:
            self._board.restore(quote, now_ns)
            self._books.count_restored(quote)
            self._books.add_day(quote)

    def versions(self, partition: int) -> dict[str, tuple[int, int]]:
        """Return the version of each quote of a partition."""
        return {quote.symbol: (quote.epoch, quote.seq) for quote in self._quotes_of(partition)}

    def take_over(self, partition: int) -> None:
        """Speak for a partition that has become ours: its days are kept from now on, and everybody hears where we begin."""
        quotes = self._quotes_of(partition)
        for quote in quotes:
            self._books.add_day(quote)
        market = self._board.market
        self._announcer.phase_changed(market.phase, market.since_ns)
        self._announcer.take_over(partition, quotes)

    def _quotes_of(self, partition: int) -> list[Quote]:
        partition_of = self._holdings.partition_of
        return [quote for quote in self._board.quotes() if partition_of(quote.symbol) == partition]

    async def run(self, *, hand_over_seconds: float) -> None:
        """Judge every second who is silent, and hand bars over to the store now and then, for ever."""
        loop = asyncio.get_running_loop()
        due = loop.time() + hand_over_seconds
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.sweep()
            if loop.time() >= due:
                due = loop.time() + hand_over_seconds
                self.hand_over_bars()

    def sweep(self) -> None:
        """Judge how far each quote can be trusted now."""
        turned = self._board.sweep(self._clock_ns())
        if turned:
            self._tell(turned, turned)

    def hand_over_bars(self) -> None:
        """Give final bars to the store, for good; those of other owners are theirs to keep."""
        venue_now_ns = self._board.feed.venue_now_ns(self._clock_ns())
        for partition in range(TICK_PARTITIONS):
            final = self._books.take_final(partition, venue_now_ns)
            if self._holdings.have(partition):
                self._store.keep_bars(final)

    def _is_newer(self, change: PhaseChange) -> bool:
        """Tell whether a phase of the venue is not overtaken: after a takeover old ones are read again."""
        market = self._board.market
        return market.phase is Phase.UNKNOWN or change.time_ns >= market.since_ns

    def _change_phase(self, change: PhaseChange, now_ns: int) -> None:
        before = self._board.market.phase
        turned = self._board.change(change, now_ns)
        market = self._board.market
        if market.phase is not before:
            self._announcer.phase_changed(market.phase, market.since_ns)
        if turned:
            self._tell(turned, turned)

    def _tell(self, changed: Collection[Quote], turned: Collection[Quote]) -> None:
        self._announcer.changed(changed, turned)
        self._watches.tell(changed, turned)
