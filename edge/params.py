"""Parameters of every method: typed records read strictly from JSON text, and the gRPC requests that they mean. Pure.

Shape is checked here (names, types, ranges of the wire); whether a value makes sense is the services' to say.
"""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar

import msgspec
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp
from msgspec import Meta

from edge.frames import INVALID_PARAMS, Fault
from gen.trading.v1 import order_pb2

MAX_HZ = 50.0
MAX_SYMBOLS = 500
MIN_INT64, MAX_INT64 = -(2**63), 2**63 - 1
# An exponent beyond this is no price, and writing it out would only cost memory.
MAX_EXPONENT = 30
_ABSENT = msgspec.Raw(b"null")

Text: TypeAlias = Annotated[str, Meta(max_length=256)]
Symbol: TypeAlias = Annotated[str, Meta(min_length=1, max_length=32)]
Symbols: TypeAlias = Annotated[tuple[Symbol, ...], Meta(max_length=MAX_SYMBOLS)]
# proto3 JSON writes int64 as text and reads both. "$" alone would let a line end pass.
Int64: TypeAlias = (
    Annotated[int, Meta(ge=MIN_INT64, le=MAX_INT64)] | Annotated[str, Meta(pattern=r"^-?[0-9]{1,19}(?!\n)$")]
)
PageSize: TypeAlias = Annotated[int, Meta(ge=0, le=10_000)]
Time: TypeAlias = Annotated[datetime, Meta(tz=True)]
Amount: TypeAlias = Annotated[
    msgspec.Raw,
    Meta(extra_json_schema={"anyOf": [{"type": "number"}, {"type": "string", "maxLength": 40}, {"type": "null"}]}),
]
Side: TypeAlias = Literal["BUY", "SELL"]
OrderType: TypeAlias = Literal["LIMIT", "MARKET"]
TimeInForce: TypeAlias = Literal["DAY", "IOC", "FOK", "GTC"]
State: TypeAlias = Literal[
    "PENDING", "SUBMITTED", "PLACED", "PARTIALLY_FILLED", "FILLED", "CANCELED", "REJECTED", "EXPIRED"
]
Mode: TypeAlias = Literal["LTP", "QUOTE"]


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Parameters of one method, by name; null means absent, as in proto3 JSON."""


P = TypeVar("P", bound=Params)
M = TypeVar("M", bound=Message)


class NoParams(Params, frozen=True):
    """Parameters of a method that takes none."""


class Authenticate(Params, frozen=True):
    """session.authenticate"""

    token: Annotated[str, Meta(max_length=8192)]


class GetPrices(Params, frozen=True):
    """prices.get"""

    symbols: Symbols | None = None
    symbol: Symbol | None = None
    page_size: PageSize | None = None
    page_token: Text | None = None


class History(Params, frozen=True):
    """prices.history: bars of a timerange, or page by page."""

    symbol: Symbol
    timerange: Text | None = None
    interval: Text | None = None
    from_time: Time | None = None
    to_time: Time | None = None
    page_size: PageSize | None = None
    page_token: Text | None = None

    def __post_init__(self) -> None:
        if not (self.timerange or self.interval or self.from_time or self.to_time):
            raise ValueError("Object missing required field `timerange`")


class Subscribe(Params, frozen=True):
    """prices.subscribe; no maxHz, or 0, leaves the pace to the edge."""

    symbols: Symbols
    mode: Mode | None = None
    max_hz: Annotated[float, Meta(ge=0, le=MAX_HZ)] | None = None


class Unsubscribe(Params, frozen=True):
    """prices.unsubscribe"""

    symbols: Symbols


class Search(Params, frozen=True):
    """instruments.search"""

    query: Text | None = None
    page_size: PageSize | None = None
    page_token: Text | None = None


class PlaceOrder(Params, frozen=True):
    """orders.place; `order_type` and `amount` are other names of `side` and `limit_price`, which the order service compares."""

    symbol: Text
    type: OrderType
    quantity: Int64
    side: Side | None = None
    limit_price: Text | None = None
    client_order_id: Text | None = None
    time_in_force: TimeInForce | None = None
    submit_by: Time | None = None
    account_id: Text | None = None
    order_type: Text | None = None
    amount: Amount = msgspec.field(default_factory=lambda: _ABSENT)


class PreviewOrder(Params, frozen=True):
    """orders.preview"""

    order: PlaceOrder


class OneOrder(Params, frozen=True):
    """orders.cancel, orders.get, orders.timeline: one of the two ids."""

    order_id: Text | None = None
    client_order_id: Text | None = None
    account_id: Text | None = None


class ReplaceOrder(OneOrder, frozen=True):
    """orders.replace"""

    quantity: Int64 | None = None
    limit_price: Text | None = None


class ListOrders(Params, frozen=True):
    """orders.list"""

    symbol: Text | None = None
    states: Annotated[tuple[State, ...], Meta(max_length=8)] | None = None
    page_size: PageSize | None = None
    page_token: Text | None = None
    account_id: Text | None = None
    changed_since: Time | None = None


class FollowOrders(Params, frozen=True):
    """orders.subscribe"""

    from_position: Text | None = msgspec.field(name="from", default=None)
    account_id: Text | None = None


PARAMS: dict[str, type[Params]] = {
    "session.authenticate": Authenticate,
    "ping": NoParams,
    "prices.get": GetPrices,
    "prices.history": History,
    "prices.subscribe": Subscribe,
    "prices.unsubscribe": Unsubscribe,
    "instruments.search": Search,
    "market.status": NoParams,
    "orders.place": PlaceOrder,
    "orders.preview": PreviewOrder,
    "orders.cancel": OneOrder,
    "orders.replace": ReplaceOrder,
    "orders.get": OneOrder,
    "orders.list": ListOrders,
    "orders.timeline": OneOrder,
    "orders.subscribe": FollowOrders,
    "orders.unsubscribe": NoParams,
}
"""What each method takes; docs/asyncapi.yaml is made of it."""


class Reader(Generic[P]):
    """Reads a method's parameters, of one kind, from JSON text; it raises an INVALID_PARAMS Fault."""

    def __init__(self, kind: type[P]) -> None:
        self.kind = kind
        self._decoder = msgspec.json.Decoder(kind)

    def __call__(self, text: bytes) -> P:
        """Return the parameters."""
        if text.startswith(b"["):
            raise Fault(INVALID_PARAMS, "POSITIONAL_PARAMS", "params go by name: send an object")
        try:
            return self._decoder.decode(text)
        except msgspec.ValidationError as error:
            raise _fault(str(error)) from None


