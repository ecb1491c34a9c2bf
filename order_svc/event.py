"""What is said about an order: to the gateway (commands) and to the world (changes). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from order_svc.fact import Fact, Kind
from order_svc.order import Order


class Asks(StrEnum):
    """What the gateway can be asked to do."""

    SUBMIT = "SUBMIT"
    CANCEL = "CANCEL"
    REPLACE = "REPLACE"
    QUERY = "QUERY"


@dataclass(frozen=True, slots=True)
class Command:
    """Asks the gateway for something about an order; the id makes a repetition the same command.

    `quantity` and `price_micros` are the new ones of a REPLACE, `number` counts its changes.
    """

    command_id: str
    asks: Asks
    order: Order
    quantity: int = 0
    price_micros: int = 0
    number: int = 0


@dataclass(frozen=True, slots=True)
class Changed:
    """Tells that an order is now as it is: `happening` is the most telling of what led there, `fills` are those it adds."""

    order: Order
    happening: str
    time: datetime
    fills: tuple[Fact, ...] = ()

    @property
    def event_id(self) -> str:
        """Return the id of this change; the same order and revision is the same change."""
        return f"{self.order.order_id}:{self.order.revision}"


Event: TypeAlias = Command | Changed


@dataclass(frozen=True, slots=True)
class Message:
    """One message for the bus. `pending_order` names the order whose leaving PENDING proves that a command had effect."""

    event_id: str
    subject: str
    payload: bytes
    headers: Mapping[str, str]
    pending_order: str = ""


# From the least to the most telling.
_TELLING = (
    Kind.UNCERTAIN,
    Kind.SUBMITTED,
    Kind.PLACED,
    Kind.CANCEL_REQUESTED,
    Kind.REPLACE_REQUESTED,
    Kind.CANCEL_REJECTED,
    Kind.REPLACE_REJECTED,
    Kind.REPLACED,
    Kind.FILL,
    Kind.BUST,
    Kind.CORRECTION,
    Kind.CANCELED,
    Kind.EXPIRED,
    Kind.REJECTED,
)
_SPOKEN = {Kind.BUST: "RESTATED", Kind.CORRECTION: "RESTATED", Kind.UNCERTAIN: "BECAME_UNCERTAIN"}


def submit(order: Order) -> Command:
    """Return the command that sends an order."""
    return Command(command_id=f"{order.order_id}:submit", asks=Asks.SUBMIT, order=order)


def created(order: Order) -> Changed:
    """Return the change that an order's first storing is."""
    return Changed(order, "CREATED", order.create_time)


def change_between(before: Order, after: Order) -> Changed:
    """Return the change that new facts made. The two are revisions of one order and differ."""
    known = {fact.identity for fact in before.facts}
    new = [fact for fact in after.facts if fact.identity not in known]
    telling = max(new, key=lambda fact: (_TELLING.index(fact.kind), fact.time))
    fills = tuple(fact for fact in new if fact.kind is Kind.FILL)
    happening = _SPOKEN.get(telling.kind, telling.kind.value)
    if telling.kind is Kind.UNCERTAIN and after.doubt is None:
        # The doubt was heard of after what resolved it.
        happening = "BECAME_CERTAIN"
    return Changed(after, happening, telling.time, fills)
