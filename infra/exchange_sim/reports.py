"""What the exchange tells its members about their orders. `session` is who is told (a SenderCompID)."""

from msgspec import Struct

from infra.exchange_sim.facts import AnyFact
from infra.exchange_sim.fills import Fill
from infra.exchange_sim.order import Order


class Execution(Struct, frozen=True):
    """A fact about an order, with the order as it was right after it; no order for a duplicate."""

    session: str
    fact: AnyFact
    order: Order | None


class CancelRefusal(Struct, frozen=True, kw_only=True):
    """A cancel or replace was refused; `order` is absent when the exchange knows none."""

    session: str
    cl_ord_id: str
    orig_cl_ord_id: str
    order: Order | None
    is_replace: bool
    reason: int
    text: str
    time_us: int


class Part(Struct, frozen=True):
    """Place of a status in the answer to a mass status request: its number, from 1, of how many; 0 of 0 when there is none."""

    request_id: str
    number: int
    total: int


class Status(Struct, frozen=True, kw_only=True):
    """What an order is now; absent when the exchange knows none by the key that was asked for."""

    session: str
    cl_ord_id: str
    order: Order | None
    time_us: int
    request_id: str = ""
    part: Part | None = None


class Capture(Struct, frozen=True):
    """A trade, told again because it was asked for: its place in the answer as in `Part`."""

    session: str
    fill: Fill
    part: Part


class NoCapture(Struct, frozen=True, kw_only=True):
    """There is no trade to tell of; or, with a `refusal` (TradeRequestResult, tag 749), there is no answer."""

    session: str
    request_id: str
    request_type: str
    refusal: int = 0
    text: str = ""


Report = Execution | CancelRefusal | Status | Capture | NoCapture
