"""What a client asks about prices."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from msgspec import structs

from stockmesh.asking import Asker
from stockmesh.errors import UnexpectedAnswer
from stockmesh.models import Instrument, MarketStatus, Mode, Quote, StockPrice
from stockmesh.models.wire import read, time_text
from stockmesh.subscriptions import Subscriptions
from stockmesh.watching import PriceWatch

# One answer holds at most so many instruments.
LARGEST_PAGE = 500
# A year of minutes is half a million bars; who wants that many says so.
MOST_BARS = 20_000


class PriceCalls:
    """Prices now and before, instruments, the market. Reads are repeated after a lost connection, within the client's time-out."""

    def __init__(self, asker: Asker, subscriptions: Subscriptions) -> None:
        self._ask_price, self._subscriptions = asker.ask, subscriptions

    async def prices(self, symbols: Iterable[str]) -> list[Quote]:
        """Return the latest quote of each symbol, in the order asked for. Raises Refused (UNKNOWN_SYMBOL) when one is unknown."""
        answer = await self._ask_price("prices.get", {"symbols": list(symbols)})
        return [read(StockPrice, item).quote for item in items(answer, "prices")]

    async def history(
        self,
        symbol: str,
        timerange: str = "",
        *,
        interval: str = "",
        from_time: datetime | None = None,
        to_time: datetime | None = None,
        limit: int = MOST_BARS,
    ) -> StockPrice:
        """Return the quote of a symbol and its bars, oldest first, at most `limit`.

        Either over a `timerange` until now (`1d`, `1w`, `1m` for a month, `3m`, `1y`), or from a time, inclusive, to another,
        exclusive. `interval` is the bars' length: `1min`, `5min`, `1h` or `1d`; without it one that fits the range.
        """
        params: dict[str, Any] = {"symbol": symbol, "timerange": timerange, "interval": interval}
        params |= {"fromTime": time_text(from_time), "toTime": time_text(to_time)}
        params = {name: value for name, value in params.items() if value}
        answer = await self._ask_price("prices.history", params)
        past = _past(answer, symbol)
        bars, sources = list(past.bars), set(past.sources)
        while len(bars) < limit and (token := answer.get("nextPageToken")):
            answer = await self._ask_price("prices.history", params | {"pageToken": token})
            past = _past(answer, symbol)
            bars += past.bars
            sources |= set(past.sources)
        return structs.replace(past, bars=tuple(bars[:limit]), sources=tuple(sorted(sources)))

    async def search(self, query: str, *, limit: int = 20) -> list[Instrument]:
        """Return at most `limit` instruments by symbol, its beginning or words of the name, best match first."""
        found: list[Instrument] = []
        params: dict[str, Any] = {"query": query}
        while len(found) < limit:
            answer = await self._ask_price(
                "instruments.search", params | {"pageSize": min(limit - len(found), LARGEST_PAGE)}
            )
            found += [read(Instrument, item) for item in items(answer, "instruments")]
            token = answer.get("nextPageToken")
            if not token:
                break
            params["pageToken"] = token
        return found[:limit]

    async def market_status(self) -> MarketStatus:
        """Return whether the venue trades now, and how old the feed is."""
        return read(MarketStatus, await self._ask_price("market.status", {}))

    def watch(self, symbols: Iterable[str], *, mode: Mode | str = Mode.QUOTE, max_hz: float = 0.0) -> PriceWatch:
        """Return the live prices of some symbols, at most `max_hz` updates a second each (0: as fast as they come).

        Use it as `async with client.watch(...) as prices` and iterate; symbols that the server refuses are in `.refused`.
        """
        return self._subscriptions.watch(symbols, mode=Mode(mode), max_hz=max_hz)


def _past(answer: object, symbol: str) -> StockPrice:
    found = items(answer, "prices")
    if not found:
        raise UnexpectedAnswer(f"the server answered no history of {symbol}")
    return read(StockPrice, found[0])


def items(answer: object, name: str) -> list[Any]:
    """Return the list of that name in an answer; absent means empty. Raises UnexpectedAnswer for anything else."""
    if not isinstance(answer, dict):
        raise UnexpectedAnswer("the server answered with something that is no object")
    found = answer.get(name) or []
    if not isinstance(found, list):
        raise UnexpectedAnswer(f"the server answered with {name!r} that is no list")
    return found
