"""An order and what each fact makes of it. Pure: no clock, no network, no storage."""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from infra.exchange_sim.facts import (
    Accepted,
    Canceled,
    Expired,
    Filled,
    OrderType,
    Rejected,
    Replaced,
    Side,
    TimeInForce,
)


class State(StrEnum):
    """What became of an order so far."""

    NEW = "new"
    PARTIALLY_FILLED = "partially filled"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"


OPEN = frozenset({State.NEW, State.PARTIALLY_FILLED})


class Order(Struct, frozen=True, kw_only=True):
    """An order as it is now. `rank` is its place in time among orders of the same price; `paid_micros` is the sum of its fills."""

    order_id: str
    session: str
    cl_ord_id: str
    orig_cl_ord_id: str = ""
    account: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: int
    price_micros: int
    filled: int = 0
    paid_micros: int = 0
    state: State
    rank: int
    accept_us: int
    change_us: int
    reason: int = 0
    text: str = ""

    @property
    def is_open(self) -> bool:
        """Whether shares may still be traded."""
        return self.state in OPEN

    @property
    def leaves(self) -> int:
        """Shares that may still be traded."""
        return self.quantity - self.filled if self.is_open else 0


def first(fact: Accepted | Rejected) -> Order:
    """Return the order that begins with a fact."""
    rejected = fact if isinstance(fact, Rejected) else None
    return Order(
        order_id=fact.order_id,
        session=fact.session,
        cl_ord_id=fact.cl_ord_id,
        account=fact.account,
        symbol=fact.symbol,
        side=fact.side,
        type=fact.type,
        time_in_force=fact.time_in_force,
        quantity=fact.quantity,
        price_micros=fact.price_micros,
        state=State.REJECTED if rejected else State.NEW,
        rank=fact.seq,
        accept_us=fact.time_us,
        change_us=fact.time_us,
        reason=rejected.reason if rejected else 0,
        text=rejected.text if rejected else "",
    )


def later(order: Order, fact: Filled | Canceled | Replaced | Expired) -> Order:
    """Return an order as a fact leaves it."""
    match fact:
        case Filled():
            filled = order.filled + fact.last_quantity
            return replace(
                order,
                filled=filled,
                paid_micros=order.paid_micros + fact.last_quantity * fact.last_price_micros,
                state=State.FILLED if filled >= order.quantity else State.PARTIALLY_FILLED,
                change_us=fact.time_us,
            )
        case Replaced():
            return _replaced(order, fact)
        case Canceled():
            return replace(order, state=State.CANCELED, change_us=fact.time_us, text=fact.text)
        case Expired():
            return replace(order, state=State.EXPIRED, change_us=fact.time_us, text=fact.text)


def _replaced(order: Order, fact: Replaced) -> Order:
    # Only more shares or another price cost an order its place in the queue.
    keeps_rank = fact.price_micros == order.price_micros and fact.quantity <= order.quantity
    return replace(
        order,
        cl_ord_id=fact.cl_ord_id,
        orig_cl_ord_id=fact.orig_cl_ord_id,
        quantity=fact.quantity,
        price_micros=fact.price_micros,
        state=State.FILLED if order.filled >= fact.quantity else order.state,
        rank=order.rank if keeps_rank else fact.seq,
        change_us=fact.time_us,
    )
