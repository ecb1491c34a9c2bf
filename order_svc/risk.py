"""The pre-trade checks. Pure: the world as it is now comes in as a record; a refusal is a class with a reason.

Order of the checks: cheap first, and what a user can mend before what only time can. Sources: SEC rule 15c3-5 (erroneous and
duplicative orders, capital thresholds), Binance's filters for the names of limits.
"""

from dataclasses import dataclass, replace

from order_svc.order import Side, Terms, Type
from runtime.errors import FailedPrecondition, InvalidArgument, NotFound
from runtime.money import MICROS, text_from_micros


class UnknownSymbol(NotFound):
    """The venue does not trade this symbol."""

    reason = "UNKNOWN_SYMBOL"


class SymbolNotTradable(FailedPrecondition):
    """The venue lists the symbol but takes no orders for it."""

    reason = "SYMBOL_NOT_TRADABLE"


class MarketClosed(FailedPrecondition):
    """The venue does not match orders now."""

    reason = "MARKET_CLOSED"


class SymbolHalted(FailedPrecondition):
    """The venue has stopped trading in the symbol."""

    reason = "SYMBOL_HALTED"


class TradingHalted(FailedPrecondition):
    """Operators have stopped new orders."""

    reason = "TRADING_HALTED"


class TradingReducing(FailedPrecondition):
    """Operators allow only sells and cancels."""

    reason = "TRADING_REDUCING"


class QuantityOffLot(InvalidArgument):
    """The quantity is not a multiple of the lot size."""

    reason = "QUANTITY_OFF_LOT"


class QuantityTooLarge(InvalidArgument):
    """The quantity is above what one order may have."""

    reason = "QUANTITY_TOO_LARGE"


class PriceOffTick(InvalidArgument):
    """The limit price is not a multiple of the tick size."""

    reason = "PRICE_OFF_TICK"


class NotionalTooLarge(InvalidArgument):
    """Quantity times price is above what one order may have."""

    reason = "NOTIONAL_TOO_LARGE"


class PriceStale(FailedPrecondition):
    """There is no live price to measure the order by."""

    reason = "PRICE_STALE"


class PriceOutsideCollar(FailedPrecondition):
    """The limit price is too far on the wrong side of the last price: a typing error, most likely."""

    reason = "PRICE_OUTSIDE_COLLAR"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one order may be at most, and how far from the last price (in basis points, 1/100 of a percent)."""

    max_notional_micros: int = 10_000_000 * MICROS
    limit_collar_bps: int = 1_000
    market_collar_bps: int = 500
    # One account's: seconds in which the same order is not placed twice, and new orders a second. 0 means off; see order_svc.pace.
    duplicate_burst_seconds: float = 0.0
    orders_per_second: float = 0.0


@dataclass(frozen=True, slots=True)
class Instrument:
    """How a symbol is traded."""

    symbol: str
    tick_micros: int
    lot_size: int
    max_quantity: int
    tradable: bool


@dataclass(frozen=True, slots=True)
class Market:
    """The world as it is now for one symbol. `last_price_micros` is 0 when there is no live price."""

    instrument: Instrument | None
    last_price_micros: int
    venue_open: bool
    symbol_halted: bool
    trading_state: str = "ACTIVE"
    # How old the last price is, and from what age on it is not live any more, in seconds; None when there never was one.
    price_age_seconds: float | None = None
    price_max_age_seconds: float = 0.0


def check(terms: Terms, market: Market, limits: Limits) -> Terms:
    """Return the terms with the collar price that a MARKET order gets. Raises the first refusal that applies."""
    instrument = market.instrument
    if instrument is None:
        raise UnknownSymbol(
            f"there is no symbol {terms.symbol!r}; search with instruments.search",
            symbol=terms.symbol,
            actual=terms.symbol,
        )
    if not instrument.tradable:
        raise SymbolNotTradable(
            f"{terms.symbol} is listed but not traded", symbol=terms.symbol, limit="tradable", actual="not tradable"
        )
    check_steps(terms.quantity, terms.limit_price_micros, instrument)
    _check_phase(terms, market)
    if not market.last_price_micros:
        raise PriceStale(
            f"there is no live price of {terms.symbol} now; try again when there is",
            retry_after_seconds=5.0,
            symbol=terms.symbol,
            limit=market.price_max_age_seconds,
            actual="none" if market.price_age_seconds is None else round(market.price_age_seconds, 3),
        )
    return check_price(terms, market.last_price_micros, instrument, limits)


def check_steps(quantity: int, limit_price_micros: int, instrument: Instrument) -> None:
    """Raise unless quantity and price are on the instrument's grid and the quantity is allowed."""
    if quantity % instrument.lot_size:
        raise QuantityOffLot(
            f"quantity must be a multiple of {instrument.lot_size}", limit=instrument.lot_size, actual=quantity
        )
    if quantity > instrument.max_quantity:
        raise QuantityTooLarge(
            f"quantity must be at most {instrument.max_quantity}", limit=instrument.max_quantity, actual=quantity
        )
    if limit_price_micros % instrument.tick_micros:
        raise PriceOffTick(
            f"limit price must be a multiple of {text_from_micros(instrument.tick_micros)}",
            limit=text_from_micros(instrument.tick_micros),
            actual=text_from_micros(limit_price_micros),
        )


