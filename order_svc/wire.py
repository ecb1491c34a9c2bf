"""Orders in the words of the contract: domain to protobuf and back. Both doors use it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from gen.trading.v1 import exchange_pb2, order_pb2
from order_svc.event import Asks, Changed, Command, Event, Message
from order_svc.fact import Fact, Kind, Reason, Source
from order_svc.order import Order, State
from runtime.errors import InvalidArgument, Malformed
from runtime.money import text_from_micros, text_or_empty
from runtime.subjects import order_command, order_update

_Order = order_pb2.Order
_Report = exchange_pb2.ExecutionReport
_STATE_OF = {_Order.State.Value(state.value): state for state in State}


class InvalidState(InvalidArgument):
    """A number that is no state of an order."""

    reason = "INVALID_STATE"


def message_of(event: Event) -> Message:
    """Return the message for the bus that an event is; its id makes a repetition harmless."""
    order = event.order
    headers = {"Order-Id": order.order_id, "Idempotency-Key": order.client_order_id}
    if isinstance(event, Changed):
        subject, payload = order_update(order.account_id), update_to_proto(event).SerializeToString()
        return Message(event.event_id, subject, payload, headers, news=event.news)
    subject, payload = order_command(order.account_id), command_to_proto(event).SerializeToString()
    pending = order.order_id if event.asks is Asks.SUBMIT else ""
    return Message(event.command_id, subject, payload, headers, pending)


def order_to_proto(order: Order) -> order_pb2.Order:
    """Return the order as clients see it."""
    terms, state = order.terms, order.state
    message = order_pb2.Order(
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        account_id=order.account_id,
        symbol=terms.symbol,
        side=_Order.Side.Value(terms.side),
        type=_Order.Type.Value(terms.type),
        time_in_force=_Order.TimeInForce.Value(terms.time_in_force),
        quantity=order.quantity,
        limit_price=text_or_empty(order.limit_price_micros),
        collar_price=text_or_empty(terms.collar_price_micros),
        filled_quantity=order.filled_quantity,
        leaves_quantity=order.leaves_quantity,
        average_price=text_or_empty(order.average_price_micros),
        state=_Order.State.Value(state),
        pending_action=_Order.PendingAction.Value(order.pending_action),
        certainty=_Order.Certainty.Value(order.certainty),
        exchange_order_id=order.exchange_order_id,
        revision=order.revision,
        submit_by=_timestamp(terms.submit_by),
        create_time=_timestamp(order.create_time),
        update_time=_timestamp(order.update_time),
        place_time=_timestamp(order.place_time),
        close_time=_timestamp(order.close_time),
    )
    if order.reason:
        message.reason.CopyFrom(_reason_to_proto(order.reason))
    return message


def execution_to_proto(fill: Fact) -> order_pb2.Execution:
    """Return a fill as clients see it."""
    return order_pb2.Execution(
        exec_id=fill.exec_id,
        quantity=fill.quantity,
        price=text_from_micros(fill.price_micros),
        execution_time=_timestamp(fill.time),
    )


def update_to_proto(change: Changed) -> order_pb2.OrderUpdate:
    """Return a change as it travels on the bus; the stream knows its position."""
    happened = order_pb2.OrderEvent(
        kind=order_pb2.OrderEvent.Kind.Value(change.happening),
        event_time=_timestamp(change.time),
        executions=[execution_to_proto(fill) for fill in change.fills],
    )
    return order_pb2.OrderUpdate(event=happened, order=order_to_proto(change.order))


# What the hops of a fact tell, in their order.
_HOPS = ("COMMITTED", "PUBLISHED", "INTENT", "SENT")


def timeline_to_proto(order: Order, *, pushed: datetime | None = None) -> list[order_pb2.TimelineEntry]:
    """Return what happened to an order, oldest first; `pushed` is when the broker had the update with the first fill.

    Clocks of several processes and of the exchange meet here, and some have milliseconds only: what shows the same millisecond
    stands in the order in which it must have happened.
    """
    steps = [_Step("CREATED", order.create_time, order.create_time)]
    if order.receive_time:
        steps.insert(0, _Step("RECEIVED", order.receive_time, order.create_time))
    first = next((fact for fact in order.facts if fact.hops), None)
    if first:
        steps += [
            _Step(name, datetime.fromtimestamp(moment / 1_000_000, UTC), first.record_time)
            for name, moment in zip(_HOPS, first.hops, strict=False)
            if moment
        ]
    steps += [_Step(fact.kind.value, fact.time, fact.record_time, _detail_of(fact)) for fact in order.facts]
    if pushed:
        steps.append(_Step("PUSHED", pushed, pushed))
    steps.sort(key=lambda step: _milliseconds(step.time))
    return [
        order_pb2.TimelineEntry(
            event=step.event,
            event_time=_timestamp(step.time),
            record_time=_timestamp(step.record_time),
            detail=step.detail,
        )
        for step in steps
    ]


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of an order's way."""

    event: str
    time: datetime
    record_time: datetime
    detail: str = ""


