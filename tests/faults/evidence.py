"""All that is known after a run: the clients' history, our database, the exchange's ledger, streams and dead letters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.history import Event

DEAD_LETTERED = "DEAD_LETTERED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An order in our database. `ordered` and `ordered_price` are what was first asked for, `quantity` what holds now."""

    order_id: str
    account_id: str
    client_order_id: str
    symbol: str
    side: str
    ordered: int
    ordered_price: int
    quantity: int
    state: str
    pending: str = "NONE"
    certainty: str = "CONFIRMED"
    reason: str = ""
    revision: int = 1
    fills: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    exchange_order_id: str = ""

    @property
    def filled(self) -> int:
        """Shares filled."""
        return sum(quantity for quantity, _ in self.fills.values())

    @property
    def is_terminal(self) -> bool:
        """Tell whether it has ended."""
        return self.state in ("FILLED", "CANCELED", "REJECTED", "EXPIRED")


@dataclass(slots=True, kw_only=True)
class VenueOrder:
    """An order in the exchange's ledger; `root` is our order's id. Prices are micros."""

    venue_id: str
    root: str
    account: str
    symbol: str
    side: str
    ordered: int
    ordered_price: int
    quantity: int
    state: str
    fills: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def filled(self) -> int:
        """Shares filled."""
        return sum(quantity for quantity, _ in self.fills.values())


@dataclass(frozen=True, slots=True)
class Said:
    """One message of ORDER_UPDATES."""

    account_id: str
    sequence: int
    order_id: str
    revision: int


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter."""

    stream: str
    reason: str
    order_id: str


@dataclass(slots=True, kw_only=True)
class Evidence:
    """What the checker judges. `accounts` are the run's.

    `problems` is what the case itself found wrong, `unquiet` what did not come to an end. `stream` is the birthday of
    ORDER_UPDATES as positions name it; `letters` and `acts` are those of the run.
    """

    accounts: Sequence[str]
    history: Sequence[Event] = ()
    rows: Sequence[Row] = ()
    venue: Sequence[VenueOrder] = ()
    updates: Sequence[Said] = ()
    stream: str = ""
    letters: Sequence[Letter] = ()
    expected_letters: int = 0
    acts: Sequence[str] = ()
    audit: Sequence[str] = ()
    outbox: int = 0
    unquiet: Sequence[str] = ()
    problems: Sequence[str] = ()


def venue_orders(ledger: Sequence[Mapping[str, Any]]) -> list[VenueOrder]:
    """Return the orders that a ledger's lines tell of. A rejection without an order id is about another order's key."""
    orders: dict[str, VenueOrder] = {}
    for fact in ledger:
        kind, venue_id = fact["fact"], fact.get("order_id", "")
        if kind in ("accepted", "rejected") and venue_id:
            orders[venue_id] = VenueOrder(
                venue_id=venue_id,
                root=fact["cl_ord_id"],
                account=fact["account"],
                symbol=fact["symbol"],
                side=str(fact["side"]).upper(),
                ordered=fact["quantity"],
                ordered_price=fact["price_micros"],
                quantity=fact["quantity"],
                state="PLACED" if kind == "accepted" else "REJECTED",
            )
        elif venue_id in orders:
            _apply(orders[venue_id], fact)
    return list(orders.values())


def _apply(order: VenueOrder, fact: Mapping[str, Any]) -> None:
    match fact["fact"]:
        case "fill":
            order.fills[fact["exec_id"]] = (fact["last_quantity"], fact["last_price_micros"])
        case "replaced":
            order.quantity = fact["quantity"]
        case "canceled":
            order.state = "CANCELED"
        case "expired":
            order.state = "EXPIRED"
    if order.filled >= order.quantity:
        order.state = "FILLED"
    elif order.fills and order.state == "PLACED":
        order.state = "PARTIALLY_FILLED"
