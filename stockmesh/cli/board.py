"""The board of `watch`: what is known of each symbol, drawn as a table. Pure, but for the clock that ages are told by."""

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from stockmesh.cli import screen
from stockmesh.cli.chart import sparkline
from stockmesh.models import PriceState, PriceStatus, Quote

TREND_WIDTH = 16
COLUMNS = "Symbol|Price>|Change>|%>|Trend|Bid>|Ask>|Volume>|Age>|State"
SPARE = ("Volume", "Ask", "Bid", "Change", "Age", "Trend")
# A change stays lit so long.
FLASH_SECONDS = 0.5


@dataclass(slots=True)
class Line:
    """One symbol: its newest quote and state, its last prices, and which way and when it last moved."""

    quote: Quote | None = None
    state: PriceState = PriceState.UNRECOGNIZED
    reason: str = ""
    trend: deque[Decimal] = field(default_factory=lambda: deque(maxlen=TREND_WIDTH))
    direction: int = 0
    moved_at: float = 0.0


class Board:
    """The symbols watched, in the order asked for."""

    def __init__(self, symbols: Iterable[str], *, title: str) -> None:
        self.lines = {symbol: Line() for symbol in symbols}
        self.title, self.note = title, ""
        self.updates = 0

    def take(self, item: Quote | PriceStatus) -> None:
        """Note what the server said."""
        line = self.lines[item.symbol]
        if isinstance(item, PriceStatus):
            line.state, line.reason = item.state, item.reason
            return
        self.updates += 1
        before = line.quote.price if line.quote else None
        if item.price is not None and item.price != before:
            line.trend.append(item.price)
            if before is not None:
                line.direction, line.moved_at = (1 if item.price > before else -1), time.monotonic()
        line.quote, line.state, line.reason = item, item.state, ""

    def refuse(self, symbol: str, why: str) -> None:
        """Note that a symbol is not watched."""
        self.lines[symbol].reason = why

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        now = time.monotonic()
        rows = [_cells(symbol, line, now) for symbol, line in self.lines.items()]
        yield Text(self.title, style="bold")
        yield Text()
        yield screen.table(console, COLUMNS, rows, spare=SPARE)
        yield Text()
        for symbol, line in self.lines.items():
            if line.reason:
                yield Text.assemble((symbol, "bold"), f" {line.reason}", style="yellow")
        yield Text(self.note, style=screen.DIM)


def _cells(symbol: str, line: Line, now: float) -> list[screen.Cell]:
    name, quote = Text(symbol, style="bold"), line.quote
    if quote is None:
        return [name, *([Text(screen.NONE, style=screen.DIM)] * COLUMNS.count("|"))]
    trend = sparkline(list(line.trend), width=TREND_WIDTH)
    trend.pad_right(TREND_WIDTH - trend.cell_len)
    return [
        name,
        _price(line, quote, now),
        screen.signed(quote.change),
        screen.signed(quote.change_percent, "%"),
        trend,
        screen.money(quote.bid),
        screen.money(quote.ask),
        f"{quote.volume:,}",
        screen.age(quote.age()),
        screen.state(line.state),
    ]


def _price(line: Line, quote: Quote, now: float) -> Text:
    style = screen.colour(quote.change)
    if line.state is not PriceState.LIVE:
        style = screen.DIM
    elif line.direction and now - line.moved_at < FLASH_SECONDS:
        style = f"bold black on {screen.UP if line.direction > 0 else screen.DOWN}"
    arrow = {1: "▲", -1: "▼"}.get(line.direction, " ")
    return Text.assemble(
        (arrow, screen.UP if line.direction > 0 else screen.DOWN), " ", (screen.money(quote.price), style)
    )