def _detail_of(fact: Fact) -> str:
    if fact.kind is Kind.FILL:
        return f"{fact.quantity} at {text_from_micros(fact.price_micros)} ({fact.exec_id})"
    return fact.reason.message or fact.reason.code if fact.reason else ""


def command_to_proto(command: Command) -> exchange_pb2.OrderCommand:
    """Return a command as the gateway hears it: all that it needs, so that it asks nobody."""
    order = command.order
    terms = order.terms
    return exchange_pb2.OrderCommand(
        command_id=command.command_id,
        kind=exchange_pb2.OrderCommand.Kind.Value(command.asks),
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        account_id=order.account_id,
        symbol=terms.symbol,
        side=_Order.Side.Value(terms.side),
        type=_Order.Type.Value(terms.type),
        time_in_force=_Order.TimeInForce.Value(terms.time_in_force),
        quantity=command.quantity or order.quantity,
        limit_price_micros=command.price_micros or order.limit_price_micros,
        collar_price_micros=terms.collar_price_micros,
        submit_by=_timestamp(terms.submit_by),
        create_time=_timestamp(order.create_time),
        replace_number=command.number,
        active_number=order.active_number,
        exchange_order_id=order.exchange_order_id,
    )


def fact_from(payload: bytes, *, now: datetime) -> tuple[str, Fact]:
    """Return the order id and the fact that a message of ORDER_REPORTS holds. Raises Malformed."""
    try:
        report = exchange_pb2.ExecutionReport.FromString(payload)
        if not (report.order_id and report.report_id):
            raise Malformed("an execution report without order_id or report_id")
        return report.order_id, _fact_of(report, now)
    except (ValueError, OverflowError, DecodeError) as error:
        # Also values of a newer gateway that this release does not know, and times that no clock has.
        raise Malformed(f"not an execution report: {error}") from error


def _fact_of(report: exchange_pb2.ExecutionReport, now: datetime) -> Fact:
    kind = Kind(_Report.Kind.Name(report.kind))
    when = report.exchange_time if report.HasField("exchange_time") else report.gateway_time
    replaced = kind is Kind.REPLACED
    return Fact(
        fact_id=report.report_id,
        kind=kind,
        time=_milliseconds(when.ToDatetime(UTC)) if when.seconds else now,
        record_time=now,
        exec_id=report.exec_id,
        exec_ref_id=report.exec_ref_id,
        quantity=report.new_quantity if replaced else report.last_quantity,
        price_micros=report.new_limit_price_micros if replaced else report.last_price_micros,
        exchange_order_id=report.exchange_order_id,
        command_id=report.command_id,
        number=report.replace_number,
        reason=_reason_from(report.reason) if report.HasField("reason") else None,
        cumulative=max(report.cumulative_quantity, 0),
        hops=_hops_from(report),
    )


def _hops_from(report: exchange_pb2.ExecutionReport) -> tuple[int, ...]:
    """Return the moments of the submission in microseconds, 0 for one that is absent; nothing when all are."""
    stamps = report.commit_time, report.publish_time, report.intent_time, report.send_time
    hops = tuple(stamp.ToMicroseconds() for stamp in stamps)
    return hops if any(hops) else ()


def states_from(values: Iterable[order_pb2.Order.State.ValueType]) -> frozenset[State]:
    """Return the states that a filter names; the unspecified value means nothing. Raises InvalidState."""
    unknown = [value for value in values if value and value not in _STATE_OF]
    if unknown:
        raise InvalidState(f"there is no state {unknown[0]}", field="states", actual=unknown[0])
    return frozenset(_STATE_OF[value] for value in values if value)


def _reason_from(reason: order_pb2.Reason) -> Reason:
    source = Source(order_pb2.Reason.Source.Name(reason.source)) if reason.source else Source.EXCHANGE
    return Reason(reason.code, source, reason.message)


def _reason_to_proto(reason: Reason) -> order_pb2.Reason:
    return order_pb2.Reason(
        code=reason.code, source=order_pb2.Reason.Source.Value(reason.source), message=reason.message
    )


def _timestamp(when: datetime | None) -> Timestamp | None:
    if when is None:
        return None
    # By hand: Timestamp.FromDatetime costs four times as much, and an order has seven of them.
    seconds = int(when.timestamp() // 1)
    return Timestamp(seconds=seconds, nanos=when.microsecond * 1000)


def _milliseconds(when: datetime) -> datetime:
    """Return the time as MongoDB keeps it, so that an order is the same before and after it was stored."""
    return when.replace(microsecond=when.microsecond // 1000 * 1000)
