"""What the venue says, as facts about orders. Pure.

A fact is stated only if the venue's words prove it. A status that counts more filled shares than we have heard of does not make
fills: its count goes along as `cumulative_quantity`, and the fills themselves are left to the reconciliation with the drop copy.
"""

from datetime import datetime

from exchange_gw.command import Command, number_of, order_id_of
from exchange_gw.exchange import (
    DUPLICATE_ORDER,
    ChangeRefused,
    ExecType,
    Execution,
    OrdStatus,
    Unsupported,
)
from exchange_gw.report import Kind, Reason, Report, Source, report_id_of

CANCELED_BY_USER = "CANCELED_BY_USER"
CANCELED_BY_EXCHANGE = "CANCELED_BY_EXCHANGE"
EXPIRED_AT_EXCHANGE = "EXPIRED_AT_EXCHANGE"

_KINDS = {
    ExecType.NEW: Kind.PLACED,
    ExecType.FILL: Kind.FILL,
    ExecType.CANCELED: Kind.CANCELED,
    ExecType.REPLACED: Kind.REPLACED,
    ExecType.REJECTED: Kind.REJECTED,
    ExecType.EXPIRED: Kind.EXPIRED,
    ExecType.BUST: Kind.BUST,
    ExecType.CORRECTION: Kind.CORRECTION,
}
WITH_SHARES = frozenset({Kind.FILL, Kind.BUST, Kind.CORRECTION})
# Where an order stands → what has happened to it for certain. PENDING_NEW is not in the book yet.
_PROVED = {
    OrdStatus.NEW: Kind.PLACED,
    OrdStatus.PARTIALLY_FILLED: Kind.PLACED,
    OrdStatus.FILLED: Kind.PLACED,
    OrdStatus.DONE_FOR_DAY: Kind.PLACED,
    OrdStatus.STOPPED: Kind.PLACED,
    OrdStatus.SUSPENDED: Kind.PLACED,
    OrdStatus.CALCULATED: Kind.PLACED,
    OrdStatus.PENDING_CANCEL: Kind.PLACED,
    OrdStatus.PENDING_REPLACE: Kind.PLACED,
    OrdStatus.CANCELED: Kind.CANCELED,
    OrdStatus.EXPIRED: Kind.EXPIRED,
    OrdStatus.REJECTED: Kind.REJECTED,
}


def facts_of(execution: Execution, now: datetime, *, cancel_asked: bool = False) -> list[Report]:
    """Return the facts that an execution report or status proves; none for what proves nothing.

    `cancel_asked` says that we have asked for a cancel of the order and have had no answer yet.
    """
    if execution.is_unknown or execution.is_empty or not order_id_of(execution.cl_ord_id):
        return []
    if execution.exec_type is ExecType.STATUS:
        proved = [_PROVED[execution.status]] if execution.status in _PROVED else []
        if number_of(execution.cl_ord_id) and execution.status is not OrdStatus.PENDING_REPLACE:
            proved.append(Kind.REPLACED)
        return [_fact(kind, execution, now, cancel_asked=cancel_asked) for kind in proved]
    kind = _KINDS.get(execution.exec_type)
    # "Duplicate" refuses a repetition: the order it repeats is at the venue, so nothing is rejected.
    if kind is None or (kind is Kind.REJECTED and execution.refusal == DUPLICATE_ORDER):
        return []
    return [_fact(kind, execution, now, cancel_asked=cancel_asked)]


def _fact(kind: Kind, execution: Execution, now: datetime, *, cancel_asked: bool) -> Report:
    order_id, number = order_id_of(execution.cl_ord_id), number_of(execution.cl_ord_id)
    has_shares, is_replaced = kind in WITH_SHARES, kind is Kind.REPLACED
    return Report(
        report_id=report_id_of(kind, order_id, *_what_tells_it_apart(kind, execution, number)),
        kind=kind,
        order_id=order_id,
        account_id=execution.account_id,
        exchange_order_id=execution.exchange_order_id,
        exec_id=execution.exec_id if has_shares else "",
        exec_ref_id=execution.exec_ref_id if has_shares else "",
        last_quantity=execution.last_quantity if has_shares else 0,
        last_price_micros=execution.last_price_micros if has_shares else 0,
        cumulative_quantity=execution.cumulative_quantity,
        new_quantity=execution.quantity if is_replaced else 0,
        new_limit_price_micros=execution.price_micros if is_replaced else 0,
        replace_number=number if is_replaced else 0,
        reason=_reason(kind, execution, cancel_asked=cancel_asked),
        exchange_time=execution.time,
        gateway_time=now,
        is_answer=execution.exec_type is ExecType.STATUS or bool(execution.request_id),
    )


def _what_tells_it_apart(kind: Kind, execution: Execution, number: int) -> tuple[object, ...]:
    if kind in WITH_SHARES:
        return (execution.exec_id,)
    return (number,) if kind is Kind.REPLACED else ()


def _reason(kind: Kind, execution: Execution, *, cancel_asked: bool) -> Reason | None:
    match kind:
        case Kind.REJECTED:
            return Reason(execution.refusal, Source.EXCHANGE, execution.text)
        case Kind.CANCELED:
            # Only the answer to a cancel of ours names the order's older name beside its own.
            ours = cancel_asked or (execution.exec_type is ExecType.CANCELED and bool(execution.orig_cl_ord_id))
            code, source = (CANCELED_BY_USER, Source.USER) if ours else (CANCELED_BY_EXCHANGE, Source.EXCHANGE)
            return Reason(code, source, execution.text)
        case Kind.EXPIRED:
            return Reason(EXPIRED_AT_EXCHANGE, Source.EXCHANGE, execution.text)
        case _:
            return None


def fact_of_refused_change(refused: ChangeRefused, command_id: str, now: datetime) -> Report | None:
    """Return the fact that a cancel or replace was refused; None when only its repetition was."""
    if refused.refusal == DUPLICATE_ORDER:
        return None
    kind = Kind.REPLACE_REJECTED if refused.is_replace else Kind.CANCEL_REJECTED
    return Report(
        report_id=report_id_of(kind, order_id_of(refused.cl_ord_id), refused.cl_ord_id),
        kind=kind,
        order_id=order_id_of(refused.cl_ord_id),
        exchange_order_id=refused.exchange_order_id,
        command_id=command_id,
        replace_number=number_of(refused.cl_ord_id),
        reason=Reason(refused.refusal, Source.EXCHANGE, refused.text),
        exchange_time=refused.time,
        gateway_time=now,
    )


_OF_MESSAGE = {"D": Kind.REJECTED, "F": Kind.CANCEL_REJECTED, "G": Kind.REPLACE_REJECTED}


def fact_of_unsupported(event: Unsupported, command: Command | None, now: datetime) -> Report | None:
    """Return the fact that the venue refused a request as a message; None when the message was no request about an order."""
    kind = _OF_MESSAGE.get(event.message_type)
    if kind is None or not event.name:
        return None
    order_id = order_id_of(event.name)
    more = () if kind is Kind.REJECTED else (event.name,)
    return Report(
        report_id=report_id_of(kind, order_id, *more),
        kind=kind,
        order_id=order_id,
        command_id=command.command_id if command and kind is not Kind.REJECTED else "",
        reason=Reason(event.code, Source.EXCHANGE, event.text),
        gateway_time=now,
    )
