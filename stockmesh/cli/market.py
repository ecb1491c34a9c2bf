"""`price`, `history`, `search`, `market`: what is asked once."""

from typing import Annotated

import typer
from rich.text import Text

from stockmesh.cli import screen
from stockmesh.cli.chart import chart
from stockmesh.cli.options import AsJson, Token, Url
from stockmesh.cli.running import converse
from stockmesh.models import Bar, Instrument, MarketState, Quote, StockPrice

CHART_HEIGHT, WIDEST_CHART = 10, 100
RANGES = ("1d", "1w", "1m", "3m", "1y")
MARKET = {MarketState.OPEN: ("●", "green"), MarketState.CLOSED: ("○", "yellow"), MarketState.HALTED: ("■", "red")}
PRICES = "Symbol|Price>|Change>|%>|Bid>|Ask>|Low>|High>|Volume>|Age>|State"
BARS = "Start|Open>|High>|Low>|Close>|Volume>|"
INSTRUMENTS = "Symbol|Name|Exchange|Currency|Tick>|Lot>|"

Symbols = Annotated[list[str], typer.Argument(metavar="SYMBOL...", help="Symbols, for example AAPL MSFT.")]


def upper(symbols: list[str]) -> list[str]:
    """Return symbols as the venue spells them, each once."""
    return list(dict.fromkeys(symbol.upper() for symbol in symbols))


def price(symbols: Symbols, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """Show the latest prices of symbols."""
    quotes = converse(lambda client: client.prices(upper(symbols)), url=url, token=token)
    if as_json:
        for quote in quotes:
            screen.say_json(quote)
        return
    console = screen.output()
    console.print(
        screen.table(console, PRICES, map(_price, quotes), spare=("Low", "High", "Ask", "Bid", "Volume", "Change"))
    )


def _price(quote: Quote) -> list[screen.Cell]:
    return [
        Text(quote.symbol, style="bold"),
        Text(screen.money(quote.price), style=screen.colour(quote.change)),
        screen.signed(quote.change),
        screen.signed(quote.change_percent, "%"),
        *(screen.money(each) for each in (quote.bid, quote.ask, quote.low, quote.high)),
        f"{quote.volume:,}",
        screen.age(quote.age()),
        screen.state(quote.state),
    ]


def history(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="A symbol, for example AAPL.")],
    *,
    timerange: Annotated[
        str, typer.Option("--range", metavar="RANGE", help="1d (a day), 1w, 1m (a month), 3m or 1y.")
    ] = "1d",
    rows: Annotated[int, typer.Option("--rows", min=0, help="Bars in the table, the last ones; 0 for none.")] = 10,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show past prices of a symbol: a chart, and the last bars."""
    if timerange not in RANGES:
        raise typer.BadParameter(f"{timerange!r} is no range: choose from {screen.comma(RANGES)}")
    past = converse(lambda client: client.history(symbol.upper(), timerange), url=url, token=token)
    if as_json:
        for bar in past.bars:
            screen.say_json(bar)
        return
    console = screen.output()
    if not past.bars:
        console.print(f"{past.quote.symbol} has no bars for {timerange} yet.")
        return
    lines = chart(past.bars, width=min(console.width, WIDEST_CHART), height=CHART_HEIGHT)
    console.print(_summary(past, timerange), Text(), *lines, sep="\n", no_wrap=True, crop=False)
    if rows:
        console.print()
        console.print(screen.table(console, BARS, map(_bar, past.bars[-rows:])))


def _summary(past: StockPrice, timerange: str) -> Text:
    first, last = past.bars[0].open, past.bars[-1].close
    high, low = max(bar.high for bar in past.bars), min(bar.low for bar in past.bars)
    change = last - first
    return screen.words(
        (past.quote.symbol, "bold"),
        (screen.money(last), f"bold {screen.colour(change)}"),
        screen.signed(change),
        screen.signed(change / first * 100 if first else None, "%"),
        (f"in {timerange}   low {screen.money(low)}   high {screen.money(high)}   "
         f"volume {sum(bar.volume for bar in past.bars):,}   {len(past.bars)} bars", screen.DIM),
    )  # fmt: skip


def _bar(bar: Bar) -> list[screen.Cell]:
    close = Text(screen.money(bar.close), style=screen.colour(bar.close - bar.open))
    prices = (screen.money(each) for each in (bar.open, bar.high, bar.low))
    return [
        screen.clock(bar.start_time),
        *prices,
        close,
        f"{bar.volume:,}",
        Text("" if bar.final else "open", style=screen.DIM),
    ]


def search(
    query: Annotated[
        list[str], typer.Argument(metavar="WORDS...", help="A symbol, its beginning, or words of a name.")
    ],
    limit: Annotated[int, typer.Option("--limit", min=1, max=5000, help="Most instruments to show.")] = 20,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Find instruments by symbol or name, best match first."""
    words = " ".join(query)
    found = converse(lambda client: client.search(words, limit=limit), url=url, token=token)
    if as_json:
        for instrument in found:
            screen.say_json(instrument)
        return
    console = screen.output()
    if not found:
        console.print(f"Nothing is called {words!r}.")
        return
    console.print(
        screen.table(console, INSTRUMENTS, map(_instrument, found), spare=("Lot", "Tick", "Currency", "Exchange"))
    )


def _instrument(found: Instrument) -> list[screen.Cell]:
    return [
        Text(found.symbol, style="bold"),
        found.name,
        found.exchange,
        found.currency,
        screen.NONE if found.tick_size is None else f"{found.tick_size:f}",
        f"{found.lot_size:,}",
        Text("" if found.tradable else "not tradable", style="yellow"),
    ]


def market(url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """Show whether the venue trades now, and how old its prices are."""
    status = converse(lambda client: client.market_status(), url=url, token=token)
    if as_json:
        screen.say_json(status)
        return
    sign, style = MARKET.get(status.state, ("?", screen.DIM))
    feed = "no tick yet" if status.feed_age_ms < 0 else f"last tick {screen.age(status.feed_age_ms / 1000)} ago"
    since = f"since {screen.clock(status.since)}" if status.since else ""
    screen.output().print(
        screen.words((f"{sign} {status.state}", style), since, feed, f"{status.priced_instruments} instruments priced")
    )
