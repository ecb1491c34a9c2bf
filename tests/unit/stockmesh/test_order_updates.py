"""Order updates over a scripted server: no gap and no repetition, whatever happens to the connection."""

import asyncio
from typing import Any

import pytest

from stockmesh import CannotConnect, Client, FellBehind, OrderUpdates, Refused, following
from stockmesh.models import OrderSnapshot, OrderUpdate
from tests.unit.stockmesh.scripted import (
    Params,
    Refuse,
    ScriptedServer,
    Silence,
    an_order,
    an_update,
    raising,
    scripted_server,
    until,
)


class Account:
    """An account's stream as the server keeps it: each subscription replays what follows its position."""

    def __init__(self, server: ScriptedServer, *, length: int) -> None:
        self.server, self.last = server, length
        server.on("orders.subscribe", self.subscribe)

    async def subscribe(self, params: Params) -> Params:
        start = int(params["from"].removeprefix("p-")) if "from" in params else self.last
        asyncio.get_running_loop().call_soon(asyncio.ensure_future, self.replay(start))
        return {"recovered": True, "position": params.get("from", f"p-{self.last}")}

    async def replay(self, start: int) -> None:
        for number in range(start + 1, self.last + 1):
            await self.send(number)

    async def send(self, number: int) -> None:
        await self.server.tell("orders.update", **an_update(f"p-{number}", f"p-{number - 1}"))

    async def happen(self, *, lose: bool = False) -> None:
        self.last += 1
        if not lose:
            await self.send(self.last)


async def taken(updates: OrderUpdates, count: int) -> list[OrderUpdate | OrderSnapshot]:
    async with asyncio.timeout(5):
        return [await anext(updates) for _ in range(count)]


def positions(items: list[OrderUpdate | OrderSnapshot]) -> list[str]:
    return [item.position for item in items]


@pytest.fixture
async def server() -> Any:
    async with scripted_server() as server:
        yield server


async def test_updates_come_from_now_on(server: ScriptedServer) -> None:
    account = Account(server, length=7)

    async with Client(server.url, "t") as client, client.order_updates() as updates:
        await account.happen()
        await account.happen()

        assert positions(await taken(updates, 2)) == ["p-8", "p-9"]
        assert updates.position == "p-9"


async def test_updates_go_on_from_a_position_of_an_earlier_life(server: ScriptedServer) -> None:
    Account(server, length=7)

    async with Client(server.url, "t") as client, client.order_updates("p-4") as updates:
        assert positions(await taken(updates, 3)) == ["p-5", "p-6", "p-7"]
    assert server.asked_for("orders.subscribe") == [{"from": "p-4"}]


async def test_a_lost_connection_leaves_no_gap(server: ScriptedServer) -> None:
    account = Account(server, length=0)

    async with Client(server.url, "t") as client, client.order_updates() as updates:
        await account.happen()
        assert positions(await taken(updates, 1)) == ["p-1"]
        server.cut()
        await account.happen(lose=True)
        await account.happen(lose=True)

        assert positions(await taken(updates, 2)) == ["p-2", "p-3"]
    assert server.asked_for("orders.subscribe") == [{}, {"from": "p-1"}]


async def test_an_update_that_was_lost_on_the_way_is_fetched(server: ScriptedServer) -> None:
    account = Account(server, length=0)

    async with Client(server.url, "t") as client, client.order_updates() as updates:
        await account.happen()
        await account.happen(lose=True)
        await account.happen()

        assert positions(await taken(updates, 3)) == ["p-1", "p-2", "p-3"]
        await account.happen()
        assert positions(await taken(updates, 1)) == ["p-4"]


async def test_the_last_update_that_was_lost_is_found_by_the_heartbeat(server: ScriptedServer) -> None:
    account = Account(server, length=0)

    async with Client(server.url, "t") as client, client.order_updates() as updates:
        await account.happen()
        await taken(updates, 1)
        await account.happen(lose=True)
        for _ in range(2):
            await server.tell("session.heartbeat", position="p-2")

        assert positions(await taken(updates, 1)) == ["p-2"]


