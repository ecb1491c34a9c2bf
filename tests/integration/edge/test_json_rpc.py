"""Every example of the JSON-RPC 2.0 specification (§7) as it is printed there, with methods of ours, over a real socket."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.edge.client import Client, a_client, a_token
from tests.integration.edge.running import an_edge

PARSE_ERROR = {"code": -32700, "message": "Parse error"}
INVALID_REQUEST = {"code": -32600, "message": "Invalid Request"}
METHOD_NOT_FOUND = {"code": -32601, "message": "Method not found"}
INVALID_PARAMS = {"code": -32602, "message": "Invalid params"}
PRICES = ["nextPageToken", "prices"]
STATUS = ["feedAgeMs", "pricedInstruments", "state", "timeZone"]


def result(members: list[str], identity: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "result": members, "id": identity}


def error(told: dict[str, Any], identity: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "error": told, "id": identity}


# The examples in their order, each with the words that the specification has above it.
EXAMPLES: tuple[tuple[str, str, Any], ...] = (
    (
        "rpc call with positional parameters, which our methods do not take",
        '{"jsonrpc": "2.0", "method": "prices.get", "params": ["AAPL", "MSFT"], "id": 1}',
        error(INVALID_PARAMS, 1),
    ),
    (
        "rpc call with named parameters",
        '{"jsonrpc": "2.0", "method": "prices.get", "params": {"symbol": "MSFT", "pageSize": 1}, "id": 3}',
        result(PRICES, 3),
    ),
    (
        "the same, its members in another order",
        '{"jsonrpc": "2.0", "method": "prices.get", "params": {"pageSize": 1, "symbol": "MSFT"}, "id": 4}',
        result(PRICES, 4),
    ),
    ("a notification", '{"jsonrpc": "2.0", "method": "prices.unsubscribe", "params": {"symbols": ["AAPL"]}}', None),
    ("a notification of what does not exist", '{"jsonrpc": "2.0", "method": "foobar"}', None),
    ("a notification with invalid parameters", '{"jsonrpc": "2.0", "method": "ping", "params": [1,2,3,4,5]}', None),
    (
        "rpc call of non-existent method",
        '{"jsonrpc": "2.0", "method": "foobar", "id": "1"}',
        error(METHOD_NOT_FOUND, "1"),
    ),
    (
        "rpc call with invalid JSON",
        '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
        error(PARSE_ERROR, None),
    ),
    (
        "rpc call with invalid Request object",
        '{"jsonrpc": "2.0", "method": 1, "params": "bar"}',
        error(INVALID_REQUEST, None),
    ),
    (
        "rpc call Batch, invalid JSON",
        '[\n{"jsonrpc": "2.0", "method": "ping", "params": {}, "id": "1"},\n{"jsonrpc": "2.0", "method"\n]',
        error(PARSE_ERROR, None),
    ),
    ("rpc call with an empty Array", "[]", error(INVALID_REQUEST, None)),
    ("rpc call with an invalid Batch (but not empty)", "[1]", [error(INVALID_REQUEST, None)]),
    ("rpc call with invalid Batch", "[1,2,3]", [error(INVALID_REQUEST, None)] * 3),
    (
        "rpc call Batch",
        """[
        {"jsonrpc": "2.0", "method": "prices.get", "params": {"symbols": ["AAPL", "MSFT"]}, "id": "1"},
        {"jsonrpc": "2.0", "method": "prices.unsubscribe", "params": {"symbols": ["AAPL"]}},
        {"jsonrpc": "2.0", "method": "ping", "params": {}, "id": "2"},
        {"foo": "boo"},
        {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
        {"jsonrpc": "2.0", "method": "market.status", "id": "9"}
        ]""",
        [
            result(PRICES, "1"),
            result(["time"], "2"),
            error(INVALID_REQUEST, None),
            error(METHOD_NOT_FOUND, "5"),
            result(STATUS, "9"),
        ],
    ),
    (
        "rpc call Batch (all notifications)",
        '[{"jsonrpc": "2.0", "method": "ping"}, {"jsonrpc": "2.0", "method": "market.status", "params": {}}]',
        None,
    ),
)

# What the text of the specification says without an example (§4, §5, §6).
RULES: tuple[tuple[str, str, Any], ...] = (
    ("an id of null is an id", '{"jsonrpc": "2.0", "method": "ping", "id": null}', result(["time"], None)),
    ("an id may be a fraction", '{"jsonrpc": "2.0", "method": "ping", "id": 1.5}', result(["time"], 1.5)),
    ("an id may be empty", '{"jsonrpc": "2.0", "method": "ping", "id": ""}', result(["time"], "")),
    ("an id is no boolean", '{"jsonrpc": "2.0", "method": "ping", "id": true}', error(INVALID_REQUEST, None)),
    ("an id is no object", '{"jsonrpc": "2.0", "method": "ping", "id": {}}', error(INVALID_REQUEST, None)),
    ("the version is the text 2.0", '{"jsonrpc": 2.0, "method": "ping", "id": 1}', error(INVALID_REQUEST, 1)),
    ("the version is there", '{"method": "ping", "id": 1}', error(INVALID_REQUEST, 1)),
    (
        "parameters are structured",
        '{"jsonrpc": "2.0", "method": "ping", "params": 1, "id": 1}',
        error(INVALID_REQUEST, 1),
    ),
    ("names are case-sensitive", '{"jsonrpc": "2.0", "Method": "ping", "id": 1}', error(INVALID_REQUEST, 1)),
    (
        "methods that begin with rpc. are reserved",
        '{"jsonrpc": "2.0", "method": "rpc.discover", "id": 1}',
        error(METHOD_NOT_FOUND, 1),
    ),
    ("a batch in a batch is no request", "[[]]", [error(INVALID_REQUEST, None)]),
    (
        "a batch of one is answered by an array",
        '[{"jsonrpc": "2.0", "method": "ping", "id": 1}]',
        [result(["time"], 1)],
    ),
    ("a text is no request", '"ping"', error(INVALID_REQUEST, None)),
)


@pytest.fixture(scope="module")
async def client(nats_url: str) -> AsyncIterator[Client]:
    async with an_edge(nats_url) as edge, a_client(edge.url, token=a_token("json-rpc")) as connected:
        yield connected


def in_short(answer: Any) -> Any:
    """Return an answer with the names of a result's members for the result, and without what we add to an error."""
    if isinstance(answer, list):
        return sorted((in_short(one) for one in answer), key=json.dumps)
    if "result" in answer:
        return {**answer, "result": sorted(answer["result"])}
    return {**answer, "error": {name: told for name, told in answer["error"].items() if name != "data"}}


@pytest.mark.parametrize(
    ("asked", "answered"), [pytest.param(text, answer, id=words) for words, text, answer in EXAMPLES + RULES]
)
async def test_the_socket_answers_as_the_specification_prints(client: Client, asked: str, answered: Any) -> None:
    await client.send(asked)
    await client.send('{"jsonrpc": "2.0", "method": "nothing-more", "id": "end"}')
    answers = (
        [in_short(await client.next()), in_short(await client.next())] if answered else [in_short(await client.next())]
    )

    end = error(METHOD_NOT_FOUND, "end")
    assert end in answers
    answers.remove(end)
    assert answers == (
        [sorted(answered, key=json.dumps) if isinstance(answered, list) else answered] if answered else []
    )
