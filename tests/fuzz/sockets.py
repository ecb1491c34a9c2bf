"""Harnesses of the edge: the frame decoder, and parameters of every method up to the request that goes to a service. Pure."""

import json
from typing import Any

from google.protobuf.message import Message
from hypothesis import strategies as st

from edge import frames, replies
from edge.params import PARAMS, Reader, request_of
from gen.trading.v1 import order_pb2, price_pb2
from tests.fuzz.harness import Harness, mutated

REQUESTS: dict[str, type[Message]] = {
    "prices.get": price_pb2.GetPricesRequest,
    "prices.history": price_pb2.GetPricesRequest,
    "instruments.search": price_pb2.SearchInstrumentsRequest,
    "market.status": price_pb2.GetMarketStatusRequest,
    "orders.place": order_pb2.PlaceOrderRequest,
    "orders.preview": order_pb2.PreviewOrderRequest,
    "orders.cancel": order_pb2.CancelOrderRequest,
    "orders.replace": order_pb2.ReplaceOrderRequest,
    "orders.get": order_pb2.GetOrderRequest,
    "orders.list": order_pb2.ListOrdersRequest,
    "orders.timeline": order_pb2.GetOrderTimelineRequest,
}
_READERS: dict[str, Reader[Any]] = {method: Reader(kind) for method, kind in PARAMS.items()}
_FRAME_CODES = {frames.PARSE_ERROR, frames.INVALID_REQUEST, frames.INVALID_PARAMS}

# JSON texts that readers of JSON differ on, beside those that they agree on.
_NASTY = (
    *(
        "NaN",
        "-Infinity",
        "1e400",
        "-0",
        "01",
        "1.",
        "9" * 40,
        "18446744073709551616",
        "-9223372036854775809",
        "1e2",
        "0.1",
    ),
    *(
        "true",
        "null",
        "{}",
        "[]",
        '""',
        '"\\ud800"',
        '"\\udc00\\ud800"',
        '"\\u0000"',
        '"10\\n"',
        '"-9223372036854775808"',
    ),
    *('"0001-01-01T00:00:00+14:00"', '"9999-12-31T23:59:59-14:00"', '"2026-01-01T00:00:00Z"', '"2016-12-31T23:59:60Z"'),
    *('"9999999999999999999"', '"LIMIT"', '"MARKET"', '"BUY"', '"190.12"', '["AAPL"]', '["FILLED"]', '{"a":1,"a":2}'),
    '{"symbol":"A","type":"LIMIT","quantity":1,"amount":1e30}',
)
_value = st.one_of(
    st.sampled_from(_NASTY),
    st.integers().map(str),
    st.floats().map(json.dumps),
    st.text(max_size=12).map(json.dumps),
    st.integers(1, 60).map(lambda depth: "[" * depth + "]" * depth),
)


def _object(members: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in members) + "}"


def _params(method: str) -> st.SearchStrategy[str]:
    names = st.sampled_from([*PARAMS[method].__struct_encode_fields__, "nope", "a\ud800"])
    needed = {
        "symbol": '"AAPL"',
        "type": '"LIMIT"',
        "quantity": "1",
        "symbols": '["AAPL"]',
        "token": '"t"',
        "timerange": '"1d"',
    }
    good = [(name, text) for name, text in needed.items() if name in PARAMS[method].__struct_encode_fields__]
    more = st.lists(st.tuples(names, _value), max_size=3)
    return more.map(lambda given: _object([one for one in good if one[0] not in dict(given)] + given))


_calls = st.sampled_from(sorted(PARAMS)).flatmap(lambda method: st.tuples(st.just(method), _params(method)))
_identity = st.one_of(st.sampled_from(["1", '"k"', "null", "1.5"]), _value)


def _frame(call: tuple[str, str], identity: str, more: list[tuple[str, str]]) -> str:
    method, params = call
    return _object([("jsonrpc", '"2.0"'), ("method", json.dumps(method)), ("params", params), ("id", identity), *more])


_one = st.builds(
    _frame, _calls, _identity, st.lists(st.tuples(st.sampled_from(["id", "method", "x"]), _value), max_size=1)
)
_batch = st.lists(st.one_of(_one, _value), max_size=4).map(lambda parts: "[" + ",".join(parts) + "]")


def check_frame(data: bytes) -> None:
    """A frame is calls and refusals; a refusal is an error of the right kind, and an answer is always JSON."""
    for element in frames.read(data, max_batch=3).elements:
        if isinstance(element, frames.Refused):
            answer = json.loads(replies.fault(element.id, element.fault))
            assert answer["error"]["code"] in _FRAME_CODES
        else:
            json.loads(replies.result(element.id or b"null", b"{}"))
            assert b"NaN" not in (element.id or b"")
            if element.method in _READERS:
                _mean(element.method, element.params)


def check_params(data: bytes) -> None:
    """Parameters become a request that can be sent, or an INVALID_PARAMS fault."""
    method, _, text = data.partition(b"\n")
    if method.decode("latin-1") in _READERS:
        # Only what the frame decoder lets through comes so far.
        frame = b'{"jsonrpc":"2.0","method":"%b","id":1,"params":%b}' % (method, text)
        for element in frames.read(frame, max_batch=3).elements:
            if isinstance(element, frames.Call) and element.method in _READERS:
                _mean(element.method, element.params)


def _mean(method: str, text: bytes) -> None:
    try:
        params = _READERS[method](text)
        if method in REQUESTS:
            request_of(REQUESTS[method], params).SerializeToString()
    except frames.Fault as fault:
        assert json.loads(replies.fault(b"1", fault))["error"]["code"] == frames.INVALID_PARAMS  # noqa: PT017 - a fault is an answer


def _line(call: tuple[str, str]) -> bytes:
    return "\n".join(call).encode("utf-8", "surrogatepass")


HARNESSES = (
    Harness(
        "frames", mutated(st.one_of(_one, _batch).map(lambda text: text.encode("utf-8", "surrogatepass"))), check_frame
    ),
    Harness("params", _calls.map(_line), check_params),
)
