"""One conversation in which every message of docs/asyncapi.yaml passes, and fits. Other tests check theirs by the way."""

import json
from typing import Any

from gen.trading.v1 import price_pb2
from tests.integration.edge.client import Client, a_client, a_token
from tests.integration.edge.neighbours import a_quote, say_quotes
from tests.integration.edge.running import an_edge
from tests.integration.edge.traffic import check, check_answer

ORDER = {"symbol": "AAPL", "side": "BUY", "type": "LIMIT", "quantity": "10", "limitPrice": "190.12"}
# What the neighbours in these tests do not serve is refused, and that answer is described, too.
CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("ping", {}),
    ("prices.get", {"symbols": ["AAPL"]}),
    ("prices.history", {"symbol": "AAPL", "timerange": "1d"}),
    ("instruments.search", {"query": "App"}),
    ("market.status", {}),
    ("prices.subscribe", {"symbols": ["AAPL", "NOPE"], "maxHz": 50}),
    ("prices.subscribe", {"symbols": ["MSFT"], "mode": "LTP"}),
    ("prices.unsubscribe", {"symbols": ["BRK.B"]}),
    ("orders.subscribe", {}),
    ("orders.place", {**ORDER, "clientOrderId": "k1"}),
    ("orders.place", {**ORDER, "side": None, "orderType": "buy", "limitPrice": None, "amount": 190.12}),
    ("orders.preview", {"order": ORDER}),
    ("orders.get", {"clientOrderId": "k1"}),
    ("orders.get", {"clientOrderId": "nope"}),
    ("orders.list", {"states": ["PENDING"], "pageSize": 10}),
    ("orders.cancel", {"clientOrderId": "k1"}),
    ("orders.replace", {"clientOrderId": "k1", "quantity": 20}),
    ("orders.timeline", {"clientOrderId": "k1"}),
    ("orders.subscribe", {"from": "1-1", "accountId": None}),
)


async def call(client: Client, method: str, params: dict[str, Any]) -> None:
    check(method, {"jsonrpc": "2.0", "method": method, "params": params, "id": 1})
    await client.request(method, **params)


async def test_a_whole_conversation_is_described(nats_url: str) -> None:
    async with an_edge(nats_url, heartbeat_seconds=0.2) as edge, a_client(edge.url) as client:
        await call(client, "session.authenticate", {"token": a_token("described", seconds=50)})
        for method, params in CALLS:
            await call(client, method, params)
        for notification in ("orders.snapshot", "orders.update", "session.heartbeat", "session.expiring"):
            await client.told(notification)

        newer = [a_quote("AAPL", seq=2), a_quote("MSFT", seq=2)]
        await say_quotes(edge.bus, *newer)
        await client.told("prices.update")
        stale = price_pb2.PriceStatus(symbol="AAPL", state=price_pb2.Quote.STALE, reason="silent")
        stale.since.GetCurrentTime()
        await say_quotes(edge.bus, statuses=[stale])
        await client.told("prices.status")
        await call(client, "orders.unsubscribe", {})


async def test_batches_and_unreadable_frames_are_described(nats_url: str) -> None:
    asked = [
        {"jsonrpc": "2.0", "method": "ping", "id": None},
        {"jsonrpc": "2.0", "method": "market.status", "params": {}},
        {"jsonrpc": "2.0", "method": "orders.get", "params": {"clientOrderId": "nope"}, "id": "b"},
    ]
    check("batch", asked)
    async with an_edge(nats_url) as edge, a_client(edge.url, token=a_token("described")) as client:
        await client.send(asked)
        check("batch.result", await client.next())
        await client.send("[1, 2]")
        check("batch.result", await client.next())
        for text in ("{", "[]", '"ping"', json.dumps({"jsonrpc": "2.0", "method": "nope", "id": 1})):
            await client.send(text)
            check_answer("", await client.next())
