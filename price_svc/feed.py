"""What is heard of prices: the venue's ticks and phases, quotes of other replicas, silence; and whom it concerns is told."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol

from price_svc.bar import DAY, Bar, BarBook
from price_svc.board import Board
from price_svc.market import Phase, PhaseChange
from price_svc.quote import Quote, Tick
from price_svc.watch import Watches
from runtime import logs
from runtime.errors import Unavailable

SWEEP_SECONDS = 1.0
# Waiting for what an earlier life wrote: less than this is lost of the bars that were open then, if it does not come.
RESTORE_SECONDS = 3.0

logger = logs.get_logger("price_svc.feed")


class TickStore(Protocol):
    """Where ticks and bars are kept. The `keep_…` never wait and never fail: they may forget the oldest."""

    def keep_ticks(self, ticks: Iterable[Tick]) -> None:
        """Keep ticks, oldest first."""

    def keep_bars(self, final: Iterable[Bar], unfinished: Collection[Bar]) -> None:
        """Keep bars that are final, and instead of those before the ones that are not."""

    async def unfinished_bars(self) -> list[Bar]:
        """Return the unfinished bars that were kept last. Raises Unavailable."""
        ...


class Announcer(Protocol):
    """Who tells everybody else. Never waits; a newer quote of a symbol replaces one that was not told yet."""

    def changed(self, quotes: Collection[Quote], turned: Collection[Quote]) -> None:
        """Tell quotes that have changed, and those whose state turned."""

    def phase_changed(self, phase: Phase) -> None:
        """Tell that the venue is in another phase."""


class Feed:
    """Everything that changes a price goes through here, one call after the other and without waiting."""

    def __init__(
        self,
        *,
        board: Board,
        book: BarBook,
        watches: Watches,
        store: TickStore,
        announcer: Announcer,
        clock_ns: Callable[[], int],
    ) -> None:
        self._board, self._book, self._watches = board, book, watches
        self._store, self._announcer, self._clock_ns = store, announcer, clock_ns
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
                continue
            accepted.append(tick)
            changed[tick.symbol] = quote
            if old is None or old.state is not quote.state:
                turned[tick.symbol] = quote
            self._count(tick, quote, now_ns)
        if changed:
            self._store.keep_ticks(accepted)
            self._tell(changed.values(), turned.values())
        for change in phases:
            self._change_phase(change, now_ns)

    def hear(self, quotes: Iterable[Quote], phase: Phase) -> None:
        """Take what the owner of other partitions said of its quotes, and of the venue's phase (UNKNOWN: nothing)."""
        now_ns = self._clock_ns()
        if phase not in (Phase.UNKNOWN, self._board.market.phase):
            self._watches.tell((), self._board.change(PhaseChange("", phase, "", now_ns, 0), now_ns))
        changed, turned = [], []
        for told in quotes:
            old = self._board.quote(told.symbol)
            quote = self._board.hear(told, now_ns)
            if quote is None:
                continue
            changed.append(quote)
            if old is None or old.state is not quote.state:
                turned.append(quote)
        self._watches.tell(changed, turned)

    async def restore(self, quotes: Sequence[Quote], phase: Phase) -> None:
        """Take the quotes and the venue's phase that were kept from an earlier life, and the first parts of bars then open."""
        now_ns = self._clock_ns()
        if phase is not Phase.UNKNOWN:
            self._change_phase(PhaseChange("", phase, "", 0, 0), now_ns)
        for quote in quotes:
            self._board.restore(quote, now_ns)
        restored = [now for kept in quotes if (now := self._board.quote(kept.symbol))]
        self._announcer.changed(restored, ())
        try:
            async with asyncio.timeout(RESTORE_SECONDS):
                self._book.restore(await self._store.unfinished_bars())
        except (TimeoutError, Unavailable) as error:
            # History never holds up a live price.
            logger.warning("bars begin anew", error=repr(error))
        for quote in restored:
            self._book.add_day(quote)

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
        """Give the bars to the store, final ones for good."""
        final = self._book.take_final(self._board.feed.venue_now_ns(self._clock_ns()))
        # The day's bar is kept with the quote.
        self._store.keep_bars(final, [bar for bar in self._book.unsaved() if bar.interval != DAY])

    def _count(self, tick: Tick, quote: Quote, now_ns: int) -> None:
        self._book.add_day(quote)
        if tick.is_trade:
            self._book.add(
                tick.symbol,
                price=tick.price_micros,
                size=tick.size,
                time_ns=tick.time_ns,
                venue_now_ns=self._board.feed.venue_now_ns(now_ns),
            )

    def _change_phase(self, change: PhaseChange, now_ns: int) -> None:
        before = self._board.market.phase
        turned = self._board.change(change, now_ns)
        if self._board.market.phase is not before:
            self._announcer.phase_changed(self._board.market.phase)
        if turned:
            self._tell(turned, turned)

    def _tell(self, changed: Collection[Quote], turned: Collection[Quote]) -> None:
        self._announcer.changed(changed, turned)
        self._watches.tell(changed, turned)
