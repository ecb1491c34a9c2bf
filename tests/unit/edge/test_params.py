"""Parameters are read strictly, and become exactly the request that they say."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from edge import params as p
from edge.frames import Fault
from gen.trading.v1 import order_pb2, price_pb2

ORDER: dict[str, Any] = {"symbol": "AAPL", "type": "LIMIT", "quantity": 10}


def order_of(text: str | bytes) -> order_pb2.PlaceOrderRequest:
    params = p.reader(p.PlaceOrder)(text.encode() if isinstance(text, str) else text)
    return p.request_of(order_pb2.PlaceOrderRequest, params)


def fault_of(kind: type[p.Params], text: str) -> Fault:
    with pytest.raises(Fault) as raised:
        p.reader(kind)(text.encode())
    return raised.value


def test_an_order_becomes_the_request_that_it_says() -> None:
    text = json.dumps(
        {
            **ORDER,
            "side": "SELL",
            "limitPrice": "190.12",
            "clientOrderId": "k-1",
            "timeInForce": "GTC",
            "submitBy": "2026-01-02T03:04:05.5Z",
            "accountId": "demo",
        }
    )
    expected = order_pb2.PlaceOrderRequest(
        symbol="AAPL",
        type=order_pb2.Order.LIMIT,
        quantity=10,
        side=order_pb2.Order.SELL,
        limit_price="190.12",
        client_order_id="k-1",
        time_in_force=order_pb2.Order.GTC,
        account_id="demo",
    )
    expected.submit_by.FromDatetime(datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC))
    assert order_of(text) == expected


def test_null_means_absent_and_int64_may_be_text() -> None:
    text = '{"symbol":"AAPL","type":"LIMIT","quantity":"10","limitPrice":null,"amount":null,"side":null}'
    assert order_of(text) == order_pb2.PlaceOrderRequest(symbol="AAPL", type=order_pb2.Order.LIMIT, quantity=10)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("190.12", "190.12"),
        ("190.120", "190.120"),
        ('"190.12"', "190.12"),
        ("0.1", "0.1"),
        ("123456789.123456", "123456789.123456"),
        ("9007199254740993", "9007199254740993"),
        ("1e2", "100"),
        ("1.5E-3", "0.0015"),
        ("-1", "-1"),
    ],
)
def test_an_amount_keeps_every_digit(amount: str, text: str) -> None:
    order = order_of(f'{{"symbol":"A","type":"LIMIT","quantity":1,"orderType":"buy","amount":{amount}}}')
    assert (order.amount.string_value, order.order_type) == (text, "buy")


@pytest.mark.parametrize("amount", ["true", "[1]", '{"a":1}', '"\\u00e9"', "1e1000", "1" * 60, '"' + "1" * 60 + '"'])
def test_what_is_no_amount_is_refused(amount: str) -> None:
    with pytest.raises(Fault) as raised:
        order_of(f'{{"symbol":"A","type":"LIMIT","quantity":1,"amount":{amount}}}')
    assert (raised.value.code, raised.value.field) == (-32602, "amount")


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ('"limitPrice": 190.12', "WRONG_TYPE", "limitPrice"),
        ('"limitPrice": 190', "WRONG_TYPE", "limitPrice"),
        ('"quantity": true', "WRONG_TYPE", "quantity"),
        ('"quantity": 1.5', "WRONG_TYPE", "quantity"),
        ('"quantity": "1.5"', "INVALID_VALUE", "quantity"),
        ('"quantity": 1e400', "OUT_OF_RANGE", "quantity"),
        ('"quantity": 18446744073709551616', "OUT_OF_RANGE", "quantity"),
        ('"quantity": "10\\n"', "INVALID_VALUE", "quantity"),
        ('"quantity": -9223372036854775809', "OUT_OF_RANGE", "quantity"),
        ('"type": "STOP"', "INVALID_VALUE", "type"),
        ('"side": 1', "WRONG_TYPE", "side"),
        ('"submitBy": "2026-01-02T03:04:05"', "INVALID_VALUE", "submitBy"),
        ('"submitBy": "tomorrow"', "INVALID_VALUE", "submitBy"),
        ('"limit_price": "1"', "UNKNOWN_FIELD", "limit_price"),
        ('"symbol": {"$ne": ""}', "WRONG_TYPE", "symbol"),
        ('"clientOrderId": "' + "x" * 300 + '"', "OUT_OF_RANGE", "clientOrderId"),
    ],
)
def test_a_wrong_field_is_named_with_its_reason(change: str, reason: str, field: str) -> None:
    whole = {**ORDER, "type": "LIMIT"}
    whole.pop(field, None)
    fault = fault_of(
        p.PlaceOrder, "{" + ",".join([f'"{key}":{json.dumps(value)}' for key, value in whole.items()] + [change]) + "}"
    )
    assert (fault.code, fault.reason, fault.field) == (-32602, reason, field)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ('"quantity": "9223372036854775808"', "quantity"),
        ('"submitBy": "0001-01-01T00:00:00+14:00"', "submitBy"),
        ('"submitBy": "9999-12-31T23:59:59-14:00"', "submitBy"),
    ],
)
def test_what_no_request_can_carry_is_out_of_range(change: str, field: str) -> None:
    quantity = "" if field == "quantity" else '"quantity":1,'
    text = f'{{"symbol":"A","type":"LIMIT",{quantity}{change}}}'
    with pytest.raises(Fault) as raised:
        order_of(text)
    assert (raised.value.code, raised.value.reason, raised.value.field) == (-32602, "OUT_OF_RANGE", field)


@pytest.mark.parametrize("quantity", ["9223372036854775807", '"9223372036854775807"', '"-9223372036854775808"'])
def test_every_64_bit_integer_arrives(quantity: str) -> None:
    order = order_of(f'{{"symbol":"A","type":"LIMIT","quantity":{quantity}}}')
    assert order.quantity == int(quantity.strip('"'))


def test_a_field_inside_a_field_is_named_by_its_way() -> None:
    assert fault_of(p.PreviewOrder, '{"order":{"symbol":"A","type":"LIMIT"}}').field == "order.quantity"
    assert fault_of(p.Subscribe, '{"symbols":["A",""]}').field == "symbols[1]"


def test_a_missing_field_is_named() -> None:
    fault = fault_of(p.History, '{"symbol":"AAPL"}')
    assert (fault.reason, fault.field) == ("MISSING_FIELD", "timerange")


def test_positional_parameters_are_refused() -> None:
    fault = fault_of(p.NoParams, "[]")
    assert (fault.code, fault.reason) == (-32602, "POSITIONAL_PARAMS")


@pytest.mark.parametrize("hz", ["-1", "51", "1e400", '"1"', "true"])
def test_a_pace_is_a_number_of_updates_a_second(hz: str) -> None:
    assert fault_of(p.Subscribe, f'{{"symbols":[],"maxHz":{hz}}}').field == "maxHz"


def test_a_preview_holds_an_order() -> None:
    params = p.reader(p.PreviewOrder)(json.dumps({"order": {**ORDER, "amount": 1}}).encode())
    request = p.request_of(order_pb2.PreviewOrderRequest, params)
    assert (request.order.symbol, request.order.amount.string_value) == ("AAPL", "1")


def test_lists_and_optional_fields_keep_their_presence() -> None:
    listing = p.reader(p.ListOrders)(
        b'{"states":["FILLED","CANCELED"],"pageSize":5,"changedSince":"2026-01-01T00:00:00+01:00"}'
    )
    request = p.request_of(order_pb2.ListOrdersRequest, listing)
    assert list(request.states) == [order_pb2.Order.FILLED, order_pb2.Order.CANCELED]
    assert request.changed_since.ToJsonString() == "2025-12-31T23:00:00Z"
    change = p.request_of(order_pb2.ReplaceOrderRequest, p.reader(p.ReplaceOrder)(b'{"orderId":"o","limitPrice":"1"}'))
    assert (change.HasField("limit_price"), change.HasField("quantity")) == (True, False)


def test_prices_may_be_asked_for_by_one_symbol_or_many() -> None:
    params = p.reader(p.GetPrices)(b'{"symbols":["A"],"symbol":"B"}')
    assert p.request_of(price_pb2.GetPricesRequest, params) == price_pb2.GetPricesRequest(symbols=["A"], symbol="B")
