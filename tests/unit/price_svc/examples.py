"""Ticks, quotes and a feed that the tests of price_svc talk about, valid by default; override what matters."""

from collections.abc import Collection, Iterable
from typing import Any

from price_svc.bar import Bar
from price_svc.board import Board
from price_svc.books import Books
from price_svc.feed import Feed
from price_svc.history import Past, Span
from price_svc.holdings import Holdings
from price_svc.instrument import Instrument
from price_svc.market import Phase, PhaseChange
from price_svc.quote import SECOND_NS, Quote, Tick
from price_svc.service import Prices
from price_svc.watch import Watches
from runtime.errors import Unavailable
from runtime.money import MICROS
from runtime.subjects import TICK_PARTITIONS

# 2026-03-02 12:00:00 UTC, a Monday.
NOON_NS = 1_772_452_800 * SECOND_NS


def at(seconds: float) -> int:
    """Return a time some seconds after noon."""
    return NOON_NS + round(seconds * SECOND_NS)


def a_tick(**changes: Any) -> Tick:
    """A trade of 100 AAPL at 190.00, one second after noon."""
    fields: dict[str, Any] = {
        "symbol": "AAPL",
        "price_micros": 190 * MICROS,
        "size": 100,
        "bid_micros": 0,
        "ask_micros": 0,
        "epoch": 1,
        "seq": 1,
        "time_ns": at(1),
    }
    return Tick(**{**fields, **changes})


def a_phase(phase: Phase, **changes: Any) -> PhaseChange:
    """A phase of the whole venue, two seconds after noon."""
    fields: dict[str, Any] = {"symbol": "", "phase": phase, "reason": "", "time_ns": at(2), "epoch": 1}
    return PhaseChange(**{**fields, **changes})


def an_instrument(symbol: str = "AAPL", name: str = "Apple Inc.", **changes: Any) -> Instrument:
    """An instrument in steps of a cent and a share."""
    fields: dict[str, Any] = {
        "symbol": symbol,
        "name": name,
        "exchange": "XNAS",
        "currency": "USD",
        "tick_size_micros": 10_000,
        "lot_size": 1,
        "max_quantity": 100_000,
        "tradable": True,
    }
    return Instrument(**{**fields, **changes})


def a_bar(**changes: Any) -> Bar:
    """The minute of AAPL that begins at noon."""
    fields: dict[str, Any] = {
        "symbol": "AAPL",
        "interval": 60,
        "start_ns": NOON_NS,
        "open_micros": 10,
        "high_micros": 40,
        "low_micros": 5,
        "close_micros": 20,
        "volume": 7,
    }
    return Bar(**{**fields, **changes})


class Clock:
    """A clock that stands until it is set; it begins two seconds after noon."""

    def __init__(self) -> None:
        self.now_ns = at(2)

    def __call__(self) -> int:
        return self.now_ns


class FakeHistory:
    """Keeps everything in lists; away while `is_away`."""

    def __init__(self) -> None:
        self.ticks: list[Tick] = []
        self.final: list[Bar] = []
        self.listed: list[Instrument] = []
        self.is_away = False
        self.sources: frozenset[str] = frozenset()

    def keep_ticks(self, ticks: Iterable[Tick]) -> None:
        self.ticks += ticks

    def keep_bars(self, final: Iterable[Bar]) -> None:
        self.final += final

    def keep_instruments(self, instruments: Iterable[Instrument]) -> None:
        self.listed += instruments

    async def bars(self, symbol: str, span: Span) -> Past:
        self._answer()
        wanted = [
            bar for bar in self.final if (bar.symbol, bar.interval) == (symbol, span.interval) and span.holds(bar)
        ]
        return Past(sorted(wanted, key=lambda bar: bar.start_ns), self.sources)

    async def instruments(self) -> list[Instrument]:
        self._answer()
        return self.listed

    def _answer(self) -> None:
        if self.is_away:
            raise Unavailable("away")


class RecordingAnnouncer:
    """Remembers what was said."""

    def __init__(self) -> None:
        self.said: list[Quote] = []
        self.turned: list[Quote] = []
        self.phases: list[Phase] = []

    def changed(self, quotes: Collection[Quote], turned: Collection[Quote]) -> None:
        self.said += quotes
        self.turned += turned

    def phase_changed(self, phase: Phase, since_ns: int) -> None:
        if phase is not Phase.UNKNOWN:
            self.phases.append(phase)

    def take_over(self, partition: int, quotes: Iterable[Quote]) -> None:
        self.said += quotes


class Right:
    """A lease that is ours until it is set otherwise."""

    def __init__(self) -> None:
        self.held = True


class World:
    """A feed and prices over one board, with fakes around them."""

    def __init__(self, *, max_streams: int = 10, listed: bool = True, owner: bool = True) -> None:
        self.clock, self.history, self.announcer = Clock(), FakeHistory(), RecordingAnnouncer()
        self.right, self.holdings = Right(), Holdings()
        for partition in range(TICK_PARTITIONS) if owner else ():
            self.holdings.take(partition, self.right)
        self.board, self.watches = Board(), Watches(limit=max_streams)
        self.books = Books(self.holdings.partition_of)
        self.feed = Feed(
            board=self.board,
            books=self.books,
            holdings=self.holdings,
            watches=self.watches,
            store=self.history,
            announcer=self.announcer,
            clock_ns=self.clock,
        )
        self.prices = Prices(
            board=self.board,
            book=self.books,
            watches=self.watches,
            history=self.history,
            clock_ns=self.clock,
            history_seconds=1.0,
        )
        if listed:
            apple, microsoft, ford = an_instrument(), an_instrument("MSFT", "Microsoft"), an_instrument("F", "Ford")
            self.prices.list_instruments([(0, (apple, microsoft, ford))])

    def quote(self, symbol: str = "AAPL") -> Quote:
        quote = self.board.quote(symbol)
        assert quote is not None
        return quote
