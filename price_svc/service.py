"""What can be asked of prices: latest ones from memory, bars, instruments, the state of the market, streams."""

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from price_svc.bar import NAME_OF, Bar
from price_svc.board import Board
from price_svc.books import Books
from price_svc.calendar import ALWAYS, Calendar, Session
from price_svc.catalogue import Catalogue
from price_svc.history import Asked, Past, Span, joined, told
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
NOTHING = Asked()


class UnknownSymbol(NotFound):
    """No such symbol is listed; the metadata names them."""

    reason = "UNKNOWN_SYMBOL"


class TooManySymbols(InvalidArgument):
    """More symbols than one answer may hold."""

    reason = "TOO_MANY_SYMBOLS"


class NoSymbols(InvalidArgument):
    """A stream needs at least one symbol, a range of bars exactly one."""

    reason = "NO_SYMBOLS"


class HistoryUnavailable(Unavailable):
    """The bars cannot be read now; latest prices are not concerned."""

    reason = "HISTORY_UNAVAILABLE"


class History(Protocol):
    """Where bars and instruments are kept."""

    async def bars(self, symbol: str, span: Span) -> Past:
        """Return a symbol's bars of a span, heard and loaded: all, or at least one more than its limit. Raises Unavailable."""
        ...

    async def instruments(self) -> list[Instrument]:
        """Return the instruments that were kept. Raises Unavailable."""
        ...

    def keep_instruments(self, instruments: Iterable[Instrument]) -> None:
        """Keep instruments; never waits and never fails."""


@dataclass(frozen=True, slots=True)
class ToldBar:
    """A bar as clients see it: when its interval or session begins, and whether late trades no longer change it."""

    bar: Bar
    start_ns: int
    is_final: bool


@dataclass(frozen=True, slots=True)
class Priced:
    """The quote of a symbol, and the bars that were asked for: their interval by name and the sources of those not heard."""

    quote: Quote
    bars: Sequence[ToldBar] = ()
    interval: str = ""
    sources: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class MarketStatus:
    """Phase of the venue since when (0: unknown), age of the feed (-1: never heard), number of instruments with a price.

    Beside that the calendar's: its time zone, and the session under way or the next one.
    """

    phase: Phase
    since_ns: int
    feed_age_ms: int
    priced_instruments: int
    time_zone: str
    session: Session | None


class Prices:
    """What symbols cost now and cost before."""

    def __init__(
        self,
        *,
        board: Board,
        book: Books,
        watches: Watches,
        history: History,
        clock_ns: Callable[[], int],
        history_seconds: float,
        calendar: Calendar = ALWAYS,
    ) -> None:
        self._board, self._book, self._watches, self._history = board, book, watches, history
        self._clock_ns, self._history_seconds, self._calendar = clock_ns, history_seconds, calendar
        self._catalogue = Catalogue()

    async def get(
        self, symbols: Sequence[str], *, asked: Asked = NOTHING, page_size: int = 0, page_token: str = ""
    ) -> tuple[list[Priced], str]:
        """Return prices and the token of the next page; without symbols those of every instrument, page by page.

        What is asked of the past comes page by page only if it is explicit, and then of one symbol.
        Raises UnknownSymbol, TooManySymbols, NoSymbols, InvalidTimerange, InvalidInterval, HistoryUnavailable,
        InvalidPageToken, InvalidPageSize.
        """
        asked.check()
        if asked.is_explicit:
            (symbol,) = self._known(symbols, limit=1) or _none()
            priced, next_token = await self._with_bars(symbol, asked, page_size=page_size, page_token=page_token)
            return [priced], next_token
        next_token, limit = "", MAX_SYMBOLS_WITH_BARS if asked.wants_bars else MAX_SYMBOLS
        if symbols:
            symbols = self._known(symbols, limit=limit)
        else:
            size = page_size_of(page_size, default=DEFAULT_PAGE, limit=min(limit, MAX_PAGE))
            symbols, next_token = self._page(size, page_token)
        if not asked.wants_bars:
            return [Priced(quote) for quote in self._quotes_of(symbols)], next_token
        return [(await self._with_bars(symbol, asked))[0] for symbol in symbols], next_token

    def search(self, query: str, *, page_size: int = 0, page_token: str = "") -> tuple[list[Instrument], str]:
        """Return a page of the instruments that fit, best match first, and the token of the next page.

        Raises QueryTooLong, InvalidPageToken, InvalidPageSize.
        """
        return self._catalogue.index.search(query, page_size=page_size, page_token=page_token)

    def market_status(self) -> MarketStatus:
        """Return whether the venue trades now and how old the feed is."""
        market = self._board.market
        priced = sum(1 for quote in self._board.quotes() if quote.price_micros)
        session = self._calendar.coming(self._board.feed.venue_now_ns(self._clock_ns()))
        return MarketStatus(
            market.phase, market.since_ns, self.feed_age_ms(), priced, self._calendar.time_zone, session
        )

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

    async def _with_bars(
        self, symbol: str, asked: Asked, *, page_size: int = 0, page_token: str = ""
    ) -> tuple[Priced, str]:
        venue_now_ns = self._board.feed.venue_now_ns(self._clock_ns())
        span = asked.span(symbol, venue_now_ns, self._calendar, page_size=page_size, page_token=page_token)
        try:
            async with asyncio.timeout(self._history_seconds):
                past = await self._history.bars(symbol, span)
        except (TimeoutError, Unavailable) as error:
            raise HistoryUnavailable("bars cannot be read now; latest prices can", retry_after_seconds=2.0) from error
        in_memory = self._book.open_bars(symbol, span.interval)
        bars, next_token = span.cut(joined(past.bars, (bar for bar in in_memory if span.holds(bar))))
        said = [ToldBar(bar, *told(bar, venue_now_ns, self._calendar)) for bar in bars]
        (quote,) = self._quotes_of([symbol])
        return Priced(quote, said, NAME_OF[span.interval], sorted(past.sources)), next_token


def _none() -> Sequence[str]:
    raise NoSymbols("name one symbol", field="symbol")
