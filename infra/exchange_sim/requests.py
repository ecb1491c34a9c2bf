"""What a member may ask of the exchange about orders, and the words in which it is refused. Pure."""

from enum import IntEnum

from msgspec import Struct

from infra.exchange_sim.facts import OrderType, Side, TimeInForce


class NewOrder(Struct, frozen=True, kw_only=True):
    """An order to take. `price_micros` is the limit, or a market order's protection price; 0 means there is none."""

    session: str
    cl_ord_id: str
    account: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: int
    price_micros: int


class CancelRequest(Struct, frozen=True, kw_only=True):
    """An order, named by any of its keys, to take out of the book."""

    session: str
    cl_ord_id: str
    orig_cl_ord_id: str


class ReplaceRequest(Struct, frozen=True, kw_only=True):
    """An order to give another total quantity and price."""

    session: str
    cl_ord_id: str
    orig_cl_ord_id: str
    quantity: int
    price_micros: int


class TradesOfTime(Struct, frozen=True):
    """A question for the trades of a time; micros since 1970, both ends belong to it."""

    since_us: int
    until_us: int


class TradesOfOrder(Struct, frozen=True):
    """A question for the trades of an order, by a key, by the exchange's id, or both; what is not asked by is empty."""

    cl_ord_id: str
    order_id: str


class RejectReason(IntEnum):
    """Why an order is not taken (OrdRejReason, tag 103)."""

    UNKNOWN_SYMBOL = 1
    EXCHANGE_CLOSED = 2
    UNKNOWN_ORDER = 5
    DUPLICATE = 6
    INCORRECT_QUANTITY = 13
    OTHER = 99


class CancelRejectReason(IntEnum):
    """Why a cancel or replace is refused (CxlRejReason, tag 102)."""

    TOO_LATE = 0
    UNKNOWN_ORDER = 1
    DUPLICATE = 6
    OTHER = 99


class Refused(Exception):
    """A request is refused, with a reason in FIX's numbers and words for a person."""

    def __init__(self, reason: RejectReason | CancelRejectReason, text: str) -> None:
        super().__init__(text)
        self.reason, self.text = reason, text
