"""Orders go through with the caller's own token, and their updates come back: no gap, no double, whatever happens between."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from edge import methods
from gen.trading.v1.order_pb2 import Order, OrderEvent
from runtime.subjects import ORDER_UPDATES
from tests.integration.edge.client import Client, a_client, a_token, eventually
from tests.integration.edge.running import Edge, an_edge, another_edge
from tests.servers import Server

LIMIT = {"symbol": "AAPL", "side": "BUY", "type": "LIMIT", "quantity": 10, "limitPrice": "190.12"}


@pytest.fixture
def account() -> str:
    """An account that no other test uses; the dot has to survive the way over the bus."""
    return f"acc.{uuid4().hex[:8]}"


async def test_an_order_is_placed_and_read_under_the_callers_name(nats_url: str, account: str) -> None:
    async with an_edge(nats_url) as edge, a_client(edge.url, token=a_token(account)) as client:
        placed = await client.call("orders.place", **LIMIT, clientOrderId="k1")
        assert placed["replayed"] is False
        assert (placed["order"]["accountId"], placed["order"]["limitPrice"]) == (account, "190.12")
        assert placed["order"]["quantity"] == "10"
        assert (await client.call("orders.place", **LIMIT, clientOrderId="k1"))["replayed"] is True
        assert (await client.call("orders.get", clientOrderId="k1"))["order"]["orderId"] == f"{account}/k1"
        assert len((await client.call("orders.list"))["orders"]) == 1
        missing = await client.refused("orders.get", clientOrderId="nope")
        assert (missing["data"]["reason"], missing["data"]["outcome"]) == ("ORDER_NOT_FOUND", "NOT_EXECUTED")


async def test_the_customers_own_body_works_and_its_price_keeps_every_digit(nats_url: str, account: str) -> None:
    async with an_edge(nats_url) as edge, a_client(edge.url, token=a_token(account)) as client:
        await client.send(
            b'{"jsonrpc":"2.0","method":"orders.place","id":1,"params":'
            b'{"orderType":"buy","type":"LIMIT","symbol":"AAPL","quantity":3,"amount":190.120000}}'
        )
        answer = await client.next()
        assert (answer["result"]["order"]["side"], answer["result"]["order"]["limitPrice"]) == ("BUY", "190.120000")
        assert edge.orders.requests[0].client_order_id != ""


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"limitPrice": 190.12}, "limitPrice", "WRONG_TYPE"),
        ({"quantity": True}, "quantity", "WRONG_TYPE"),
        ({"quantity": 1.0}, "quantity", "WRONG_TYPE"),
        ({"quantity": 2**64}, "quantity", "OUT_OF_RANGE"),
        ({"quantity": None}, "quantity", "WRONG_TYPE"),
        ({"side": "buy"}, "side", "INVALID_VALUE"),
        ({"limit_price": "1"}, "limit_price", "UNKNOWN_FIELD"),
        ({"amount": [1]}, "amount", "WRONG_TYPE"),
        ({"symbol": {"$ne": ""}}, "symbol", "WRONG_TYPE"),
    ],
)
async def test_an_order_of_the_wrong_shape_never_leaves_the_edge(
    nats_url: str, account: str, change: dict[str, Any], field: str, reason: str
) -> None:
    async with an_edge(nats_url) as edge, a_client(edge.url, token=a_token(account)) as client:
        refused = await client.refused("orders.place", **{**LIMIT, **change})
        data = refused["data"]
        assert (refused["code"], data["reason"], data["details"]["field"]) == (-32602, reason, field)
        assert (data["outcome"], data["retry"]) == ("NOT_EXECUTED", "never")
        assert edge.orders.requests == []


async def test_an_order_without_an_id_is_ignored(nats_url: str, account: str) -> None:
    async with an_edge(nats_url) as edge, a_client(edge.url, token=a_token(account)) as client:
        await client.send({"jsonrpc": "2.0", "method": "orders.place", "params": LIMIT})
        await client.call("ping")
        assert edge.orders.requests == []


async def test_refusals_carry_what_a_program_needs(nats_url: str, account: str) -> None:
    async with (
        an_edge(nats_url) as edge,
        a_client(edge.url, token=a_token(account)) as trader,
        a_client(edge.url, token=a_token(account, scopes=("read",))) as reader,
    ):
        closed = await trader.refused("orders.place", **{**LIMIT, "symbol": "CLOSED"}, clientOrderId="k")
        assert (closed["code"], closed["message"]) == (-32000, "the venue is closed")
        assert closed["data"] == {
            "reason": "MARKET_CLOSED",
            "outcome": "NOT_EXECUTED",
            "retry": "never",
            "retryAfterMs": 0,
            "details": {"field": "limitPrice", "limit": "1", "clientOrderId": "k"},
        }
        assert (await reader.refused("orders.place", **LIMIT))["data"]["reason"] == "SCOPE_MISSING"
        assert (await reader.refused("orders.place", **LIMIT, accountId="other"))["data"]["reason"] == "SCOPE_MISSING"
        assert (await trader.refused("orders.subscribe", accountId="other"))["data"]["reason"] == "ACCOUNT_FORBIDDEN"


async def test_an_order_that_times_out_has_an_unknown_outcome_and_a_key_to_ask_again_with(
    nats_url: str, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(methods, "CHANGE_SECONDS", 0.2)
    async with an_edge(nats_url) as edge, a_client(edge.url, token=a_token(account)) as client:
        edge.orders.pause_seconds = 0.5
        late = await client.refused("orders.place", **LIMIT)
        assert (late["data"]["outcome"], late["data"]["retry"]) == ("UNKNOWN", "same_key")
        key = late["data"]["details"]["clientOrderId"]
        edge.orders.pause_seconds = 0.0
        again = await client.call("orders.place", **LIMIT, clientOrderId=key)
        assert again["order"]["clientOrderId"] == key

    async with (
        an_edge(nats_url, order_svc="127.0.0.1:1") as edge,
        a_client(edge.url, token=a_token(account)) as client,
    ):
        away = await client.refused("orders.place", **LIMIT)
        assert (away["data"]["reason"], away["data"]["retry"]) == ("UNAVAILABLE", "same_key")


async def test_a_new_client_gets_a_snapshot_and_then_every_update_in_a_chain(nats_url: str, account: str) -> None:
    async with an_edge(nats_url) as edge, a_client(edge.url, token=a_token(account)) as client:
        await client.call("orders.place", **LIMIT, clientOrderId="before")
        answer = await client.call("orders.subscribe")
        assert answer["recovered"] is False
        snapshot = await client.told("orders.snapshot")
        assert [order["clientOrderId"] for order in snapshot["orders"]] == ["before"]
        assert (snapshot["position"], snapshot["nextPageToken"]) == (answer["position"], "")

        last = answer["position"]
        for key in ("one", "two", "three"):
            await client.call("orders.place", **LIMIT, clientOrderId=key)
        for key in ("one", "two", "three"):
            update = await client.told("orders.update")
            assert (update["previous"], update["order"]["clientOrderId"]) == (last, key)
            assert update["event"]["kind"] == "CREATED"
            last = update["position"]


async def test_a_client_that_was_away_resumes_from_its_position_on_any_edge(nats_url: str, account: str) -> None:
    async with an_edge(nats_url) as edge:
        order = await _placed(edge, account)
        async with a_client(edge.url, token=a_token(account)) as client:
            last = (await client.call("orders.subscribe"))["position"]
        for _ in range(3):
            await edge.orders.change(order)
        async with another_edge(nats_url, edge.bus, edge.neighbours) as other:
            for url in (edge.url, other.url):
                async with a_client(url, token=a_token(account)) as client:
                    answer = await client.call("orders.subscribe", **{"from": last})
                    assert answer == {"recovered": True, "position": last}
                    assert await _revisions(client, 3, after=last) == ["2", "3", "4"]


async def test_updates_during_the_subscription_come_once(nats_url: str, account: str) -> None:
    async with an_edge(nats_url) as edge:
        order = await _placed(edge, account)
        async with a_client(edge.url, token=a_token(account)) as client:
            last = (await client.call("orders.subscribe"))["position"]
        revisions = [order.revision + 1 + number for number in range(60)]

        async def change() -> None:
            for _ in revisions:
                await edge.orders.change(order)

        async with a_client(edge.url, token=a_token(account)) as client:
            changing = asyncio.create_task(change())
            for _ in range(5):
                answer = await client.call("orders.subscribe", **{"from": last})
                assert answer["recovered"] is True
                await asyncio.sleep(0.01)
            await changing
            # Each subscription began anew at the same position; the last one is the one that counts.
            seen: list[str] = []
            while not seen or seen[-1] != str(revisions[-1]):
                update = await client.told("orders.update")
                seen = [] if update["previous"] == last else seen
                seen.append(update["order"]["revision"])
            assert seen == [str(revision) for revision in revisions]


@pytest.mark.parametrize(
    "position", ["garbage", "1-1", "9999999999999-5", "{created}-999999999", "{created}-{foreign}"]
)
async def test_a_position_that_is_not_ours_is_answered_with_a_snapshot(
    nats_url: str, account: str, position: str
) -> None:
    async with an_edge(nats_url) as edge:
        foreign = await edge.orders.say(
            Order(order_id=account, account_id=f"{account}.other", revision=1), OrderEvent.CREATED
        )
        order = await _placed(edge, account)
        await edge.orders.change(order)
        created, _, _ = await edge.bus.stream_created(ORDER_UPDATES)
        async with a_client(edge.url, token=a_token(account)) as client:
            asked = position.format(created=created, foreign=foreign)
            assert (await client.call("orders.subscribe", **{"from": asked}))["recovered"] is False
            snapshot = await client.told("orders.snapshot")
            assert [found["revision"] for found in snapshot["orders"]] == ["2"]


async def test_updates_reach_every_socket_of_the_account_and_nobody_else(nats_url: str, account: str) -> None:
    async with (
        an_edge(nats_url) as edge,
        a_client(edge.url, token=a_token(account)) as phone,
        a_client(edge.url, token=a_token(account)) as page,
        a_client(edge.url, token=a_token(f"{account}.other")) as stranger,
    ):
        for client in (phone, page, stranger):
            await client.call("orders.subscribe")
        await phone.call("orders.place", **LIMIT, clientOrderId="k")
        for client in (phone, page):
            assert (await client.told("orders.update"))["order"]["clientOrderId"] == "k"
        assert await stranger.call("orders.unsubscribe") == {}
        assert stranger.kept == ["orders.snapshot"]
        await page.call("orders.unsubscribe")
        await phone.call("orders.place", **LIMIT, clientOrderId="k2")
        assert (await phone.told("orders.update"))["order"]["clientOrderId"] == "k2"
        await page.call("ping")
        assert page.kept == ["orders.snapshot"]


async def test_nothing_is_missed_when_the_broker_dies_and_comes_back(nats_server: Server, account: str) -> None:
    async with an_edge(nats_server.url) as edge, a_client(edge.url, token=a_token(account)) as client:
        order = await _placed(edge, account)
        last = (await client.call("orders.subscribe"))["position"]
        await nats_server.kill()
        await nats_server.start()
        await eventually(lambda: edge.bus.is_connected)
        for _ in range(3):
            await edge.orders.change(order)
        assert await _revisions(client, 3, after=last) == ["2", "3", "4"]


async def test_a_stream_that_is_another_one_ends_the_session_and_begins_anew(nats_server: Server, account: str) -> None:
    async with an_edge(nats_server.url) as edge:
        order = await _placed(edge, account)
        async with a_client(edge.url, token=a_token(account)) as client:
            last = (await client.call("orders.subscribe"))["position"]
            await edge.bus._jetstream.delete_stream(ORDER_UPDATES)
            await edge.bus.ensure_streams()
            assert await client.closed() == 4010
        await edge.orders.change(order)
        async with a_client(edge.url, token=a_token(account)) as client:
            assert (await client.call("orders.subscribe", **{"from": last}))["recovered"] is False
            await edge.orders.change(order)
            assert (await client.told("orders.update"))["order"]["revision"] == "3"


async def test_a_client_that_leaves_its_order_updates_unread_is_let_go(nats_url: str, account: str) -> None:
    async with an_edge(nats_url, max_unread_frames=50, max_unread_bytes=65_536) as edge:
        order = await _placed(edge, account)
        order.reason.message = "x" * 20_000
        async with a_client(edge.url, token=a_token(account), max_queue=1) as client:
            last = (await client.call("orders.subscribe"))["position"]
            client.socket.transport.pause_reading()
            for _ in range(700):
                await edge.orders.change(order)
            client.socket.transport.resume_reading()
            code = await client.closed()
            assert code in (4008, 1006)
        async with a_client(edge.url, token=a_token(account)) as client:
            assert (await client.call("orders.subscribe", **{"from": last}))["recovered"] is False


async def test_heartbeats_carry_the_position_that_a_loss_would_show_by(nats_url: str, account: str) -> None:
    async with (
        an_edge(nats_url, heartbeat_seconds=0.2) as edge,
        a_client(edge.url, token=a_token(account)) as client,
    ):
        await client.call("orders.subscribe")
        await client.call("orders.place", **LIMIT)
        update = await client.told("orders.update")
        while (await client.told("session.heartbeat"))["position"] != update["position"]:
            pass


async def _placed(edge: Edge, account: str) -> Order:
    async with a_client(edge.url, token=a_token(account)) as client:
        await client.call("orders.place", **LIMIT, clientOrderId="first")
    return edge.orders.orders[account, "first"]


async def _revisions(client: Client, count: int, *, after: str) -> list[str]:
    """Return the revisions of the next updates, which must be a chain from a position on."""
    revisions = []
    for _ in range(count):
        update = await client.told("orders.update")
        assert update["previous"] == after
        after = update["position"]
        revisions.append(update["order"]["revision"])
    return revisions
