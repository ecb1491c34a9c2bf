"""What can be asked of prices: latest ones from memory, bars, instruments, the state of the market, streams."""

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from price_svc.bar import Bar, BarBook
from price_svc.board import Board
from price_svc.catalogue import Catalogue
from price_svc.history import Timerange, joined, timerange_of
from price_svc.instrument import Instrument
from price_svc.market import Phase
from price_svc.page import MAX_PAGE, key_in, page_size_of, token_after
from price_svc.quote import Quote
from price_svc.watch import Watch, Watches
from runtime.errors import InvalidArgument, NotFound, Unavailable

MAX_SYMBOLS = 500
# A day of one symbol is 1,440 bars; with more symbols than this an answer would be megabytes.
MAX_SYMBOLS_WITH_BARS = 20
DEFAULT_PAGE = 100
NAMED_AT_MOST = 20
EVERY_SYMBOL = "prices of every symbol"


class UnknownSymbol(NotFound):
    """No such symbol is listed; the metadata names them."""

    reason = "UNKNOWN_SYMBOL"


class TooManySymbols(InvalidArgument):
    """More symbols than one answer may hold."""

    reason = "TOO_MANY_SYMBOLS"


class NoSymbols(InvalidArgument):
    """A stream needs at least one symbol."""

    reason = "NO_SYMBOLS"


class HistoryUnavailable(Unavailable):
    """The bars cannot be read now; latest prices are not concerned."""

    reason = "HISTORY_UNAVAILABLE"


class History(Protocol):
    """Where bars and instruments are kept."""

    async def bars(self, symbol: str, interval: int, *, from_ns: int) -> list[Bar]:
        """Return a symbol's bars of `interval` seconds that start at `from_ns` or later, oldest first. Raises Unavailable."""
        ...

    async def instruments(self) -> list[Instrument]:
        """Return the instruments that were kept. Raises Unavailable."""
        ...

    def keep_instruments(self, instruments: Iterable[Instrument]) -> None:
        """Keep instruments; never waits and never fails."""


@dataclass(frozen=True, slots=True)
class Priced:
    """The quote of a symbol, and the bars that were asked for as they are at the venue's time `venue_now_ns`."""

    quote: Quote
    bars: Sequence[Bar] = ()
    venue_now_ns: int = 0


@dataclass(frozen=True, slots=True)
class MarketStatus:
    """Phase of the venue since when (0: unknown), age of the feed (-1: never heard), number of instruments with a price."""

    phase: Phase
    since_ns: int
    feed_age_ms: int
    priced_instruments: int


