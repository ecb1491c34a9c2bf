"""The contract's messages for what the gateway hears and says on the bus and to operators: protobuf to domain and back."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from exchange_gw.command import Asks, Command, Side, TimeInForce, Type
from exchange_gw.exchange import SessionState, Standing
from exchange_gw.journal import Row
from exchange_gw.ports import Break
from exchange_gw.report import Report
from exchange_gw.tick import Instrument, Phase, Tick
from exchange_gw.trading import Permission, TradingState
from gen.trading.v1 import exchange_pb2, order_pb2, price_pb2
from runtime.errors import Malformed
from runtime.money import text_from_micros

_Command, _Order = exchange_pb2.OrderCommand, order_pb2.Order
_ASKS = {_Command.Kind.Value(asks.value): asks for asks in Asks}
_SIDES = {_Order.Side.Value(side.value): side for side in Side}
_TYPES = {_Order.Type.Value(kind.value): kind for kind in Type}
_TIMES = {_Order.TimeInForce.Value(time.value): time for time in TimeInForce}
_TIMES[_Order.TIME_IN_FORCE_UNSPECIFIED] = TimeInForce.DAY
_REPORT_KINDS = dict(exchange_pb2.ExecutionReport.Kind.items())
_SOURCES = dict(order_pb2.Reason.Source.items())
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The year 5138 in microseconds.
MOST_TIME_DIGITS = 17


class MalformedCommand(Malformed):
    """A command that can never be carried out; `order_id` and `command_id` are empty when they could not be read."""

    def __init__(self, message: str, *, order_id: str = "", command_id: str = "") -> None:
        super().__init__(message)
        self.order_id, self.command_id = order_id, command_id


def command_from(payload: bytes, *, committed: str = "", published: datetime | None = None) -> Command:
    """Return the command in a message of ORDER_COMMANDS. Raises MalformedCommand.

    `committed` is its header Committed-Time (microseconds since 1970), `published` when the broker had it.
    """
    try:
        message = _Command.FromString(payload)
    except DecodeError as error:
        raise MalformedCommand(f"not an order command: {error}") from None
    try:
        command = Command(
            command_id=message.command_id,
            asks=_ASKS[message.kind],
            order_id=message.order_id,
            client_order_id=message.client_order_id,
            account_id=message.account_id,
            symbol=message.symbol,
            side=_SIDES[message.side],
            type=_TYPES[message.type],
            time_in_force=_TIMES[message.time_in_force],
            quantity=message.quantity,
            price_micros=message.limit_price_micros or message.collar_price_micros,
            submit_by=message.submit_by.ToDatetime(UTC) if message.HasField("submit_by") else None,
            number=message.replace_number,
            active_number=message.active_number,
            exchange_order_id=message.exchange_order_id,
            create_time=message.create_time.ToDatetime(UTC) if message.HasField("create_time") else None,
            commit_time=_from_micros(committed),
            publish_time=published,
            raw=payload,
        )
        _check(command)
    except (LookupError, ValueError) as error:
        raise MalformedCommand(
            f"an order command that means nothing: {error}", order_id=message.order_id, command_id=message.command_id
        ) from None
    return command


def _from_micros(text: str) -> datetime | None:
    """Return the time that a header tells; None when it tells none: a wrong stamp is no reason to refuse an order."""
    if not (text.isascii() and text.isdecimal() and len(text) <= MOST_TIME_DIGITS):
        return None
    return _EPOCH + timedelta(microseconds=int(text))


def _check(command: Command) -> None:
    # FIX is one byte a character and separates fields with SOH; a ClOrdID is the order's id and what is added after a dash.
    texts = (command.order_id, command.account_id, command.symbol, command.exchange_order_id)
    problems = {
        "command_id": not command.command_id,
        # The journal names its own documents with the other two.
        "order_id": not command.order_id or "-" in command.order_id or command.order_id[0] in "=~",
        "account_id": not command.account_id,
        "symbol": not command.symbol,
        "text": any(not (text.isascii() and text.isprintable()) for text in texts),
        "active_number": command.active_number < 0,
        "replace_number": command.number < 0 or (command.asks is Asks.REPLACE and not command.number),
    }
    if command.asks in (Asks.SUBMIT, Asks.REPLACE):
        problems["quantity"] = command.quantity <= 0
        problems["price"] = command.price_micros < 0 or (command.type is Type.LIMIT and not command.price_micros)
    wrong = [name for name, is_wrong in problems.items() if is_wrong]
    if wrong:
        raise ValueError(f"bad {', '.join(wrong)}")


def report_to_proto(report: Report) -> exchange_pb2.ExecutionReport:
    """Return a fact as the orders hear it."""
    message = exchange_pb2.ExecutionReport(
        report_id=report.report_id,
        kind=_REPORT_KINDS[report.kind.value],
        order_id=report.order_id,
        client_order_id=report.client_order_id,
        account_id=report.account_id,
        exchange_order_id=report.exchange_order_id,
        exec_id=report.exec_id,
        exec_ref_id=report.exec_ref_id,
        last_quantity=report.last_quantity,
        last_price_micros=report.last_price_micros,
        cumulative_quantity=report.cumulative_quantity,
        command_id=report.command_id,
        new_quantity=report.new_quantity,
        new_limit_price_micros=report.new_limit_price_micros,
        replace_number=report.replace_number,
    )
    if report.reason is not None:
        reason = message.reason
        reason.code, reason.message = report.reason.code, report.reason.message
        reason.source = _SOURCES[report.reason.source.value]
    if report.exchange_time is not None:
        _stamp(message.exchange_time, report.exchange_time)
    _stamp(message.gateway_time, report.gateway_time)
    if report.hops is not None:
        for name in ("commit_time", "publish_time", "intent_time", "send_time"):
            time = getattr(report.hops, name)
            if time is not None:
                _stamp(getattr(message, name), time)
    return message


def _stamp(target: Timestamp, when: datetime) -> None:
    """Write a time; Timestamp.FromDatetime costs five times as much."""
    since = when - _EPOCH
    target.seconds, target.nanos = since.days * 86_400 + since.seconds, since.microseconds * 1_000


def tick_batch_bytes(ticks: Sequence[Tick], phases: Sequence[Phase]) -> bytes:
    """Return the message of stream TICKS for what was heard of one partition."""
    batch = price_pb2.TickBatch()
    add = batch.ticks.add
    for tick in ticks:
        # Keyword by keyword in one call is the quickest way into a protobuf message.
        message = add(
            symbol=tick.symbol,
            price_micros=tick.price_micros,
            size=tick.size,
            bid_micros=tick.bid_micros,
            ask_micros=tick.ask_micros,
            epoch=tick.epoch,
            seq=tick.seq,
            open_micros=tick.open_micros,
            high_micros=tick.high_micros,
            low_micros=tick.low_micros,
            previous_close_micros=tick.previous_close_micros,
            volume=tick.volume,
            snapshot=tick.snapshot,
        )
        time = message.exchange_time
        time.seconds, milliseconds = divmod(tick.time_ms, 1000)
        time.nanos = milliseconds * 1_000_000
    for phase in phases:
        said = batch.phases.add(
            symbol=phase.symbol,
            state=price_pb2.GetMarketStatusResponse.State.Value(phase.state.value),
            reason=phase.reason,
            epoch=phase.epoch,
        )
        said.exchange_time.FromDatetime(phase.time)
    return batch.SerializeToString()


def instrument_batch_bytes(instruments: Sequence[Instrument]) -> bytes:
    """Return the message of stream INSTRUMENTS for one partition."""
    batch = price_pb2.InstrumentBatch()
    for one in instruments:
        batch.instruments.add(
            symbol=one.symbol,
            name=one.name,
            exchange=one.exchange,
            currency=one.currency,
            tick_size=text_from_micros(one.tick_size_micros),
            lot_size=one.lot_size,
            max_quantity=one.max_quantity,
            tradable=one.tradable,
        )
    return batch.SerializeToString()


def permission_to_proto(permission: Permission) -> exchange_pb2.TradingState:
    """Return what may be sent, as others hear it."""
    return exchange_pb2.TradingState(
        state=exchange_pb2.TradingState.State.Value(permission.state.value),
        actor=permission.actor,
        reason=permission.reason,
        update_time=timestamp(permission.update_time),
    )


def permission_from(payload: bytes) -> Permission:
    """Return what may be sent as another gateway said it. Raises Malformed."""
    try:
        message = exchange_pb2.TradingState.FromString(payload)
        state = TradingState(exchange_pb2.TradingState.State.Name(message.state))
    except (DecodeError, ValueError) as error:
        raise Malformed(f"not a trading state: {error}") from None
    time = message.update_time.ToDatetime(UTC) if message.HasField("update_time") else None
    return Permission(state, message.actor, message.reason, time)


def session_to_proto(state: SessionState) -> exchange_pb2.VenueSession:
    """Return how a session stands, for operators."""
    return exchange_pb2.VenueSession(
        sender_comp_id=state.sender,
        target_comp_id=state.target,
        logged_on=state.standing is Standing.LOGGED_ON,
        change_time=timestamp(state.change_time),
        logons=state.logons,
    )


def break_to_proto(found: Break) -> exchange_pb2.Break:
    """Return a break, for operators."""
    return exchange_pb2.Break(
        break_id=found.break_id,
        order_id=found.order_id,
        kind=found.kind,
        detail=found.detail,
        create_time=timestamp(found.create_time),
    )


def row_to_proto(row: Row) -> exchange_pb2.JournalEntry:
    """Return a row of the journal, for operators."""
    return exchange_pb2.JournalEntry(
        order_id=row.order_id,
        decision=exchange_pb2.JournalEntry.Decision.Value(row.decision.value),
        decide_time=timestamp(row.decide_time),
    )


def timestamp(when: datetime | None) -> Timestamp | None:
    """Return a time as the contract has it."""
    if when is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(when)
    return stamp
