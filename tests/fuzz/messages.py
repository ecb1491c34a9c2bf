"""Harnesses of what comes over the bus and gRPC: protobuf bytes to our records, and on to what is written. Pure."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bson import encode
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

from edge.rendering import json_of
from exchange_gw import fix_messages
from exchange_gw import wire as gateway_wire
from gen.trading.v1 import exchange_pb2, order_pb2, price_pb2
from order_svc import documents, request
from order_svc import wire as order_wire
from price_svc import wire as price_wire
from runtime.errors import InvalidArgument, Malformed
from runtime.money import InvalidMoney
from tests.factories import an_order
from tests.fuzz.harness import Harness, mutated

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_INT64 = st.one_of(st.integers(-(2**63), 2**63 - 1), st.sampled_from([0, 1, -1, 10**9, 10**15, 2**63 - 1, -(2**63)]))
_INT32 = st.integers(-(2**31), 2**31 - 1)
_TEXT = st.one_of(st.text(max_size=12), st.sampled_from(["AAPL", "190.12", "buy", "NaN", "o-1", "\x01", "k", "=x"]))
_SIMPLE: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.CPPTYPE_STRING: _TEXT,
    FieldDescriptor.CPPTYPE_INT64: _INT64,
    FieldDescriptor.CPPTYPE_INT32: _INT32,
    FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
    FieldDescriptor.CPPTYPE_DOUBLE: st.floats(),
    FieldDescriptor.CPPTYPE_ENUM: st.integers(0, 14),
}


def filled(kind: type[Message], *, depth: int = 3) -> st.SearchStrategy[Message]:
    """Return messages with any of their fields set to anything that the wire can carry."""
    fields = {
        field.name: _value(field, depth)
        for field in kind.DESCRIPTOR.fields
        if field.message_type is None or (depth and not field.message_type.GetOptions().map_entry)
    }
    return st.fixed_dictionaries({}, optional=fields).map(lambda given: _made(kind, given))


def _made(kind: type[Message], given: dict[str, Any]) -> Message:
    message = kind()
    for name, value in given.items():
        if isinstance(value, list):
            getattr(message, name).extend(value)
        elif isinstance(value, Message):
            getattr(message, name).CopyFrom(value)
        else:
            setattr(message, name, value)
    return message


def _value(field: Any, depth: int) -> st.SearchStrategy[Any]:
    one: st.SearchStrategy[Any] = st.binary(max_size=8)
    if field.message_type is not None:
        one = filled(GetMessageClass(field.message_type), depth=depth - 1)
    elif field.cpp_type in _SIMPLE and field.type != FieldDescriptor.TYPE_BYTES:
        one = _SIMPLE[field.cpp_type]
    return st.lists(one, max_size=3) if field.is_repeated else one


def _bytes(kind: type[Message], good: dict[str, Any] | None = None) -> st.SearchStrategy[bytes]:
    """Return messages of any content, and good ones of which some fields are something else."""
    fields = {field.name: _value(field, 2) for field in kind.DESCRIPTOR.fields}
    some = st.sets(st.sampled_from(sorted(fields)), max_size=3)
    changed = some.flatmap(lambda names: st.fixed_dictionaries({name: fields[name] for name in names}))
    nearly = changed.map(lambda given: _made(kind, {**(good or {}), **given}))
    return mutated(st.one_of(nearly, nearly, filled(kind)).map(lambda message: message.SerializeToString()))


def _read(kind: type[Message], data: bytes) -> Any:
    try:
        return kind.FromString(data)
    except DecodeError:
        return None


def _named(refusal: InvalidArgument) -> None:
    """A refusal tells which field is wrong."""
    assert refusal.metadata["field"]


def check_order_request(data: bytes) -> None:
    """A request is a wish that can be stored and told, or is refused with the field that is wrong."""
    asked = _read(order_pb2.PlaceOrderRequest, data)
    if asked is None:
        return
    try:
        wish = request.wish_from(asked, account_id="demo", receive_time=NOW)
    except InvalidArgument as refusal:
        _named(refusal)
        return
    order = replace(an_order(), terms=wish.terms, client_order_id=wish.client_order_id)
    assert documents.order_from(documents.document_of(order)) == order
    encode(documents.document_of(order))
    json_of(order_wire.order_to_proto(order))


def check_list_request(data: bytes) -> None:
    """Filters of a list are ours, or refused."""
    asked = _read(order_pb2.ListOrdersRequest, data)
    if asked is None:
        return
    try:
        order_wire.states_from(asked.states)
        if asked.HasField("changed_since"):
            request.time_from(asked.changed_since, field="changed_since")
    except InvalidArgument as refusal:
        _named(refusal)


def check_report(data: bytes) -> None:
    """A fact can be stored, read again and told to the client, or the message is malformed."""
    try:
        order_id, fact = order_wire.fact_from(data, now=NOW)
    except Malformed:
        return
    assert order_id
    order = an_order().with_facts([fact], now=NOW)
    written = documents.document_of(order)
    encode(written)
    assert documents.order_from(written) == order
    for entry in order_wire.timeline_to_proto(order):
        json_of(entry)


def check_command(data: bytes) -> None:
    """A command is one that FIX can carry, or is malformed."""
    try:
        command = gateway_wire.command_from(data, committed=data[:17].decode("latin-1"))
    except Malformed:
        return
    message = fix_messages.request_of(command, NOW, again=True)
    assert all("\x01" not in value for value in message.body.values())
    fix_messages.status_request(command, request_id="q")


def check_quotes(data: bytes) -> None:
    """Quotes of another replica are read as they are told, or hold no money."""
    batch = _read(price_pb2.QuoteBatch, data)
    if batch is None:
        return
    try:
        quotes = price_wire.quotes_from(batch)
        price_wire.phase_told(batch)
    except InvalidMoney:
        return
    for quote in quotes:
        again = price_wire.quotes_from(price_pb2.QuoteBatch(quotes=[price_wire.quote_to(quote)]))[0]
        assert (again.symbol, again.price_micros, again.seq) == (quote.symbol, quote.price_micros, quote.seq)


def check_ticks(data: bytes) -> None:
    """Ticks and phases are read as they are told."""
    batch = _read(price_pb2.TickBatch, data)
    if batch is None:
        return
    for tick in batch.ticks:
        assert price_wire.tick_from(tick, 1).symbol == tick.symbol
    for phase in batch.phases:
        price_wire.phase_from(phase, 1)


_ORDER = {"symbol": "AAPL", "side": 1, "type": 1, "quantity": 10}
_REPORT = {
    "order_id": "o1",
    "report_id": "r1",
    "kind": exchange_pb2.ExecutionReport.FILL,
    "exec_id": "e1",
    "last_quantity": 1,
}
_COMMAND = {
    **_ORDER,
    "command_id": "c1",
    "order_id": "o1",
    "account_id": "demo",
    "kind": 1,
    "limit_price_micros": 10**6,
}

HARNESSES = (
    Harness(
        "order_requests", _bytes(order_pb2.PlaceOrderRequest, {**_ORDER, "limit_price": "1.00"}), check_order_request
    ),
    Harness("list_requests", _bytes(order_pb2.ListOrdersRequest), check_list_request),
    Harness("reports", _bytes(exchange_pb2.ExecutionReport, _REPORT), check_report),
    Harness("commands", _bytes(exchange_pb2.OrderCommand, _COMMAND), check_command),
    Harness("quotes", _bytes(price_pb2.QuoteBatch), check_quotes),
    Harness("ticks", _bytes(price_pb2.TickBatch), check_ticks),
)
