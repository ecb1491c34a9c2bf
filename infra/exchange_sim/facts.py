"""What the exchange knows to have happened: the lines of the ledger, from which everything else is rebuilt."""

from enum import StrEnum

from msgspec import Struct


class Side(StrEnum):
    """Direction of an order."""

    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    """Kind of price of an order."""

    MARKET = "market"
    LIMIT = "limit"


class TimeInForce(StrEnum):
    """How long an order lives."""

    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"


class Fact(Struct, frozen=True, kw_only=True, tag_field="fact"):
    """One line. `seq` is its number, without gaps; times are micros since 1970; quantity and price are the order's own.

    `session` is who is told (a SenderCompID), `cl_ord_id` the key that the fact answers; `price_micros` is the limit, or for
    a market order its protection price, 0 when there is none.
    """

    seq: int
    time_us: int
    exec_id: str
    order_id: str
    session: str
    cl_ord_id: str
    account: str
    symbol: str
    side: Side
    quantity: int
    price_micros: int


class Accepted(Fact, frozen=True, kw_only=True, tag="accepted"):
    """An order is in the book."""

    type: OrderType
    time_in_force: TimeInForce


class Filled(Fact, frozen=True, kw_only=True, tag="fill"):
    """Shares of an order were traded."""

    last_quantity: int
    last_price_micros: int


class Canceled(Fact, frozen=True, kw_only=True, tag="canceled"):
    """What was left of an order is gone; `orig_cl_ord_id` is empty when nobody asked for it."""

    orig_cl_ord_id: str = ""
    text: str = ""


class Replaced(Fact, frozen=True, kw_only=True, tag="replaced"):
    """An order has another quantity, price and key."""

    orig_cl_ord_id: str


class Rejected(Fact, frozen=True, kw_only=True, tag="rejected"):
    """An order was not taken; `reason` is FIX's OrdRejReason. Without an order id, its key belongs to another order."""

    type: OrderType
    time_in_force: TimeInForce
    reason: int
    text: str


class Expired(Fact, frozen=True, kw_only=True, tag="expired"):
    """An order's time ran out."""

    text: str = ""


AnyFact = Accepted | Filled | Canceled | Replaced | Rejected | Expired


class Opened(Struct, frozen=True, kw_only=True, tag_field="fact", tag="opened"):
    """The first line of a ledger. `birth` is part of every id given after it, so that no two ledgers give the same one."""

    birth: str
    time_us: int
