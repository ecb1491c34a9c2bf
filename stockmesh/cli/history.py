"""`history`: past prices of a symbol, as a chart with the last bars below it."""

from datetime import datetime
from typing import Annotated

import typer
from rich.text import Text

from stockmesh.cli import screen
from stockmesh.cli.chart import chart
from stockmesh.cli.options import AsJson, Token, Url
from stockmesh.cli.running import converse
from stockmesh.models import Bar, StockPrice

CHART_HEIGHT, WIDEST_CHART = 12, 120
RANGES = ("1d", "1w", "1m", "3m", "1y")
INTERVALS = ("1min", "5min", "1h", "1d")
BARS = "Start|Open>|High>|Low>|Close>|Volume>|"


def history(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="A symbol, for example AAPL.")],
    *,
    timerange: Annotated[
        str | None,
        typer.Option(
            "--range", metavar="RANGE", help="1d (a day, the default), 1w, 1m (a month), 3m or 1y, until now."
        ),
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="TIME", help="First time instead of a range, as 2026-09-01 or 2026-09-01T09:30."
        ),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Time after the last bar. Default: now.")
    ] = None,
    interval: Annotated[
        str | None,
        typer.Option("--interval", metavar="LENGTH", help="Bars of 1min, 5min, 1h or 1d. Default: what fits."),
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=0, help="Bars in the table, the last ones; 0 for none.")] = 10,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show past prices of a symbol: a chart, and the last bars.

    Times without a zone are this machine's.
    """
    first, after = _time(begin, "--from"), _time(end, "--to")
    timerange = _range(timerange, explicit=bool(first or after))
    if interval and interval not in INTERVALS:
        raise typer.BadParameter(
            f"{interval!r} is no length of a bar: choose from {screen.comma(INTERVALS)}", param_hint="--interval"
        )
    past = converse(
        lambda client: client.history(
            symbol.upper(), timerange, interval=interval or "", from_time=first, to_time=after
        ),
        url=url,
        token=token,
    )
    if as_json:
        for bar in past.bars:
            screen.say_json(bar)
        return
    when = f"in {timerange}" if timerange else ""
    if past.bars:
        _show(past, when, rows)
    else:
        screen.say(screen.output(), f"{past.quote.symbol} has no bars {when or 'between these times'} yet.")


def _range(given: str | None, *, explicit: bool) -> str:
    if given is None:
        return "" if explicit else RANGES[0]
    if given not in RANGES:
        raise typer.BadParameter(f"{given!r} is no range: choose from {screen.comma(RANGES)}", param_hint="--range")
    if explicit:
        raise typer.BadParameter("a range goes until now: give it, or --from and --to", param_hint="--range")
    return given


def _time(given: str | None, option: str) -> datetime | None:
    try:
        return datetime.fromisoformat(given).astimezone() if given else None
    except ValueError:
        raise typer.BadParameter(
            f"{given!r} is no time: write it as 2026-09-01, 2026-09-01T09:30 or 2026-09-01T09:30:00Z", param_hint=option
        ) from None


def _show(past: StockPrice, when: str, rows: int) -> None:
    console = screen.output()
    lines = chart(past.bars, width=min(console.width, WIDEST_CHART), height=CHART_HEIGHT)
    for line in _summary(past, when):
        screen.say(console, line)
    console.print(Text(), *lines, sep="\n", no_wrap=True, crop=False)
    if rows:
        console.print()
        bars = (_bar(bar, is_day=past.interval == "1d") for bar in past.bars[-rows:])
        console.print(screen.table(console, BARS, bars, spare=("Volume", "Open", "High", "Low")))


def _summary(past: StockPrice, when: str) -> list[Text]:
    first, last = past.bars[0].open, past.bars[-1].close
    high, low = max(bar.high for bar in past.bars), min(bar.low for bar in past.bars)
    change = last - first
    count = f"{len(past.bars):,} bar{'s' if len(past.bars) > 1 else ''}"
    bars = f"{count} of {past.interval}" if past.interval else count
    told = screen.words(
        *(f"low {screen.money(low)}", f"high {screen.money(high)}"),
        f"volume {sum(bar.volume for bar in past.bars):,}",
        bars,
        f"partly {screen.comma(past.sources)}" if past.sources else "",
    )
    told.stylize(screen.DIM)
    return [
        screen.words(
            (past.quote.symbol, "bold"),
            (screen.money(last), f"bold {screen.colour(change)}".replace(" default", "")),
            screen.signed(change),
            screen.signed(change / first * 100 if first else None, "%"),
            (when, screen.DIM),
        ),
        told,
    ]


def _bar(bar: Bar, *, is_day: bool) -> list[screen.Cell]:
    close = Text(screen.money(bar.close), style=screen.colour(bar.close - bar.open))
    prices = (screen.money(each) for each in (bar.open, bar.high, bar.low))
    return [
        f"{bar.start_time.astimezone():%Y-%m-%d}" if is_day else screen.clock(bar.start_time),
        *prices,
        close,
        f"{bar.volume:,}",
        Text("" if bar.final else "open", style=screen.DIM),
    ]