async def test_a_heartbeat_that_overtakes_an_update_asks_for_nothing(server: ScriptedServer) -> None:
    account = Account(server, length=1)

    async with Client(server.url, "t") as client, client.order_updates() as updates:
        await server.tell("session.heartbeat", position="p-2")
        await account.happen()
        await server.tell("session.heartbeat", position="p-2")

        assert positions(await taken(updates, 1)) == ["p-2"]
    assert len(server.asked_for("orders.subscribe")) == 1


async def test_what_cannot_be_recovered_comes_as_a_snapshot(server: ScriptedServer) -> None:
    async def subscribe(params: Params) -> Params:
        snapshot = {"position": "q-9", "orders": [an_order()]}
        asyncio.get_running_loop().call_soon(asyncio.ensure_future, server.tell("orders.snapshot", **snapshot))
        return {"recovered": False, "position": "q-9"}

    server.on("orders.subscribe", subscribe)

    async with Client(server.url, "t") as client, client.order_updates("p-4") as updates:
        (snapshot,) = await taken(updates, 1)
        await server.tell("orders.update", **an_update("q-10", "q-9"))
        (update,) = await taken(updates, 1)

    assert isinstance(snapshot, OrderSnapshot)
    assert [order.order_id for order in snapshot.orders] == ["o-1"]
    assert update.position == "q-10"


async def test_readers_share_one_subscription(server: ScriptedServer) -> None:
    account = Account(server, length=0)

    async with Client(server.url, "t") as client:
        async with client.order_updates() as first, client.order_updates() as second:
            await account.happen()
            assert positions(await taken(first, 1)) == positions(await taken(second, 1)) == ["p-1"]
            with pytest.raises(ValueError, match="another client"):
                client.order_updates("p-0")
        await until(lambda: len(server.asked_for("orders.unsubscribe")) == 1)
    assert len(server.asked_for("orders.subscribe")) == 1


async def test_a_reader_that_falls_behind_is_told_where_to_go_on(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "MOST_WAITING", 2)
    account = Account(server, length=0)
    server.on("market.status", lambda params: {"state": "OPEN"})

    async with Client(server.url, "t") as client, client.order_updates() as updates:
        for _ in range(4):
            await account.happen()
        await client.market_status()
        assert positions(await taken(updates, 2)) == ["p-1", "p-2"]
        with pytest.raises(FellBehind) as caught:
            await taken(updates, 1)

    assert caught.value.position == "p-2"


async def test_a_refused_subscription_ends_the_readers_and_not_the_client(server: ScriptedServer) -> None:
    server.on("orders.subscribe", raising(Refuse("SCOPE_MISSING")))

    async with Client(server.url, "t") as client:
        with pytest.raises(Refused, match="SCOPE_MISSING"):
            await client.order_updates().__aenter__()
        assert client.connected


async def test_a_subscription_without_an_answer_has_a_deadline(server: ScriptedServer) -> None:
    server.on("orders.subscribe", raising(Silence()))

    async with Client(server.url, "t", timeout_seconds=0.1) as client:
        with pytest.raises(CannotConnect, match="did not begin"):
            await client.order_updates().__aenter__()


async def test_a_passing_refusal_of_the_subscription_is_asked_again(server: ScriptedServer) -> None:
    account = Account(server, length=0)
    server.on("orders.subscribe", raising(Refuse("UNAVAILABLE", retry="after", retryAfterMs=5)), account.subscribe)

    async with Client(server.url, "t") as client, client.order_updates() as updates:
        await account.happen()
        assert positions(await taken(updates, 1)) == ["p-1"]


async def test_a_closed_reader_ends_its_iteration(server: ScriptedServer) -> None:
    account = Account(server, length=0)

    async with Client(server.url, "t") as client:
        async with client.order_updates() as updates:
            await account.happen()
            async for _ in updates:
                updates.close()
        # The next reader begins anew, from now on.
        async with client.order_updates() as updates:
            await account.happen()
            assert positions(await taken(updates, 1)) == ["p-2"]