class Prices:
    """What symbols cost now and cost before."""

    def __init__(
        self,
        *,
        board: Board,
        book: BarBook,
        watches: Watches,
        history: History,
        clock_ns: Callable[[], int],
        history_seconds: float,
    ) -> None:
        self._board, self._book, self._watches, self._history = board, book, watches, history
        self._clock_ns, self._history_seconds = clock_ns, history_seconds
        self._catalogue = Catalogue()

    async def get(
        self, symbols: Sequence[str], *, timerange: str = "", page_size: int = 0, page_token: str = ""
    ) -> tuple[list[Priced], str]:
        """Return prices and the token of the next page; without symbols those of every instrument, page by page.

        Raises UnknownSymbol, TooManySymbols, InvalidTimerange, HistoryUnavailable, InvalidPageToken, InvalidPageSize.
        """
        span = timerange_of(timerange) if timerange else None
        next_token, limit = "", MAX_SYMBOLS_WITH_BARS if span else MAX_SYMBOLS
        if symbols:
            symbols = self._known(symbols, limit=limit)
        else:
            size = page_size_of(page_size, default=DEFAULT_PAGE, limit=min(limit, MAX_PAGE))
            symbols, next_token = self._page(size, page_token)
        quotes = self._quotes_of(symbols)
        if span is None:
            return [Priced(quote) for quote in quotes], next_token
        return [await self._with_bars(quote, span) for quote in quotes], next_token

    def search(self, query: str, *, page_size: int = 0, page_token: str = "") -> tuple[list[Instrument], str]:
        """Return a page of the instruments that fit, best match first, and the token of the next page.

        Raises QueryTooLong, InvalidPageToken, InvalidPageSize.
        """
        return self._catalogue.index.search(query, page_size=page_size, page_token=page_token)

    def market_status(self) -> MarketStatus:
        """Return whether the venue trades now and how old the feed is."""
        market = self._board.market
        priced = sum(1 for quote in self._board.quotes() if quote.price_micros)
        return MarketStatus(market.phase, market.since_ns, self.feed_age_ms(), priced)

    def feed_age_ms(self) -> int:
        """Return how long ago the last tick of any symbol was heard, in milliseconds; -1 when none was."""
        return self._board.feed_age_ms(self._clock_ns())

    def watch(self, symbols: Sequence[str], *, max_hz: float = 0.0) -> AbstractContextManager[Watch]:
        """Open a stream of prices for a block: a snapshot, then updates.

        Raises NoSymbols, UnknownSymbol, TooManySymbols, TooManyStreams, InvalidMaxHz, ShuttingDown.
        """
        if not symbols:
            raise NoSymbols("name the symbols to stream", field="symbols")
        return self._watches.open(self._known(symbols, limit=MAX_SYMBOLS), self._quotes_of, max_hz=max_hz)

    def close(self) -> None:
        """End all streams and take no more."""
        self._watches.close()

    def list_instruments(self, lists: Iterable[tuple[int, Sequence[Instrument]]]) -> None:
        """Take whole lists of instruments, each of one partition."""
        fresh = self._catalogue.take(lists)
        if fresh:
            self._history.keep_instruments(fresh)

    async def remember_instruments(self) -> None:
        """Where the broker has lost its lists take what the database knows, until the venue lists anew."""
        if len(self._catalogue.index):
            return
        try:
            async with asyncio.timeout(self._history_seconds):
                self._catalogue.remember(await self._history.instruments())
        except (TimeoutError, Unavailable):
            return

    def _known(self, symbols: Sequence[str], *, limit: int) -> Sequence[str]:
        """Return the symbols, each once, if there are not too many and all are known."""
        symbols = tuple(dict.fromkeys(symbols))
        if len(symbols) > limit:
            raise TooManySymbols(f"at most {limit} symbols at once", field="symbols", limit=limit, actual=len(symbols))
        index = self._catalogue.index
        unknown = [symbol for symbol in symbols if not self._board.quote(symbol) and not index.get(symbol)]
        if unknown:
            names = ",".join(symbol[:32] for symbol in unknown[:NAMED_AT_MOST])
            raise UnknownSymbol(f"no such symbol: {names}", symbols=names, count=len(unknown))
        return symbols

    def _page(self, size: int, page_token: str) -> tuple[Sequence[str], str]:
        symbols = self._catalogue.index.symbols
        first = bisect_right(symbols, str(key_in(EVERY_SYMBOL, page_token, str)[0])) if page_token else 0
        page = symbols[first : first + size]
        more = first + size < len(symbols)
        return page, token_after(EVERY_SYMBOL, (page[-1],)) if more else ""

    def _quotes_of(self, symbols: Sequence[str]) -> list[Quote]:
        return [self._board.quote(symbol) or Quote(symbol) for symbol in symbols]

    async def _with_bars(self, quote: Quote, span: Timerange) -> Priced:
        venue_now_ns = self._board.feed.venue_now_ns(self._clock_ns())
        first_ns = span.first_start_ns(venue_now_ns)
        try:
            async with asyncio.timeout(self._history_seconds):
                stored = await self._history.bars(quote.symbol, span.interval, from_ns=first_ns)
        except (TimeoutError, Unavailable) as error:
            raise HistoryUnavailable("bars cannot be read now; latest prices can", retry_after_seconds=2.0) from error
        in_memory = self._book.open_bars(quote.symbol, span.interval)
        bars = joined(stored, (bar for bar in in_memory if bar.start_ns >= first_ns))
        return Priced(quote, bars, venue_now_ns)