def _check_phase(terms: Terms, market: Market) -> None:
    if market.trading_state == "HALTED":
        raise TradingHalted(
            "new orders are stopped for now", retry_after_seconds=30.0, limit="ACTIVE", actual=market.trading_state
        )
    if market.trading_state == "REDUCING" and terms.side is Side.BUY:
        raise TradingReducing(
            "only sells and cancels are taken for now",
            retry_after_seconds=30.0,
            limit=Side.SELL.value,
            actual=terms.side.value,
            reference=market.trading_state,
        )
    if not market.venue_open:
        raise MarketClosed("the venue is closed", retry_after_seconds=60.0, limit="OPEN", actual="CLOSED")
    if market.symbol_halted:
        raise SymbolHalted(
            f"trading in {terms.symbol} is halted",
            retry_after_seconds=30.0,
            symbol=terms.symbol,
            limit="trading",
            actual="halted",
        )


def check_price(terms: Terms, last_micros: int, instrument: Instrument, limits: Limits) -> Terms:
    """Return the terms with their collar price. Raises PriceOutsideCollar or NotionalTooLarge."""
    if terms.type is Type.MARKET:
        collar = _collar(terms.side, last_micros, limits.market_collar_bps, instrument.tick_micros)
        terms, worst = replace(terms, collar_price_micros=collar), collar
    else:
        worst = terms.limit_price_micros
        bound = _collar(terms.side, last_micros, limits.limit_collar_bps, instrument.tick_micros)
        if worst > bound if terms.side is Side.BUY else worst < bound:
            word = "at most" if terms.side is Side.BUY else "at least"
            raise PriceOutsideCollar(
                f"limit price must be {word} {text_from_micros(bound)} while the last price is {text_from_micros(last_micros)}",
                limit=text_from_micros(bound),
                actual=text_from_micros(worst),
                reference=text_from_micros(last_micros),
            )
    notional = worst * terms.quantity
    if notional > limits.max_notional_micros:
        raise NotionalTooLarge(
            f"quantity times price must be at most {text_from_micros(limits.max_notional_micros)}",
            limit=text_from_micros(limits.max_notional_micros),
            actual=text_from_micros(notional),
            reference=text_from_micros(worst),
        )
    return terms


def _collar(side: Side, last_micros: int, bps: int, tick_micros: int) -> int:
    """Return the worst price on the tick grid within `bps` of the last price; never below one tick."""
    distance = last_micros * bps // 10_000
    if side is Side.BUY:
        return (last_micros + distance) // tick_micros * tick_micros
    return max(-(-(last_micros - distance) // tick_micros) * tick_micros, tick_micros)
