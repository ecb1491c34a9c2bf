"""A client's request read into a wish: every field checked for what it can be, before anything is looked up."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from gen.trading.v1 import order_pb2
from order_svc.order import Side, Terms, TimeInForce, Type
from order_svc.placement import Wish
from runtime.errors import InvalidArgument
from runtime.money import micros_from_text

_KEY = re.compile(r"[A-Za-z0-9._:-]{1,64}")
MAX_KEY, MAX_SYMBOL = 64, 32
MAX_QUANTITY = 10**9
_MILLISECONDS_DIGITS = 13


class InvalidClientOrderId(InvalidArgument):
    """The key is not 1 to 64 characters of [A-Za-z0-9._:-]."""

    reason = "INVALID_CLIENT_ORDER_ID"


class FieldRequired(InvalidArgument):
    """A field that is needed is absent."""

    reason = "FIELD_REQUIRED"


class InvalidSymbol(InvalidArgument):
    """The symbol is longer than any symbol is."""

    reason = "INVALID_SYMBOL"


class InvalidSide(InvalidArgument):
    """The side is neither BUY nor SELL."""

    reason = "INVALID_SIDE"


class InvalidType(InvalidArgument):
    """The type is neither LIMIT nor MARKET."""

    reason = "INVALID_TYPE"


class InvalidTimeInForce(InvalidArgument):
    """The time in force is none of DAY, IOC, FOK, GTC."""

    reason = "INVALID_TIME_IN_FORCE"


class InvalidQuantity(InvalidArgument):
    """The quantity is not a positive number of whole shares."""

    reason = "INVALID_QUANTITY"


class InvalidPrice(InvalidArgument):
    """The limit price is not above zero."""

    reason = "INVALID_PRICE"


class LimitPriceRequired(InvalidArgument):
    """A LIMIT order came without its price."""

    reason = "LIMIT_PRICE_REQUIRED"


class LimitPriceForbidden(InvalidArgument):
    """A MARKET order came with a price; it would be ignored, and that is never what was meant."""

    reason = "LIMIT_PRICE_FORBIDDEN"


class InvalidPageToken(InvalidArgument):
    """The page token is not one that we gave out."""

    reason = "INVALID_PAGE_TOKEN"


class AliasConflict(InvalidArgument):
    """Two names of one field came with different values."""

    reason = "ALIAS_CONFLICT"


class InvalidTime(InvalidArgument):
    """A time lies outside of the calendar."""

    reason = "INVALID_TIME"


def wish_from(
    request: order_pb2.PlaceOrderRequest,
    *,
    account_id: str,
    key_header: str = "",
    receive_time: datetime | None = None,
) -> Wish:
    """Return the wish that a request means. Raises the refusal of the first field that cannot be."""
    key = request.client_order_id or key_header or f"srv-{uuid4().hex}"
    if not _KEY.fullmatch(key):
        raise InvalidClientOrderId(
            "client_order_id must be 1 to 64 characters of [A-Za-z0-9._:-]",
            field="client_order_id",
            limit=MAX_KEY,
            actual=len(key),
        )
    kind = _type_of(request.type)
    submit_by = None
    if request.HasField("submit_by"):
        submit_by = time_from(request.submit_by, field="submit_by")
    terms = Terms(
        symbol=_symbol_of(request.symbol),
        side=_side_of(request),
        type=kind,
        time_in_force=_time_in_force_of(request.time_in_force),
        quantity=quantity_of(request.quantity),
        limit_price_micros=_limit_price_of(request, kind),
        submit_by=submit_by,
    )
    return Wish(account_id, key, terms, submit_by_given=submit_by is not None, receive_time=receive_time)


def received_time(text: str, *, now: datetime) -> datetime:
    """Return when the edge had the request, from milliseconds since 1970 as text; what is absent or cannot be is our own time.

    A clock that is ahead, or a wrong header, must not tell more than a minute of what never was.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= _MILLISECONDS_DIGITS):
        return now
    when = datetime.fromtimestamp(int(text) / 1000, UTC)
    return min(max(when, now - timedelta(minutes=1)), now)