def reader(kind: type[P]) -> Reader[P]:
    """Return what reads parameters of a kind."""
    return Reader(kind)


_AT = re.compile(r" - at `\$\.?(.*)`$")
_REASONS = (
    (re.compile(r"Object contains unknown field `(?P<name>.*)`"), "UNKNOWN_FIELD"),
    (re.compile(r"Object missing required field `(?P<name>.*)`"), "MISSING_FIELD"),
    (re.compile(r"Expected `[^`]*`, got"), "WRONG_TYPE"),
    (re.compile(r"Expected `\w+` (of length|[<>])|Number out of range|.*out of range"), "OUT_OF_RANGE"),
)


def _fault(problem: str) -> Fault:
    """Return the Fault that says the same as msgspec's message."""
    at = _AT.search(problem)
    field, told = (at[1], problem[: at.start()]) if at else ("", problem)
    for pattern, reason in _REASONS:
        match = pattern.match(told)
        if match:
            name = match.groupdict().get("name", "")
            return Fault(INVALID_PARAMS, reason, told.replace("`", "'"), field=".".join(filter(None, (field, name))))
    return Fault(INVALID_PARAMS, "INVALID_VALUE", told.replace("`", "'"), field=field)


def request_of(kind: type[M], params: Params) -> M:
    """Return the gRPC request that the parameters mean; fields have the same names. Raises an INVALID_PARAMS Fault."""
    return kind(**_values(params))


def _values(params: Params) -> dict[str, Any]:
    given = ((name, getattr(params, name)) for name in params.__struct_fields__)
    return {name: _value(name, value) for name, value in given if value is not None and value != _ABSENT}


# Short plain text, or a JSON number; whether it is a price is the order service's to say.
_AMOUNT = re.compile(rb'"(?P<text>[ !#-\[\]-~]{0,40})"|-?[0-9.]{1,40}(?:[eE](?P<exponent>[-+]?[0-9]{1,3}))?')


def _value(name: str, value: Any) -> Any:
    if name == "quantity":
        return _int64(name, value)
    if name == "amount":
        return Value(string_value=_decimal_text(bytes(value)))
    if isinstance(value, datetime):
        return _timestamp(name, value)
    if isinstance(value, PlaceOrder):
        return request_of(order_pb2.PlaceOrderRequest, value)
    return value


def _int64(name: str, value: int | str) -> int:
    number = int(value)
    if not MIN_INT64 <= number <= MAX_INT64:
        raise Fault(INVALID_PARAMS, "OUT_OF_RANGE", f"{name} is no 64-bit integer", field=name)
    return number


def _timestamp(name: str, value: datetime) -> Timestamp:
    time = Timestamp()
    try:
        time.FromDatetime(value)
    except (OverflowError, ValueError):
        # With its offset taken away it lies before the year 1, or after 9999.
        raise Fault(INVALID_PARAMS, "OUT_OF_RANGE", "a time lies outside of the calendar", field=_camel(name)) from None
    return time


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _decimal_text(raw: bytes) -> str:
    """Return the decimal text of a price that JSON gives as text or as a number, digit for digit."""
    match = _AMOUNT.fullmatch(raw)
    if match is None:
        raise Fault(INVALID_PARAMS, "WRONG_TYPE", "amount must be a number or decimal text", field="amount")
    if match["text"] is not None:
        return match["text"].decode()
    if abs(int(match["exponent"] or 0)) > MAX_EXPONENT:
        raise Fault(INVALID_PARAMS, "OUT_OF_RANGE", "amount is no price", field="amount")
    return format(Decimal(raw.decode()), "f")
