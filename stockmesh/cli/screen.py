"""How things look: numbers, colours, tables. Colours mean the same everywhere: up, down, trusted, doubtful, stopped."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stockmesh.models import Order, OrderState, PriceState
from stockmesh.models.wire import Model, canonical

# Stands where there is no value.
NONE = "-"
UP, DOWN, FLAT, DIM = "green", "red", "default", "dim"
# Piped output is not cut to the width of a screen that is not there.
PIPED_WIDTH = 200

STATES = {
    PriceState.LIVE: ("●", "green"),
    PriceState.STALE: ("●", "yellow"),
    PriceState.HALTED: ("■", "red"),
}
ORDER_STATES = {
    OrderState.PENDING: ("○", "cyan"),
    OrderState.SUBMITTED: ("◔", "cyan"),
    OrderState.PLACED: ("◑", "blue"),
    OrderState.PARTIALLY_FILLED: ("◕", "green"),
    OrderState.FILLED: ("●", "bold green"),
    OrderState.CANCELED: ("✕", "yellow"),
    OrderState.REJECTED: ("✕", "bold red"),
    OrderState.EXPIRED: ("✕", "yellow"),
}


def output() -> Console:
    """Return the console of the standard output as it is now."""
    return _console(stderr=False)


def errors() -> Console:
    """Return the console of the standard error output as it is now."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    width = None if is_terminal or "COLUMNS" in os.environ else PIPED_WIDTH
    return Console(stderr=stderr, highlight=False, width=width)


def say(console: Console, what: str | Text) -> None:
    """Print a line: broken between words on a terminal, whole elsewhere, so that programs find it."""
    console.print(what, soft_wrap=not console.is_terminal)


def say_json(record: Model | dict[str, object]) -> None:
    """Print a record as one line of the API's JSON."""
    told = canonical(record) if isinstance(record, Model) else record
    sys.stdout.write(json.dumps(told, ensure_ascii=False, separators=(",", ":")) + "\n")
    sys.stdout.flush()


Cell = str | Text


def table(console: Console, columns: str, rows: Iterable[Sequence[Cell]], *, spare: Sequence[str] = ()) -> Table:
    """Return a table; `columns` are headings between bars, a `>` behind one puts its column to the right.

    Where the console is too narrow, the `spare` columns go, one after the other.
    """
    kept, headings = list(rows), columns.split("|")
    shown = list(range(len(headings)))
    for gone in (None, *spare):
        shown = [place for place in shown if headings[place].rstrip(">") != gone]
        drawn = _table(headings, kept, shown)
        if console.measure(drawn, options=console.options.update(max_width=1000)).maximum <= console.width:
            break
    return drawn


def _table(headings: Sequence[str], rows: Sequence[Sequence[Cell]], shown: Sequence[int]) -> Table:
    drawn = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style=DIM)
    for place in shown:
        heading = headings[place]
        drawn.add_column(heading.rstrip(">"), justify="right" if heading.endswith(">") else "left", no_wrap=True)
    for row in rows:
        drawn.add_row(*(row[place] for place in shown))
    return drawn


def money(price: Decimal | None) -> str:
    """Return a price with separators and at least two decimals; a hyphen for none."""
    if price is None:
        return NONE
    decimals = max(2, -int(price.normalize().as_tuple().exponent))
    return f"{price:,.{decimals}f}"


def signed(amount: Decimal | None, suffix: str = "") -> Text:
    """Return a change with its sign, green up and red down."""
    if amount is None:
        return Text(NONE, style=DIM)
    shown = round(amount, 2)
    return Text(f"{shown:+,.2f}{suffix}" if shown else f"0.00{suffix}", style=colour(shown))


def colour(change: Decimal | None) -> str:
    """Return the colour of a change."""
    if not change:
        return FLAT
    return UP if change > 0 else DOWN


def age(seconds: float | None) -> str:
    """Return an age in the largest unit that tells it: 0.2 s, 12 s, 3 min, 5 h, 2 d."""
    if seconds is None:
        return NONE
    for limit, size, unit in ((10, 1, "s"), (120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds:.1f} {unit}" if limit == 10 else f"{seconds / size:.0f} {unit}"  # noqa: PLR2004
    return f"{seconds / 86_400:.0f} d"


def state(of: PriceState) -> Text:
    """Return the state of a price with its sign and colour."""
    sign, style = STATES.get(of, ("?", DIM))
    return Text(f"{sign} {of}", style=style)


def order_state(order: Order) -> Text:
    """Return the state of an order, with what is pending and whether it is certain."""
    sign, style = ORDER_STATES.get(order.state, ("?", DIM))
    text = Text(f"{sign} {order.state}", style=style)
    if order.pending_action in {"CANCEL", "REPLACE"}:
        text.append(f" → {order.pending_action.lower()}", style="yellow")
    if order.certainty == "UNCERTAIN":
        text.append(" uncertain", style="bold yellow")
    return text


def clock(time: datetime | str | None) -> str:
    """Return a time (RFC 3339 when it is text) in this machine's time zone: of today without the day."""
    if not time:
        return NONE
    local = (time if isinstance(time, datetime) else datetime.fromisoformat(time)).astimezone()
    is_today = local.date() == datetime.now().astimezone().date()
    return local.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M:%S")


def words(*parts: str | Text | tuple[str, str]) -> Text:
    """Return a line of parts, two spaces between them; empty ones are left out."""
    line = Text()
    for part in parts:
        if part and (not isinstance(part, tuple) or part[0]):
            line.append("  " if line else "")
            line.append(*part) if isinstance(part, tuple) else line.append(part)
    return line


def comma(texts: Iterable[str]) -> str:
    """Return texts as a list for a sentence."""
    return ", ".join(texts)
