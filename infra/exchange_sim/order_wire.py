"""Orders in FIX 4.4: requests read from D, F and G, reports written as 8 and 9."""

from typing import TypeVar

from fixcore.message import Message

from infra.exchange_sim import trade_wire
from infra.exchange_sim.codes import (
    EXEC_TYPES,
    SIDE_CODES,
    SIDES,
    STATE_CODES,
    TIME_IN_FORCE_CODES,
    TIMES_IN_FORCE,
    TYPE_CODES,
    TYPES,
)
from infra.exchange_sim.facts import Accepted, Canceled, Filled, OrderType, Rejected, Replaced, TimeInForce
from infra.exchange_sim.order import Order, State
from infra.exchange_sim.reports import CancelRefusal, Capture, Execution, NoCapture, Report, Status
from infra.exchange_sim.requests import CancelRequest, NewOrder, RejectReason, ReplaceRequest
from infra.exchange_sim.wire import CL_ORD_ID, SYMBOL, BadMessage, Text, fields, price, required, shares, time_text
from runtime.money import average_micros, text_from_micros

Meaning = TypeVar("Meaning")
ORIG_CL_ORD_ID = 41
_STATUS = "I"
_ALL_ORDERS = "7"


def new_order(message: Message, session: str) -> NewOrder:
    """Read a NewOrderSingle (D). Raises BadMessage."""
    kind = _coded(message, 40, TYPES)
    has_price = kind is OrderType.LIMIT or bool(message.get_field_or(44))
    return NewOrder(
        session=session,
        cl_ord_id=required(message, CL_ORD_ID),
        account=message.get_field_or(1),
        symbol=required(message, SYMBOL),
        side=_coded(message, 54, SIDES),
        type=kind,
        time_in_force=_coded(message, 59, TIMES_IN_FORCE) if message.has_field(59) else TimeInForce.DAY,
        quantity=shares(message, 38),
        price_micros=price(message, 44) if has_price else 0,
    )


def cancel_request(message: Message, session: str) -> CancelRequest:
    """Read an OrderCancelRequest (F). Raises BadMessage."""
    return CancelRequest(
        session=session, cl_ord_id=required(message, CL_ORD_ID), orig_cl_ord_id=required(message, ORIG_CL_ORD_ID)
    )


def replace_request(message: Message, session: str) -> ReplaceRequest:
    """Read an OrderCancelReplaceRequest (G). Raises BadMessage."""
    return ReplaceRequest(
        session=session,
        cl_ord_id=required(message, CL_ORD_ID),
        orig_cl_ord_id=required(message, ORIG_CL_ORD_ID),
        quantity=shares(message, 38),
        price_micros=price(message, 44),
    )


def mass_status_request_id(message: Message) -> str:
    """Read the id of an OrderMassStatusRequest (AF). Raises BadMessage when it asks for less than all orders."""
    if required(message, 585) != _ALL_ORDERS:
        raise BadMessage(BadMessage.OTHER, "tag 585 must be 7: all orders")
    return required(message, 584)


def report(content: Report) -> Text:
    """Write a report as an ExecutionReport (8) or OrderCancelReject (9), or as what `trade_wire` writes."""
    match content:
        case Execution():
            return _execution(content)
        case Status():
            return _status(content)
        case CancelRefusal():
            return _cancel_reject(content)
        case Capture():
            return trade_wire.capture(content)
        case NoCapture():
            return trade_wire.no_capture(content)


def _execution(execution: Execution) -> Text:
    fact, order = execution.fact, execution.order
    # A duplicate has no order of its own: its report speaks of the request alone.
    shown = order or fact
    trade = fact if isinstance(fact, Filled) else None
    reason = fact.reason if isinstance(fact, Rejected) else None
    return Text(
        "8",
        fields(
            (37, fact.order_id or "NONE"),
            (CL_ORD_ID, fact.cl_ord_id),
            (ORIG_CL_ORD_ID, fact.orig_cl_ord_id if isinstance(fact, Canceled | Replaced) else None),
            (17, fact.exec_id),
            (150, EXEC_TYPES[type(fact)]),
            (39, STATE_CODES[order.state if order else State.REJECTED]),
            (1, fact.account),
            (SYMBOL, fact.symbol),
            (54, SIDE_CODES[fact.side]),
            (38, shown.quantity),
            (40, TYPE_CODES[order.type] if order else None),
            (44, _price_text(shown.price_micros)),
            (59, TIME_IN_FORCE_CODES[order.time_in_force] if order else None),
            (32, trade.last_quantity if trade else None),
            (31, text_from_micros(trade.last_price_micros) if trade else None),
            *_progress(order),
            (60, time_text(fact.time_us)),
            (103, reason),
            (58, None if isinstance(fact, Accepted | Filled | Replaced) else fact.text),
        ),
    )


def _status(status: Status) -> Text:
    order, part = status.order, status.part
    about = (
        (17, "0"),
        (150, _STATUS),
        (39, STATE_CODES[order.state if order else State.REJECTED]),
        (790, status.request_id),
        (584, part.request_id if part else None),
        (585, _ALL_ORDERS if part else None),
        (911, part.total if part else None),
        (912, ("Y" if part.number == part.total else "N") if part else None),
    )
    if order is None:
        text = "there is no order" if part else "no order has this ClOrdID"
        unknown = None if part else int(RejectReason.UNKNOWN_ORDER)
        asked = (37, "NONE"), (CL_ORD_ID, status.cl_ord_id)
        return Text(
            "8", fields(*asked, *about, *_progress(None), (60, time_text(status.time_us)), (103, unknown), (58, text))
        )
    return Text(
        "8",
        fields(
            (37, order.order_id),
            (CL_ORD_ID, order.cl_ord_id),
            (ORIG_CL_ORD_ID, order.orig_cl_ord_id),
            *about,
            (1, order.account),
            (SYMBOL, order.symbol),
            (54, SIDE_CODES[order.side]),
            (38, order.quantity),
            (40, TYPE_CODES[order.type]),
            (44, _price_text(order.price_micros)),
            (59, TIME_IN_FORCE_CODES[order.time_in_force]),
            *_progress(order),
            (60, time_text(order.change_us)),
            (103, order.reason or None),
            (58, order.text),
        ),
    )


def _cancel_reject(refusal: CancelRefusal) -> Text:
    order = refusal.order
    return Text(
        "9",
        fields(
            (37, order.order_id if order else "NONE"),
            (CL_ORD_ID, refusal.cl_ord_id),
            (ORIG_CL_ORD_ID, refusal.orig_cl_ord_id),
            (39, STATE_CODES[order.state if order else State.REJECTED]),
            (1, order.account if order else None),
            (60, time_text(refusal.time_us)),
            (434, 2 if refusal.is_replace else 1),
            (102, refusal.reason),
            (58, refusal.text),
        ),
    )


def _progress(order: Order | None) -> tuple[tuple[int, object], ...]:
    """Return the fields for what is still open, what is filled, and at which average price."""
    if order is None or not order.filled:
        return (151, order.leaves if order else 0), (14, 0), (6, 0)
    return (
        (151, order.leaves),
        (14, order.filled),
        (6, text_from_micros(average_micros(order.paid_micros, order.filled))),
    )


def _price_text(price_micros: int) -> str | None:
    return text_from_micros(price_micros) if price_micros else None


def _coded(message: Message, tag: int, meanings: dict[str, Meaning]) -> Meaning:
    meaning = meanings.get(required(message, tag))
    if meaning is None:
        raise BadMessage(BadMessage.OTHER, f"tag {tag} must be one of {', '.join(meanings)}")
    return meaning
