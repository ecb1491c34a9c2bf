"""Protobuf messages as canonical JSON (proto3 JSON), fast: each kind of message is read once and compiled to a few C calls.

The same as json_format.MessageToDict(…, always_print_fields_with_no_presence=True), which is pure Python and looks at the
descriptor again for every field of every message.
"""

import base64
import math
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, TypeAlias

import msgspec
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

Convert: TypeAlias = Callable[[Any], Any]
# A record that the JSON encoder writes; what it holds is not looked at here.
Tree: TypeAlias = msgspec.Struct

_encode = msgspec.json.Encoder().encode
_INT64 = frozenset({FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64})
_FLOATS = frozenset({FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT})


def json_of(message: Message) -> bytes:
    """Return the JSON text of a message."""
    return _encode(_compiled(message.DESCRIPTOR)(message))


def tree_of(message: Message) -> Tree:
    """Return what the JSON text of a message says, to be put into a larger text."""
    return _compiled(message.DESCRIPTOR)(message)


def renderer(descriptor: Descriptor, *, only: Collection[str]) -> Callable[[Message], bytes]:
    """Return what makes JSON text of some fields (proto names) of a kind of message."""
    compiled = _compile(descriptor, only)
    return lambda message: _encode(compiled(message))


def timestamp_text(seconds: int, nanos: int) -> str:
    """Return a time (since 1970) in RFC 3339 with 0, 3, 6 or 9 decimals, as proto3 JSON asks. Raises ValueError before year 1."""
    text = _second_text(seconds)
    if nanos == 0:
        return text + "Z"
    if nanos % 1_000_000 == 0:
        return f"{text}.{nanos // 1_000_000:03d}Z"
    if nanos % 1_000 == 0:
        return f"{text}.{nanos // 1_000:06d}Z"
    return f"{text}.{nanos:09d}Z"


def now_text() -> str:
    """Return the time now in RFC 3339, to the millisecond."""
    seconds, nanos = divmod(time.time_ns(), 1_000_000_000)
    return timestamp_text(seconds, nanos // 1_000_000 * 1_000_000)


@lru_cache(maxsize=4096)
def _second_text(seconds: int) -> str:
    # Many messages speak of the same few seconds.
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()


@cache
def _compiled(descriptor: Descriptor) -> Callable[[Message], Tree]:
    return _compile(descriptor, [field.name for field in descriptor.fields])


def _compile(descriptor: Descriptor, names: Collection[str]) -> Callable[[Message], Tree]:
    fields = [field for field in descriptor.fields if field.name in names]
    always = [field for field in fields if not field.has_presence]
    sometimes = [field for field in fields if field.has_presence]
    read = _reader([field.name for field in always])
    converted = [(at, convert) for at, field in enumerate(always) if (convert := _conversion(field)) is not None]
    optional = [(field.name, _element(field)) for field in sometimes]
    record = _record(descriptor.name, always, sometimes)

    def tree(message: Message) -> Tree:
        values = list(read(message))
        for at, convert in converted:
            values[at] = convert(values[at])
        for name, element in optional:
            if message.HasField(name):
                value = getattr(message, name)
                values.append(value if element is None else element(value))
            else:
                values.append(msgspec.UNSET)
        return record(*values)

    return tree


def _record(name: str, always: list[FieldDescriptor], sometimes: list[FieldDescriptor]) -> type[msgspec.Struct]:
    """Make the record that holds a message's values: its field names are JSON text already, which a dict's keys never are."""
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [(field.name, Any) for field in always]
    fields += [(field.name, Any | msgspec.UnsetType, msgspec.UNSET) for field in sometimes]
    names = {field.name: field.json_name for field in (*always, *sometimes)}
    return msgspec.defstruct(name, fields, rename=names, gc=False)


def _reader(names: list[str]) -> Callable[[Message], tuple[Any, ...]]:
    if not names:
        return lambda message: ()
    if len(names) == 1:
        (name,) = names
        return lambda message: (getattr(message, name),)
    return attrgetter(*names)


def _conversion(field: FieldDescriptor) -> Convert | None:
    element = _element(field)
    if not field.is_repeated:
        return element
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        value_of = _element(field.message_type.fields_by_name["value"])
        return lambda entries: {_map_key(key): value_of(entries[key]) if value_of else entries[key] for key in entries}
    if element is None:
        return list
    return lambda values: [element(value) for value in values]


def _map_key(key: object) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _element(field: FieldDescriptor) -> Convert | None:
    """Return how one value of a field becomes JSON; None when it is JSON already."""
    if field.message_type is not None:
        return _message_conversion(field.message_type)
    if field.enum_type is not None:
        return _enum_conversion(field.enum_type)
    if field.cpp_type in _INT64:
        # A JSON number is a double to most readers and would lose digits.
        return str
    if field.cpp_type in _FLOATS:
        return _float
    if field.type == FieldDescriptor.TYPE_BYTES:
        return lambda value: base64.b64encode(value).decode()
    return None


def _message_conversion(descriptor: Descriptor) -> Convert:
    if descriptor.full_name == "google.protobuf.Timestamp":
        return lambda value: timestamp_text(value.seconds, value.nanos)
    if descriptor.file.package == "google.protobuf":
        # The other well-known types have forms of their own; none of them is on a hot path.
        return json_format.MessageToDict
    return _compiled(descriptor)


def _enum_conversion(descriptor: EnumDescriptor) -> Convert:
    names = {value.number: value.name for value in descriptor.values}
    # A number that this release does not know stays a number.
    return lambda number: names.get(number, number)


def _float(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value
