"""What the gateway is asked to do with an order, and under which name (ClOrdID) the venue hears of it. Pure."""

from datetime import datetime
from enum import StrEnum
from zlib import crc32

from msgspec import Struct


class Asks(StrEnum):
    """Kinds of command."""

    SUBMIT = "SUBMIT"
    CANCEL = "CANCEL"
    REPLACE = "REPLACE"
    QUERY = "QUERY"


class Side(StrEnum):
    """Direction."""

    BUY = "BUY"
    SELL = "SELL"


class Type(StrEnum):
    """Kind of price."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"


class TimeInForce(StrEnum):
    """How long an order lives."""

    DAY = "DAY"
    IOC = "IOC"
    FOK = "FOK"
    GTC = "GTC"


class Command(Struct, frozen=True, kw_only=True):
    """A command with all that is needed to carry it out.

    `price_micros` is the limit of a LIMIT order and the collar of a MARKET order. `number` counts the changes of the order,
    `active_number` is the last one that the venue took. `raw` is the message as it came. `create_time` tells when the order was
    stored; `commit_time` and `publish_time` when the database and the broker had the command, as far as the message says.
    """

    command_id: str
    asks: Asks
    order_id: str
    client_order_id: str
    account_id: str
    symbol: str
    side: Side
    type: Type
    time_in_force: TimeInForce
    quantity: int
    price_micros: int
    submit_by: datetime | None = None
    number: int = 0
    active_number: int = 0
    exchange_order_id: str = ""
    create_time: datetime | None = None
    commit_time: datetime | None = None
    publish_time: datetime | None = None
    raw: bytes = b""

    @property
    def cl_ord_id(self) -> str:
        """Return the name of this request at the venue: a function of the command, never of the attempt."""
        match self.asks:
            case Asks.REPLACE:
                return _change(self.order_id, self.number)
            case Asks.CANCEL:
                return f"{self.order_id}-c{crc32(self.command_id.encode()):08x}"
            case _:
                return self.order_id

    @property
    def orig_cl_ord_id(self) -> str:
        """Return the name by which the venue knows the order that this request is about."""
        return _change(self.order_id, self.active_number)

    @property
    def is_known_at_venue(self) -> bool:
        """Tell whether the command itself proves that the venue has had the order."""
        return bool(self.exchange_order_id or self.active_number)

    def is_late(self, now: datetime) -> bool:
        """Tell whether it is too late to send the order."""
        return self.asks is Asks.SUBMIT and self.submit_by is not None and now > self.submit_by


def _change(order_id: str, number: int) -> str:
    return f"{order_id}-{number}" if number else order_id


# No order is changed so often.
_MOST_DIGITS = 9


def order_id_of(cl_ord_id: str) -> str:
    """Return the order that a ClOrdID of ours speaks of (order ids have no dash)."""
    return cl_ord_id.partition("-")[0]


def number_of(cl_ord_id: str) -> int:
    """Return the number of the change that a ClOrdID of ours stands for; 0 for the order itself or a cancel."""
    number = cl_ord_id.partition("-")[2]
    return int(number) if number.isdecimal() and len(number) <= _MOST_DIGITS else 0
