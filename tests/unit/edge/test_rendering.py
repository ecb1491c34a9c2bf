"""The fast rendering says the same as protobuf's own, for every message of the contract."""

import json
import math
from typing import Any

import msgspec
import pytest
from google.protobuf import json_format, struct_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.rendering import json_of, renderer, timestamp_text, tree_of
from gen.trading.v1 import exchange_pb2, order_pb2, price_pb2

MESSAGES = [
    descriptor
    for file in (price_pb2, order_pb2, exchange_pb2)
    for descriptor in file.DESCRIPTOR.message_types_by_name.values()
]
F = FieldDescriptor
NUMBERS = {
    F.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    F.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    F.TYPE_DOUBLE: st.floats(),
    F.TYPE_BOOL: st.booleans(),
    F.TYPE_STRING: st.text(max_size=8),
    F.TYPE_BYTES: st.binary(max_size=8),
}


def told(message: Message) -> Any:
    return msgspec.to_builtins(tree_of(message))


def expected(message: Message) -> Any:
    return json_format.MessageToDict(message, always_print_fields_with_no_presence=True)


def values(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.enum_type is not None:
        # 99 stands for a value that a newer service knows.
        return st.sampled_from([*(value.number for value in field.enum_type.values), 99])
    if field.message_type is None:
        return NUMBERS[field.type]
    name = field.message_type.full_name
    if name == "google.protobuf.Timestamp":
        return st.tuples(st.integers(-60_000_000_000, 200_000_000_000), st.sampled_from([0, 5_000_000, 5_000, 5]))
    if name == "google.protobuf.Value":
        return st.sampled_from([{"string_value": "1.5"}, {"number_value": 2.5}, {"bool_value": True}, {}])
    return messages(field.message_type)


@st.composite
def messages(draw: st.DrawFn, descriptor: Descriptor) -> Message:
    message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if not draw(st.booleans()):
            continue
        if field.is_repeated:
            getattr(message, field.name).extend(draw(st.lists(values(field), max_size=2)))
            continue
        value = draw(values(field))
        if isinstance(value, tuple):
            getattr(message, field.name).seconds, getattr(message, field.name).nanos = value
        elif isinstance(value, dict):
            getattr(message, field.name).CopyFrom(struct_pb2.Value(**value))
        elif isinstance(value, Message):
            getattr(message, field.name).CopyFrom(value)
        else:
            setattr(message, field.name, value)
    return message


@pytest.mark.parametrize("descriptor", MESSAGES, ids=lambda descriptor: descriptor.name)
@settings(max_examples=8, deadline=None)
@given(drawn=st.data())
def test_every_message_is_rendered_as_protobuf_does(descriptor: Descriptor, drawn: st.DataObject) -> None:
    message = drawn.draw(messages(descriptor))

    assert same(told(message), expected(message))
    assert same(json.loads(json_of(message)), json.loads(json.dumps(expected(message))))


def same(one: Any, other: Any) -> bool:
    return one == other or (isinstance(one, float) and math.isnan(one) and math.isnan(other))


@pytest.mark.parametrize("descriptor", MESSAGES, ids=lambda descriptor: descriptor.name)
def test_an_empty_message_shows_every_field_without_presence(descriptor: Descriptor) -> None:
    message = GetMessageClass(descriptor)()
    assert told(message) == expected(message)


def test_well_known_types_keep_their_own_form() -> None:
    texts = struct_pb2.Struct(fields={"a": struct_pb2.Value(string_value="1")})
    for value in (struct_pb2.Value(string_value="190.12"), struct_pb2.Value(struct_value=texts), struct_pb2.Value()):
        request = order_pb2.PlaceOrderRequest(amount=value)
        assert told(request) == expected(request)


def test_some_fields_may_be_rendered_alone() -> None:
    ltp = renderer(price_pb2.Quote.DESCRIPTOR, only=("symbol", "volume", "quote_time"))
    assert json.loads(ltp(price_pb2.Quote(symbol="A", price="1", volume=5))) == {"symbol": "A", "volume": "5"}


@pytest.mark.parametrize(
    ("nanos", "text"),
    [(0, "00Z"), (120_000_000, "00.120Z"), (123_456_000, "00.123456Z"), (1, "00.000000001Z")],
)
def test_times_have_as_many_decimals_as_they_need(nanos: int, text: str) -> None:
    assert timestamp_text(1_767_225_600, nanos) == f"2026-01-01T00:00:{text}"


def test_a_time_that_no_calendar_has_is_an_error_as_in_protobuf() -> None:
    with pytest.raises((ValueError, OverflowError)):
        timestamp_text(10**15, 0)
