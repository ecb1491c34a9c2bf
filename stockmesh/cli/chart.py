"""Charts of block characters: a filled line of prices with its axes, and a sparkline. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from rich.text import Text

from stockmesh.cli.screen import DIM, DOWN, UP, money
from stockmesh.models import Bar

BLOCKS = " ▁▂▃▄▅▆▇█"
EIGHTHS = 8
# More columns for a bar look like a staircase.
WIDEST_BAR = 6


def sparkline(values: Sequence[Decimal], *, width: int) -> Text:
    """Return the last values as one line of blocks, green when the last is not below the first."""
    shown = list(values)[-width:]
    if not shown:
        return Text()
    low, high = min(shown), max(shown)
    # A flat line runs in the middle; the full block stays unused, so that lines below one another do not touch.
    levels = [
        1 + round((value - low) * (EIGHTHS - 2) / (high - low)) if high > low else EIGHTHS // 2 for value in shown
    ]
    return Text("".join(BLOCKS[level] for level in levels), style=_colour(shown[0], shown[-1]))


def chart(bars: Sequence[Bar], *, width: int, height: int) -> list[Text]:
    """Return the closing prices as lines of a filled chart, with prices at the left and times below; nothing for no bars."""
    if not bars:
        return []
    low, high = min(bar.close for bar in bars), max(bar.close for bar in bars)
    middle = (height - 1) // 2
    labels_at = {middle: (high - (high - low) * middle / (height - 1)).quantize(low)}
    if high > low:
        labels_at |= {0: high, height - 1: low}
    margin = max(len(money(price)) for price in labels_at.values())
    columns = _columns([bar.close for bar in bars], width - margin - 2)
    levels = [_level(price, low, high, height) for price in columns]
    style = _colour(bars[0].open, bars[-1].close)
    lines = []
    for row in range(height):
        label = money(labels_at[row]) if row in labels_at else ""
        lines.append(
            Text.assemble(
                (f"{label:>{margin}} ┤" if label else f"{'':>{margin}} │", DIM), _row(levels, height - 1 - row, style)
            )
        )
    lines.append(Text(f"{'':>{margin}} └{'─' * len(columns)}", style=DIM))
    lines.append(Text(f"{'':>{margin + 2}}{_times(bars, len(columns))}", style=DIM))
    return lines


def _row(levels: Sequence[int], above: int, style: str) -> Text:
    """Return the blocks of one row that has so many rows below it: the line is bright, what it stands on is not."""
    found = Text()
    for level in levels:
        eighths = min(max(level - above * EIGHTHS, 0), EIGHTHS)
        is_line = 0 < level - above * EIGHTHS <= EIGHTHS
        found.append(BLOCKS[eighths], style=style if is_line else f"{style} dim")
    return found


def _columns(values: Sequence[Decimal], width: int) -> list[Decimal]:
    """Return a value for each column: several columns a value, or the last value of each column's share."""
    if len(values) <= width:
        times = min(max(width // len(values), 1), WIDEST_BAR)
        return [value for value in values for _ in range(times)]
    return [values[(column + 1) * len(values) // width - 1] for column in range(width)]


def _level(price: Decimal, low: Decimal, high: Decimal, height: int) -> int:
    """Return the height of a price in eighths of a row; the lowest still shows."""
    if high == low:
        return height * EIGHTHS // 2
    return 1 + round((price - low) * (height * EIGHTHS - 1) / (high - low))


def _colour(first: Decimal, last: Decimal) -> str:
    return UP if last >= first else DOWN


def _times(bars: Sequence[Bar], width: int) -> str:
    """Return first, middle and last time, spread over the width as far as they fit."""
    span = bars[-1].start_time - bars[0].start_time
    first, middle, last = (_time(bar.start_time, span) for bar in (bars[0], bars[len(bars) // 2], bars[-1]))
    if width < len(first) + len(last) + 2:
        return first
    gap = width - len(first) - len(last)
    if gap < len(middle) + 4:
        return f"{first}{'':{gap}}{last}"
    left = (gap - len(middle)) // 2
    return f"{first}{'':{left}}{middle}{'':{gap - len(middle) - left}}{last}"


def _time(time: datetime, span: timedelta) -> str:
    local = time.astimezone()
    if span < timedelta(days=2):
        return local.strftime("%H:%M")
    return local.strftime("%b %d" if span < timedelta(days=300) else "%b %Y")
