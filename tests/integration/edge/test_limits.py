"""Limits on real sockets: who is refused is told when to come back, and costs the others nothing."""

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.integration.edge.client import Client, a_client, a_token
from tests.integration.edge.running import an_edge, another_edge
from tests.servers import Server


async def refusal(url: str, **headers: str) -> tuple[int, str, Any]:
    """Return status, Retry-After and body with which an upgrade is refused."""
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url, additional_headers=headers, proxy=None):
            pass
    response = refused.value.response
    return response.status_code, response.headers["Retry-After"], json.loads(response.body)


def an_order(key: str) -> dict[str, object]:
    return {"clientOrderId": key, "symbol": "AAPL", "side": "BUY", "type": "MARKET", "quantity": 1}


async def place(client: Client, *keys: str) -> list[str]:
    """Place orders one after the other; return the reasons of those refused."""
    answers = [await client.request("orders.place", **an_order(key)) for key in keys]
    return [answer["error"]["data"]["reason"] for answer in answers if "error" in answer]


async def test_an_address_has_only_so_many_sockets_and_room_comes_back(nats_url: str) -> None:
    async with an_edge(nats_url, max_address_sockets=2) as edge:
        async with a_client(edge.url), a_client(edge.url):
            status, after, told = await refusal(edge.url)
            assert (status, after, told["reason"]) == (429, "5", "TOO_MANY_CONNECTIONS")
            # Another client of the same proxy.
            async with a_client(edge.url, additional_headers={"X-Forwarded-For": "198.51.100.7"}) as other:
                await other.call("ping")
        async with a_client(edge.url) as again:
            await again.call("ping")


async def test_a_full_process_refuses_before_there_is_a_socket(nats_url: str) -> None:
    async with an_edge(nats_url, max_sockets=1) as edge, a_client(edge.url):
        status, after, told = await refusal(edge.url)
    assert (status, after, told["reason"]) == (503, "5", "TOO_MANY_CONNECTIONS")


async def test_an_account_has_only_so_many_sockets_on_all_edges(nats_url: str, redis_url: str) -> None:
    limits: dict[str, Any] = {"max_account_sockets": 2, "redis_url": redis_url}
    token = a_token("crowded")
    async with (
        an_edge(nats_url, **limits) as one,
        another_edge(nats_url, one.bus, one.neighbours, **limits) as two,
        a_client(one.url, token=token),
    ):
        async with a_client(two.url, token=token), a_client(one.url) as third:
            refused = await third.refused("session.authenticate", token=token)
            assert refused["code"] == -32000
            assert refused["data"]["reason"] == "TOO_MANY_CONNECTIONS"
            assert refused["data"]["details"] == {"scope": "account", "limit": "2"}
            assert refused["data"]["retry"] == "after"
            assert (await refusal(two.url, Authorization=f"Bearer {token}"))[0] == 429
            await third.call("session.authenticate", token=a_token("other"))
        # Redis hears within a moment that the place is free.
        await asyncio.sleep(0.5)
        async with a_client(two.url, token=token) as fourth:
            await fourth.call("ping")


async def test_messages_above_the_limit_are_refused_and_others_are_served(nats_url: str) -> None:
    async with (
        an_edge(nats_url, messages_per_second=5, max_batch=100) as edge,
        a_client(edge.url, token=a_token("loud")) as loud,
        a_client(edge.url, token=a_token("quiet")) as quiet,
    ):
        answers = [await loud.request("ping") for _ in range(15)]
        refused = [answer["error"] for answer in answers if "error" in answer]
        assert len(refused) >= 4
        assert refused[0]["data"]["reason"] == "RATE_LIMITED"
        assert 0 < refused[0]["data"]["retryAfterMs"] <= 200
        assert refused[0]["data"]["details"]["scope"] == "messages"
        await quiet.call("ping")
        await asyncio.sleep(0.25)
        await loud.call("ping")


async def test_orders_are_limited_for_the_account_and_cancels_are_not(nats_url: str) -> None:
    async with (
        an_edge(nats_url, orders_per_second=1) as edge,
        a_client(edge.url, token=a_token("trader")) as one,
        a_client(edge.url, token=a_token("trader")) as two,
        a_client(edge.url, token=a_token("other")) as other,
    ):
        assert await place(one, "a", "b") == []
        refused = await two.refused("orders.place", **an_order("c"))
        assert (refused["data"]["reason"], refused["data"]["outcome"]) == ("RATE_LIMITED", "NOT_EXECUTED")
        assert refused["data"]["details"]["scope"] == "orders"
        assert 0 < refused["data"]["retryAfterMs"] <= 1000
        assert (await two.refused("orders.cancel", orderId="x"))["data"]["reason"] != "RATE_LIMITED"
        assert await place(other, "a", "b") == []


async def test_without_redis_nobody_is_refused_for_that(nats_url: str, redis_server: Server) -> None:
    async with an_edge(nats_url, redis_url=redis_server.url, max_account_sockets=2) as edge:
        token = a_token("patient")
        async with a_client(edge.url, token=token):
            await redis_server.kill()
            async with a_client(edge.url, token=token) as second, a_client(edge.url) as third:
                assert await place(second, "a", "b", "c") == []
                # What this edge sees itself counts all the same.
                assert (await third.refused("session.authenticate", token=token))["data"]["details"]["limit"] == "2"


async def test_subscriptions_are_limited_for_the_account(nats_url: str) -> None:
    async with (
        an_edge(nats_url, max_account_subscriptions=3, subscriptions_per_second=4) as edge,
        a_client(edge.url, token=a_token("watcher")) as one,
        a_client(edge.url, token=a_token("watcher")) as two,
    ):
        await one.call("prices.subscribe", symbols=["AAPL", "MSFT"])
        told = await two.call("prices.subscribe", symbols=["AAPL", "MSFT"])
        assert [refused["reason"] for refused in told["refused"]] == ["TOO_MANY_SUBSCRIPTIONS"]
        await one.call("prices.unsubscribe", symbols=["MSFT"])
        assert (await two.call("prices.subscribe", symbols=["MSFT"]))["refused"] == []
        refused = await two.refused("prices.subscribe", symbols=["AAPL", "MSFT", "BRK.B", "A"] * 2)
        assert refused["data"]["details"]["scope"] == "subscriptions"


async def test_limits_are_told(nats_url: str) -> None:
    async with an_edge(nats_url, messages_per_second=7) as edge, a_client(edge.url) as client:
        told = await client.call("session.authenticate", token=a_token())
    assert told["limits"]["messagesPerSecond"] == 7
    assert told["limits"]["accountSockets"] == 100


async def test_when_the_process_is_full_of_orders_reads_of_orders_still_go(nats_url: str) -> None:
    async with (
        an_edge(nats_url, max_requests=10) as edge,
        a_client(edge.url, token=a_token("busy")) as busy,
        a_client(edge.url, token=a_token("other")) as other,
    ):
        edge.orders.pause_seconds = 0.5
        for number in range(9):
            await busy.send({"jsonrpc": "2.0", "method": "orders.place", "params": an_order(f"{number}"), "id": number})
        refused = (await busy.next())["error"]["data"]
        assert (refused["reason"], refused["outcome"], refused["retry"]) == ("OVERLOADED", "NOT_EXECUTED", "after")
        assert (await other.refused("instruments.search", query="a"))["data"]["reason"] == "OVERLOADED"
        assert (await other.refused("orders.get", clientOrderId="x"))["data"]["reason"] == "ORDER_NOT_FOUND"
        for _ in range(8):
            assert "result" in await busy.next()
        assert "instruments" in await other.call("instruments.search", query="a")
