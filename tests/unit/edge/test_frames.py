"""Every example of the JSON-RPC 2.0 specification (§7) with methods of ours, and what lies beyond its examples."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import replies
from edge.frames import Call, Fault, Frame, Refused, read


def read_text(text: str | bytes) -> Frame:
    return read(text.encode() if isinstance(text, str) else text, max_batch=5)


def only(text: str | bytes) -> Call | Refused:
    frame = read_text(text)
    assert not frame.batch
    (element,) = frame.elements
    return element


def refused(text: str | bytes) -> dict[str, Any]:
    element = only(text)
    assert isinstance(element, Refused)
    response: dict[str, Any] = json.loads(replies.fault(element.id, element.fault))
    return response


# §7: rpc call with named parameters; a notification.


def test_a_call_with_named_parameters() -> None:
    text = '{"jsonrpc": "2.0", "method": "prices.get", "params": {"symbols": ["AAPL"]}, "id": 3}'
    assert only(text) == Call("prices.get", b'{"symbols": ["AAPL"]}', b"3")


def test_the_order_of_members_does_not_matter() -> None:
    text = '{"id": 4, "params": {"symbols": ["AAPL"]}, "method": "prices.get", "jsonrpc": "2.0"}'
    assert only(text) == Call("prices.get", b'{"symbols": ["AAPL"]}', b"4")


def test_positional_parameters_are_a_call_whose_method_refuses_them() -> None:
    text = '{"jsonrpc": "2.0", "method": "prices.get", "params": ["AAPL"], "id": 1}'
    assert only(text) == Call("prices.get", b'["AAPL"]', b"1")


def test_a_notification_has_no_id_and_parameters_may_be_left_out() -> None:
    assert only('{"jsonrpc": "2.0", "method": "ping"}') == Call("ping", b"{}", None)


def test_invalid_json_is_a_parse_error() -> None:
    answer = refused('{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]')
    assert (answer["jsonrpc"], answer["id"]) == ("2.0", None)
    assert (answer["error"]["code"], answer["error"]["message"]) == (-32700, "Parse error")


def test_an_invalid_request_object() -> None:
    answer = refused('{"jsonrpc": "2.0", "method": 1, "params": "bar"}')
    assert (answer["error"]["code"], answer["error"]["message"], answer["id"]) == (-32600, "Invalid Request", None)


def test_a_batch_of_invalid_json_is_one_parse_error() -> None:
    answer = refused(
        '[{"jsonrpc": "2.0", "method": "ping", "id": "1"},\n{"jsonrpc": "2.0", "method"\n]',
    )
    assert (answer["error"]["code"], answer["id"]) == (-32700, None)


def test_an_empty_batch_is_one_error_and_no_batch() -> None:
    assert refused("[]")["error"]["code"] == -32600
    assert refused(" [ ] ")["error"]["code"] == -32600


@pytest.mark.parametrize("text", ["[1]", "[1,2,3]"])
def test_each_element_of_an_invalid_batch_is_refused(text: str) -> None:
    frame = read_text(text)
    assert frame.batch
    for element in frame.elements:
        assert isinstance(element, Refused)
        assert (element.id, element.fault.code) == (b"null", -32600)
    assert len(frame.elements) == len(json.loads(text))


def test_a_batch_of_everything() -> None:
    frame = read_text(
        """[
        {"jsonrpc": "2.0", "method": "prices.get", "params": {"symbols": ["A"]}, "id": "1"},
        {"jsonrpc": "2.0", "method": "ping", "params": {}},
        {"foo": "boo"},
        {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
        {"jsonrpc": "2.0", "method": "market.status", "id": "9"}
    ]"""
    )
    assert frame.batch
    assert [element.id for element in frame.elements] == [b'"1"', None, b"null", b'"5"', b'"9"']
    assert [isinstance(element, Call) for element in frame.elements] == [True, True, False, True, True]


def test_a_batch_of_too_many_is_refused_as_a_whole() -> None:
    many = json.dumps([{"jsonrpc": "2.0", "method": "ping", "id": number} for number in range(6)])
    assert refused(many)["error"]["data"]["reason"] == "BATCH_TOO_LARGE"


# Ids come back exactly as they were written.


@pytest.mark.parametrize("identity", ["7", '"k"', "null", "-1", "1.5", "9007199254740993", '"\\u00e9"', '""', "1e2"])
def test_an_id_is_given_back_as_it_was_written(identity: str) -> None:
    element = only(f'{{"jsonrpc":"2.0","method":"ping","id":{identity}}}')
    assert element.id == identity.encode()


@pytest.mark.parametrize("identity", ["true", "{}", "[1]", '"' + "x" * 300 + '"'])
def test_what_is_no_id_is_refused_with_a_null_one(identity: str) -> None:
    answer = refused(f'{{"jsonrpc":"2.0","method":"ping","id":{identity}}}')
    assert (answer["error"]["code"], answer["id"]) == (-32600, None)


def test_a_request_that_is_wrong_otherwise_keeps_its_id() -> None:
    assert refused('{"jsonrpc":"1.0","method":"ping","id":5}')["id"] == 5
    assert refused('{"jsonrpc":"2.0","method":"ping","params":null,"id":6}')["id"] == 6
    assert refused('{"jsonrpc":"2.0","method":"ping","arguments":{},"id":7}')["id"] == 7


# Texts that JSON readers disagree on.


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "NOT_JSON"),
        (b"   ", "NOT_JSON"),
        (b"\xff", "NOT_UTF8"),
        (b'{"jsonrpc":"2.0","method":"\xc3"}', "NOT_UTF8"),
        (b'\xef\xbb\xbf{"jsonrpc":"2.0","method":"ping"}', "NOT_JSON"),
        (b'{"jsonrpc":"2.0","method":"ping","params":{"a":NaN}}', "NOT_JSON"),
        (b'{"jsonrpc":"2.0","method":"ping","params":{"a":-Infinity}}', "NOT_JSON"),
        (b'{"jsonrpc":"2.0","method":"ping","params":{"a":01}}', "NOT_JSON"),
        (b'{"jsonrpc":"2.0","method":"ping","params":{"a":"\n"}}', "NOT_JSON"),
        (b'{"jsonrpc":"2.0","method":"ping","params":{},}', "NOT_JSON"),
        (b'{"jsonrpc":"2.0","method":"ping"} {}', "NOT_JSON"),
        (b"[" * 60_000, "NESTED_TOO_DEEP"),
        (b'{"jsonrpc":"2.0","method":"ping","params":' + b'{"a":' * 10_000, "NESTED_TOO_DEEP"),
        (b'{"jsonrpc":"2.0","method":"ping","params":{"a":"\\ud800"}}', "NOT_UNICODE"),
        (b'[{"jsonrpc":"2.0","method":"\\udc00"}]', "NOT_UNICODE"),
    ],
)
def test_a_text_that_cannot_be_read_is_a_parse_error(text: bytes, reason: str) -> None:
    answer = refused(text)
    assert (answer["error"]["code"], answer["error"]["data"]["reason"], answer["id"]) == (-32700, reason, None)


def test_numbers_of_any_length_cost_nothing() -> None:
    text = b'{"jsonrpc":"2.0","method":"ping","params":{"a":' + b"9" * 60_000 + b"}}"
    assert isinstance(only(text), Call)


def test_a_field_given_twice_is_refused_with_its_name() -> None:
    element = only('{"jsonrpc":"2.0","method":"orders.place","params":{"a":{"quantity":1,"quantity":2}},"id":1}')
    assert isinstance(element, Refused)
    assert (element.id, element.fault.code) == (b"1", -32602)
    assert (element.fault.reason, element.fault.field) == ("DUPLICATE_FIELD", "quantity")


def test_an_envelope_that_says_something_twice_has_no_id() -> None:
    answer = refused('{"jsonrpc":"2.0","method":"ping","id":1,"id":2}')
    assert (answer["error"]["code"], answer["id"]) == (-32600, None)


def test_a_repetition_in_a_batch_concerns_its_own_element_only() -> None:
    frame = read_text(
        '[{"jsonrpc":"2.0","method":"ping","id":1},{"jsonrpc":"2.0","method":"p","params":{"a":1,"a":1},"id":2}]'
    )
    assert [type(element) for element in frame.elements] == [Call, Refused]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")))
def test_no_frame_breaks_the_reader_and_every_refusal_is_json(data: bytes) -> None:
    for element in read(data, max_batch=100).elements:
        if isinstance(element, Refused):
            assert json.loads(replies.fault(element.id, element.fault))["error"]["code"] in (-32700, -32600, -32602)
        else:
            json.loads(element.params)


def test_a_fault_says_what_is_wrong() -> None:
    fault = Fault(-32602, "WRONG_TYPE", "quantity must be a whole number", field="quantity")
    assert json.loads(replies.fault(b"1", fault))["error"] == {
        "code": -32602,
        "message": "Invalid params",
        "data": {
            "reason": "WRONG_TYPE",
            "outcome": "NOT_EXECUTED",
            "retry": "never",
            "retryAfterMs": 0,
            "details": {"problem": "quantity must be a whole number", "field": "quantity"},
        },
    }
