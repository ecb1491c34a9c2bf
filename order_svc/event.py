"""What is said about an order: to the gateway (commands) and to the world (changes). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from order_svc.fact import Fact, Kind
from order_svc.order import Certainty, Order, PendingAction, State
from order_svc.standing import Standing, standing_of


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
    """Tells that an order is now as it is: `happening` is the most telling of what led there, `fills` are those it adds.

    `closes` tells that it has brought the order to its end.
    """

    order: Order
    happening: str
    time: datetime
    fills: tuple[Fact, ...] = ()
    closes: bool = False

    @property
    def event_id(self) -> str:
        """Return the id of this change; the same order and revision is the same change."""
        return f"{self.order.order_id}:{self.order.revision}"

    @property
    def news(self) -> "News":
        """Return the change in short."""
        first_fill = bool(self.fills) and len(self.fills) == len(self.order.fills)
        doubtful = self.happening == "BECAME_UNCERTAIN"
        certain = self.order.certainty is Certainty.CONFIRMED
        return News(
            self.order.order_id, self.order.state, standing_of(self.order), first_fill, doubtful, self.closes, certain
        )


Event: TypeAlias = Command | Changed


@dataclass(frozen=True, slots=True)
class News:
    """What an update says of its order, in the words of whoever watches the outbox and reads no payloads."""

    order_id: str
    state: State
    standing: Standing
    first_fill: bool = False
    became_uncertain: bool = False
    # The change has brought the order to its end.
    closed: bool = False
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Message:
    """One message for the bus.

    `pending_order` names the order whose leaving PENDING proves that a command had effect. `news` is there for updates only.
    """

    event_id: str
    subject: str
    payload: bytes
    headers: Mapping[str, str]
    pending_order: str = ""
    news: News | None = None


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


def change_named(event_id: str) -> tuple[str, int]:
    """Return the order and the revision that the id of a change names."""
    order_id, _, revision = event_id.rpartition(":")
    return order_id, int(revision)


def submit(order: Order) -> Command:
    """Return the command that sends an order."""
    return Command(command_id=f"{order.order_id}:submit", asks=Asks.SUBMIT, order=order)


def query(order: Order, number: int) -> Command:
    """Return the command that asks the exchange what became of an order; `number` tells one question from another."""
    return Command(command_id=f"{order.order_id}:query:{number}", asks=Asks.QUERY, order=order)


def asked_before(order: Order) -> Command | None:
    """Return the cancel or replace that is not decided yet, as it was first asked for; None when there is none."""
    asked = order.pending
    if asked is None:
        return None
    if order.pending_action is PendingAction.CANCEL:
        return Command(asked.command_id, Asks.CANCEL, order)
    return Command(asked.command_id, Asks.REPLACE, order, asked.quantity, asked.price_micros, asked.number)


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
    return Changed(after, happening, telling.time, fills, closes=after.is_terminal and not before.is_terminal)
