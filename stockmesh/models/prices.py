"""What prices look like to a client: quotes, bars, instruments, the state of the market."""

from datetime import UTC, datetime
from decimal import Decimal

from stockmesh.models.wire import Model, Word


class PriceState(Word):
    """How far a price can be trusted."""

    LIVE = "LIVE"
    """Ticks arrive as usual."""
    STALE = "STALE"
    """The symbol is silent for unusually long, the feed is gone, or the connection is."""
    HALTED = "HALTED"
    """The venue has stopped trading in the symbol."""
    UNRECOGNIZED = "UNRECOGNIZED"
    """The server knows a state that this version of the client does not."""


class MarketState(Word):
    """Phase of the venue's day."""

    OPEN = "OPEN"
    """Orders are matched."""
    CLOSED = "CLOSED"
    """Orders are not matched."""
    HALTED = "HALTED"
    """The venue has stopped trading in all symbols."""
    UNKNOWN = "UNKNOWN"
    """Nothing has been heard from the venue."""
    UNRECOGNIZED = "UNRECOGNIZED"
    """The server knows a phase that this version of the client does not."""


class Mode(Word):
    """How much of a quote a subscription sends."""

    LTP = "LTP"
    """Symbol, last traded price, version, time and state."""
    QUOTE = "QUOTE"
    """The whole quote."""


class Quote(Model, frozen=True, kw_only=True):
    """The price of a symbol with its day so far. Prices are per share; None means unknown, or not part of the mode."""

    symbol: str
    price: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    previous_close: Decimal | None = None
    volume: int = 0
    epoch: int = 0
    seq: int = 0
    quote_time: datetime | None = None
    state: PriceState = PriceState.UNRECOGNIZED

    @property
    def version(self) -> tuple[int, int]:
        """The pair (epoch, seq): greater is newer. Times are no version."""
        return (self.epoch, self.seq)

    @property
    def change(self) -> Decimal | None:
        """Price less the previous close; None when either is unknown."""
        if self.price is None or self.previous_close is None:
            return None
        return self.price - self.previous_close

    @property
    def change_percent(self) -> Decimal | None:
        """Change in percent of the previous close; None when it is unknown or zero."""
        change = self.change
        if change is None or not self.previous_close:
            return None
        return change / self.previous_close * 100

    def age(self, now: datetime | None = None) -> float | None:
        """Return the seconds since the venue made the last change, by this machine's clock; None when it never did."""
        if self.quote_time is None:
            return None
        return max(((now or datetime.now(UTC)) - self.quote_time).total_seconds(), 0.0)


class PriceStatus(Model, frozen=True, kw_only=True):
    """A symbol became live, stale or halted."""

    symbol: str
    state: PriceState = PriceState.UNRECOGNIZED
    since: datetime | None = None
    reason: str = ""


class Bar(Model, frozen=True, kw_only=True):
    """Prices and volume of one interval that begins at start_time; `final` when late ticks no longer change it."""

    start_time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int = 0
    final: bool = False


class StockPrice(Model, frozen=True, kw_only=True):
    """The price of one symbol now, and its bars, oldest first, when a range was asked for.

    `interval` is theirs: `1min`, `5min`, `1h` or `1d`. `sources` names where bars come from that were loaded and not heard from
    the venue, for example `simulated`.
    """

    quote: Quote
    bars: tuple[Bar, ...] = ()
    interval: str = ""
    sources: tuple[str, ...] = ()


class Instrument(Model, frozen=True, kw_only=True):
    """What can be traded, and in which steps: limit prices in tick_size, quantities in lot_size up to max_quantity."""

    symbol: str
    name: str = ""
    exchange: str = ""
    currency: str = ""
    tick_size: Decimal | None = None
    lot_size: int = 1
    max_quantity: int = 0
    tradable: bool = False


class MarketStatus(Model, frozen=True, kw_only=True):
    """Phase of the venue's day; feed_age_ms is the time since the last tick of any symbol, -1 when none was heard.

    `session_open` and `session_close` are those of the session under way, or else of the next one; absent when the venue's
    calendar, whose days are those of `time_zone`, does not say.
    """

    state: MarketState = MarketState.UNRECOGNIZED
    since: datetime | None = None
    feed_age_ms: int = -1
    priced_instruments: int = 0
    time_zone: str = ""
    session_open: datetime | None = None
    session_close: datetime | None = None


class Refusal(Model, frozen=True, kw_only=True):
    """A symbol that was not subscribed, and why."""

    symbol: str
    reason: str = ""
    message: str = ""


class Degraded(Model, frozen=True, kw_only=True):
    """The server slowed prices down for a reader that is too slow: updates a second per symbol, updates left out."""

    max_hz: float = 0.0
    dropped: int = 0
