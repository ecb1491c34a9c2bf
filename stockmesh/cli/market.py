"""`price`, `search`, `market`: what is asked once."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.text import Text

from stockmesh.cli import screen
from stockmesh.cli.options import AsJson, Symbols, Token, Url, upper
from stockmesh.cli.running import converse
from stockmesh.models import Instrument, MarketState, MarketStatus, Quote

MARKET = {MarketState.OPEN: ("●", "green"), MarketState.CLOSED: ("○", "yellow"), MarketState.HALTED: ("■", "red")}
PRICES = "Symbol|Price>|Change>|%>|Bid>|Ask>|Low>|High>|Volume>|Age>|State"
INSTRUMENTS = "Symbol|Name|Exchange|Currency|Tick>|Lot>|"


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
    priced = f"{status.priced_instruments} instruments priced"
    screen.say(screen.output(), screen.words((f"{sign} {status.state}", style), since, feed, priced, _session(status)))


def _session(status: MarketStatus) -> str:
    """Return when the session ends that is under way, or when the next one begins."""
    opens, closes = status.session_open, status.session_close
    if opens and opens > datetime.now(UTC):
        return f"opens {screen.clock(opens)}"
    return f"closes {screen.clock(closes)}" if closes else ""