def quantity_of(quantity: int) -> int:
    """Return the quantity. Raises InvalidQuantity unless it is 1 to 10^9."""
    if quantity < 1:
        raise InvalidQuantity(
            "quantity must be a whole number of shares, at least 1", field="quantity", limit=1, actual=quantity
        )
    if quantity > MAX_QUANTITY:
        raise InvalidQuantity(
            f"quantity must be at most {MAX_QUANTITY}", field="quantity", limit=MAX_QUANTITY, actual=quantity
        )
    return quantity


def price_of(text: str) -> int:
    """Return a limit price in micros. Raises InvalidMoney, or InvalidPrice unless it is above zero."""
    micros = micros_from_text(text, field="limit_price")
    if micros <= 0:
        raise InvalidPrice("limit_price must be above zero", field="limit_price", limit="0.000001", actual=text)
    return micros


def time_from(stamp: object, *, field: str) -> datetime:
    """Return a timestamp as a time with whole milliseconds. Raises InvalidTime."""
    try:
        when: datetime = stamp.ToDatetime(UTC)  # type: ignore[attr-defined]
    except (ValueError, OverflowError):
        raise InvalidTime(f"{field} is not a time", field=field) from None
    return when.replace(microsecond=when.microsecond // 1000 * 1000)


def _symbol_of(symbol: str) -> str:
    if not symbol:
        raise FieldRequired("symbol is required", field="symbol")
    if len(symbol) > MAX_SYMBOL:
        raise InvalidSymbol(
            f"symbol has more than {MAX_SYMBOL} characters", field="symbol", limit=MAX_SYMBOL, actual=len(symbol)
        )
    return symbol


def _side_of(request: order_pb2.PlaceOrderRequest) -> Side:
    named = {1: Side.BUY, 2: Side.SELL}.get(request.side)
    alias = {"buy": Side.BUY, "sell": Side.SELL}.get(request.order_type.lower())
    if request.order_type and alias is None:
        raise InvalidSide(
            'order_type must be "buy" or "sell"', field="order_type", limit="buy, sell", actual=request.order_type[:40]
        )
    if named and alias and named is not alias:
        raise AliasConflict("side and order_type are two names of one field and differ", field="side")
    side = named or alias
    if side is None:
        raise InvalidSide("side must be BUY or SELL", field="side", limit="BUY, SELL", actual=request.side)
    return side


def _type_of(value: int) -> Type:
    kind = {1: Type.LIMIT, 2: Type.MARKET}.get(value)
    if kind is None:
        raise InvalidType("type must be LIMIT or MARKET", field="type", limit="LIMIT, MARKET", actual=value)
    return kind


def _time_in_force_of(value: int) -> TimeInForce:
    kinds = {0: TimeInForce.DAY, 1: TimeInForce.DAY, 2: TimeInForce.IOC, 3: TimeInForce.FOK, 4: TimeInForce.GTC}
    if value not in kinds:
        raise InvalidTimeInForce(
            "time_in_force must be DAY, IOC, FOK or GTC",
            field="time_in_force",
            limit="DAY, IOC, FOK, GTC",
            actual=value,
        )
    return kinds[value]


def _limit_price_of(request: order_pb2.PlaceOrderRequest, kind: Type) -> int:
    named = price_of(request.limit_price) if request.limit_price else None
    alias = _amount_of(request) if request.HasField("amount") else None
    if named is not None and alias is not None and named != alias:
        raise AliasConflict("limit_price and amount are two names of one field and differ", field="limit_price")
    price = alias if named is None else named
    if kind is Type.LIMIT and price is None:
        raise LimitPriceRequired("a LIMIT order needs its limit_price", field="limit_price")
    if kind is Type.MARKET and price is not None:
        raise LimitPriceForbidden(
            "a MARKET order takes no limit_price; use LIMIT to bound the price", field="limit_price"
        )
    return price or 0


def _amount_of(request: order_pb2.PlaceOrderRequest) -> int | None:
    """Return the price that the customer's own field `amount` means: text, or a JSON number read as its decimal text."""
    kind = request.amount.WhichOneof("kind")
    if kind == "string_value":
        return price_of(request.amount.string_value)
    if kind == "number_value":
        # The shortest text that means the same number is the one that was written, up to 15 digits (David Gay, 1990);
        # from there on everything is decimal.
        return price_of(format(Decimal(repr(request.amount.number_value)).normalize(), "f"))
    if kind == "null_value":
        return None
    raise InvalidPrice("amount must be a number or decimal text", field="amount")
