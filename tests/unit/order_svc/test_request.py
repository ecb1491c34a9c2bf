"""order_svc/request.py: a client's request read into a wish."""

import pytest
from google.protobuf import struct_pb2

from gen.trading.v1 import order_pb2
from order_svc import request as requests
from order_svc.order import Side, State, TimeInForce, Type
from order_svc.placement import Wish
from order_svc.wire import InvalidState, states_from
from runtime.errors import InvalidArgument
from runtime.money import InvalidMoney

VALID: dict[str, object] = {
    "client_order_id": "k1",
    "symbol": "AAPL",
    "side": "BUY",
    "type": "LIMIT",
    "quantity": 10,
    "limit_price": "190.12",
}


def read(**changes: object) -> Wish:
    fields = {name: value for name, value in {**VALID, **changes}.items() if value is not None}
    return requests.wish_from(order_pb2.PlaceOrderRequest(**fields), account_id="demo")  # type: ignore[arg-type]


def test_a_whole_request_is_read() -> None:
    wish = read(time_in_force="IOC")

    assert (wish.account_id, wish.client_order_id) == ("demo", "k1")
    assert (wish.terms.symbol, wish.terms.side, wish.terms.type) == ("AAPL", Side.BUY, Type.LIMIT)
    assert (wish.terms.quantity, wish.terms.limit_price_micros) == (10, 190_120_000)
    assert wish.terms.time_in_force is TimeInForce.IOC


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"client_order_id": "a key"}, requests.InvalidClientOrderId),
        ({"client_order_id": "k" * 65}, requests.InvalidClientOrderId),
        ({"client_order_id": "käse"}, requests.InvalidClientOrderId),
        ({"symbol": ""}, requests.FieldRequired),
        ({"symbol": "A" * 33}, InvalidArgument),
        ({"side": None}, requests.InvalidSide),
        ({"side": 7}, requests.InvalidSide),
        ({"order_type": "hold"}, requests.InvalidSide),
        ({"order_type": "sell"}, requests.AliasConflict),
        ({"type": None}, requests.InvalidType),
        ({"time_in_force": 9}, requests.InvalidTimeInForce),
        ({"quantity": 0}, requests.InvalidQuantity),
        ({"quantity": -1}, requests.InvalidQuantity),
        ({"quantity": 2**62}, requests.InvalidQuantity),
        ({"limit_price": None}, requests.LimitPriceRequired),
        ({"limit_price": "0"}, requests.InvalidPrice),
        ({"limit_price": "-1"}, requests.InvalidPrice),
        ({"limit_price": "NaN"}, InvalidMoney),
        ({"limit_price": "1e3"}, InvalidMoney),
        ({"limit_price": "190.1234567"}, InvalidMoney),
        ({"type": "MARKET"}, requests.LimitPriceForbidden),
        ({"amount": struct_pb2.Value(string_value="190.13")}, requests.AliasConflict),
        ({"amount": struct_pb2.Value(bool_value=True)}, requests.InvalidPrice),
        ({"limit_price": None, "amount": struct_pb2.Value(number_value=float("nan"))}, InvalidArgument),
        ({"limit_price": None, "amount": struct_pb2.Value(number_value=float("inf"))}, InvalidArgument),
        ({"limit_price": None, "amount": struct_pb2.Value(number_value=1e300)}, InvalidArgument),
    ],
)
def test_a_field_that_cannot_be_is_refused_by_its_own_name(
    changes: dict[str, object], refusal: type[InvalidArgument]
) -> None:
    with pytest.raises(refusal):
        read(**changes)


@pytest.mark.parametrize(("number", "micros"), [(190.12, 190_120_000), (0.1, 100_000), (250, 250_000_000), (1e-6, 1)])
def test_the_customers_own_body_is_read_with_numbers_as_their_decimal_text(number: float, micros: int) -> None:
    wish = read(side=None, limit_price=None, order_type="buy", amount=struct_pb2.Value(number_value=number))

    assert (wish.terms.side, wish.terms.limit_price_micros) == (Side.BUY, micros)


def test_the_header_gives_the_key_when_the_body_has_none() -> None:
    request = order_pb2.PlaceOrderRequest(
        symbol="AAPL", side=order_pb2.Order.BUY, type=order_pb2.Order.MARKET, quantity=1
    )

    assert requests.wish_from(request, account_id="demo", key_header="h1").client_order_id == "h1"
    assigned = [requests.wish_from(request, account_id="demo").client_order_id for _ in range(2)]
    assert assigned[0] != assigned[1]


def test_a_number_that_is_no_state_is_refused() -> None:
    assert states_from([order_pb2.Order.FILLED, order_pb2.Order.STATE_UNSPECIFIED]) == {State.FILLED}
    with pytest.raises(InvalidState) as refusal:
        states_from([99])  # type: ignore[list-item]
    assert refusal.value.metadata["field"] == "states"
