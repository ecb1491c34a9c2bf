"""Who trades how much at which price: the arithmetic behind the decisions. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

from infra.exchange_sim.facts import Side
from infra.exchange_sim.instruments import Instrument
from infra.exchange_sim.market import Quote
from infra.exchange_sim.order import Order
from infra.exchange_sim.requests import Refused, RejectReason


class Trade(NamedTuple):
    """Shares at a price."""

    quantity: int
    price_micros: int


def walk(quote: Quote, order: Order, tick_micros: int) -> Iterator[Trade]:
    """Yield the trades of an incoming order: level by level away from the quote, each a tick worse and a book size deeper."""
    buys = order.side is Side.BUY
    price, size, step = (quote.ask, quote.ask_size, tick_micros) if buys else (quote.bid, quote.bid_size, -tick_micros)
    left, level = order.leaves, 1
    while left > 0 and price > 0 and _is_good(order, price):
        shares = min(left, size * level)
        yield Trade(shares, price)
        left, level, price = left - shares, level + 1, price + step


def _is_good(order: Order, price_micros: int) -> bool:
    """Return whether an order may trade at a price: never beyond its limit or protection price."""
    if not order.price_micros:
        return True
    return price_micros <= order.price_micros if order.side is Side.BUY else price_micros >= order.price_micros


def touched(resting: list[Order], quote: Quote) -> Iterator[tuple[Order, int]]:
    """Yield the resting orders that the last price touches and their shares: best price first, then oldest."""
    for side in Side if resting else ():
        sign = -1 if side is Side.BUY else 1
        good = [order for order in resting if order.side is side and _is_good(order, quote.last)]
        shares = quote.size
        for order in sorted(good, key=lambda order: (sign * order.price_micros, order.rank)):
            filled = min(shares, order.leaves)
            shares -= filled
            if filled:
                yield order, filled


def check_numbers(instrument: Instrument, quantity: int, price_micros: int, *, market: bool = False) -> None:
    """Raise Refused when quantity or price is none that the instrument can trade at."""
    if quantity <= 0 or quantity % instrument.lot_size or quantity > instrument.max_quantity:
        text = f"quantity must be a multiple of {instrument.lot_size} up to {instrument.max_quantity}"
        raise Refused(RejectReason.INCORRECT_QUANTITY, text)
    if not market and (price_micros <= 0 or price_micros % instrument.tick_micros):
        raise Refused(RejectReason.OTHER, "the price must be positive and on the tick grid")
