"""What orders look like to a client: the order, its fills, what happened to it and when."""

from datetime import datetime
from decimal import Decimal

from stockmesh.models.wire import Model, Word


class Side(Word):
    """Direction of an order."""

    BUY = "BUY"
    SELL = "SELL"
    UNRECOGNIZED = "UNRECOGNIZED"


class OrderType(Word):
    """Kind of price: at a limit, or at the market within a collar."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"
    UNRECOGNIZED = "UNRECOGNIZED"


class TimeInForce(Word):
    """How long an order lives."""

    DAY = "DAY"
    """Until the venue's session ends."""
    IOC = "IOC"
    """Fills at once what it can; the rest is canceled."""
    FOK = "FOK"
    """Fills at once and whole, or not at all."""
    GTC = "GTC"
    """Until canceled."""
    UNRECOGNIZED = "UNRECOGNIZED"


class OrderState(Word):
    """Where an order is in its life."""

    PENDING = "PENDING"
    """Stored durably, not yet sent to the exchange."""
    SUBMITTED = "SUBMITTED"
    """Sent; the exchange has not answered yet."""
    PLACED = "PLACED"
    """The exchange has it in its book."""
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    """Some shares are filled."""
    FILLED = "FILLED"
    """All shares are filled."""
    CANCELED = "CANCELED"
    """Ended by a cancel; what was filled stays."""
    REJECTED = "REJECTED"
    """The exchange refused it."""
    EXPIRED = "EXPIRED"
    """Its time ran out; what was filled stays."""
    UNRECOGNIZED = "UNRECOGNIZED"

    @property
    def is_final(self) -> bool:
        """True when the order takes no more commands."""
        return self in {OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED, OrderState.EXPIRED}


class PendingAction(Word):
    """What was asked for and is not decided yet."""

    NONE = "NONE"
    CANCEL = "CANCEL"
    REPLACE = "REPLACE"
    UNRECOGNIZED = "UNRECOGNIZED"


class Certainty(Word):
    """Whether the state is known to be the exchange's; UNCERTAIN until the exchange says what became of the order."""

    CONFIRMED = "CONFIRMED"
    UNCERTAIN = "UNCERTAIN"
    UNRECOGNIZED = "UNRECOGNIZED"


class Reason(Model, frozen=True, kw_only=True):
    """Why an order is as it is: a stable code, who decided (USER, RISK, GATEWAY, EXCHANGE, RECONCILIATION), and words."""

    code: str = ""
    source: str = ""
    message: str = ""


class Order(Model, frozen=True, kw_only=True):
    """An order and all that is known of it. Prices are per share, quantities whole shares; None means not yet, or not."""

    order_id: str = ""
    client_order_id: str = ""
    account_id: str = ""
    symbol: str = ""
    side: Side = Side.UNRECOGNIZED
    type: OrderType = OrderType.UNRECOGNIZED
    time_in_force: TimeInForce = TimeInForce.UNRECOGNIZED
    quantity: int = 0
    limit_price: Decimal | None = None
    collar_price: Decimal | None = None
    filled_quantity: int = 0
    leaves_quantity: int = 0
    average_price: Decimal | None = None
    state: OrderState = OrderState.UNRECOGNIZED
    pending_action: PendingAction = PendingAction.UNRECOGNIZED
    certainty: Certainty = Certainty.UNRECOGNIZED
    reason: Reason | None = None
    exchange_order_id: str = ""
    revision: int = 0
    submit_by: datetime | None = None
    create_time: datetime | None = None
    update_time: datetime | None = None
    place_time: datetime | None = None
    close_time: datetime | None = None


class Execution(Model, frozen=True, kw_only=True):
    """One fill; the same exec_id is never counted twice."""

    exec_id: str
    quantity: int = 0
    price: Decimal | None = None
    execution_time: datetime | None = None


class EventKind(Word):
    """What happened to an order."""

    CREATED = "CREATED"
    SUBMITTED = "SUBMITTED"
    PLACED = "PLACED"
    FILL = "FILL"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    CANCELED = "CANCELED"
    CANCEL_REJECTED = "CANCEL_REJECTED"
    REPLACE_REQUESTED = "REPLACE_REQUESTED"
    REPLACED = "REPLACED"
    REPLACE_REJECTED = "REPLACE_REJECTED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    BECAME_UNCERTAIN = "BECAME_UNCERTAIN"
    BECAME_CERTAIN = "BECAME_CERTAIN"
    RESTATED = "RESTATED"
    UNRECOGNIZED = "UNRECOGNIZED"


class OrderEvent(Model, frozen=True, kw_only=True):
    """What happened: the last and most telling of the happenings of an update, and the fills that it adds."""

    kind: EventKind = EventKind.UNRECOGNIZED
    event_time: datetime | None = None
    executions: tuple[Execution, ...] = ()


class OrderUpdate(Model, frozen=True, kw_only=True):
    """A change of an order, in the account's gap-free stream: its own position and that of the update before it."""

    position: str
    order: Order
    previous: str = ""
    event: OrderEvent = OrderEvent()


class OrderSnapshot(Model, frozen=True, kw_only=True):
    """What is open, or changed after `changed_since`: where a reading of updates begins, or begins anew.

    A very long one is cut: with a next_page_token, `orders_page` with the same changed_since gives the rest.
    """

    position: str = ""
    orders: tuple[Order, ...] = ()
    changed_since: datetime | None = None
    next_page_token: str = ""


class Placement(Model, frozen=True, kw_only=True):
    """The order that a key stands for; `replayed` when an earlier request with the same key had placed it."""

    order: Order
    replayed: bool = False


class Preview(Model, frozen=True, kw_only=True):
    """The order as it would be stored, and the most that it can cost or the least that it can bring, without fees."""

    order: Order
    estimated_amount: Decimal | None = None


class OrderPage(Model, frozen=True, kw_only=True):
    """Some orders, newest first; next_page_token is empty on the last page."""

    orders: tuple[Order, ...] = ()
    next_page_token: str = ""


class TimelineEntry(Model, frozen=True, kw_only=True):
    """One step of an order's way: when it happened by its doer's clock, and when the order service stored it."""

    event: str = ""
    event_time: datetime | None = None
    record_time: datetime | None = None
    detail: str = ""
