"""All orders, as the facts about them say. Pure: no clock, no network, no storage."""

from collections.abc import Iterable, Iterator
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from infra.exchange_sim.facts import (
    Accepted,
    AnyFact,
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


def firm_of(session: str) -> str:
    """Return whose session it is: STOCKMESH for STOCKMESH-ORD-0. Keys are unique per firm."""
    return session.partition("-")[0]


class Book:
    """Orders by id and by key; changes only by `apply`. `seq` is the number of the last fact applied."""

    def __init__(self, facts: Iterable[AnyFact] = ()) -> None:
        self.seq = 0
        self._orders: dict[str, Order] = {}
        self._keys: dict[tuple[str, str], str] = {}
        self._firms: dict[str, list[str]] = {}
        self._resting: dict[str, dict[str, None]] = {}
        for fact in facts:
            self.apply(fact)

    def find(self, firm: str, cl_ord_id: str) -> Order | None:
        """Return the order that a key of the firm stands for, first or later ones alike."""
        order_id = self._keys.get((firm, cl_ord_id))
        return None if order_id is None else self._orders[order_id]

    def orders_of(self, firm: str) -> list[Order]:
        """Return every order of a firm, oldest first."""
        return [self._orders[order_id] for order_id in self._firms.get(firm, ())]

    def resting(self, symbol: str) -> list[Order]:
        """Return the open orders for a symbol, oldest first."""
        return [self._orders[order_id] for order_id in self._resting.get(symbol, ())]

    def open_orders(self) -> Iterator[Order]:
        """Return all open orders."""
        return (self._orders[order_id] for resting in self._resting.values() for order_id in resting)

    def apply(self, fact: AnyFact) -> Order | None:
        """Take a fact in and return its order as it is after it; None for a refusal that made no order."""
        self.seq = fact.seq
        if not fact.order_id:
            return None
        firm = firm_of(fact.session)
        if isinstance(fact, Accepted | Rejected):
            order = _first(fact)
            self._firms.setdefault(firm, []).append(order.order_id)
            self._keys[firm, fact.cl_ord_id] = order.order_id
        else:
            order = _later(self._orders[fact.order_id], fact)
            # The key of a cancel or a replace stands for the order that it concerned.
            self._keys.setdefault((firm, fact.cl_ord_id), order.order_id)
        self._keep(order)
        return order

    def _keep(self, order: Order) -> None:
        self._orders[order.order_id] = order
        resting = self._resting.setdefault(order.symbol, {})
        if order.is_open:
            resting[order.order_id] = None
        else:
            resting.pop(order.order_id, None)


def _first(fact: Accepted | Rejected) -> Order:
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


def _later(order: Order, fact: Filled | Canceled | Replaced | Expired) -> Order:
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
