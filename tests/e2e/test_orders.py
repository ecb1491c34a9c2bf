"""Orders from the client's socket to the exchange and back."""

from uuid import uuid4

import pytest

from infra.local.running import System
from tests.socket_client import Refused, Socket, connected

ORDER = {"symbol": "AAPL", "side": "BUY", "type": "MARKET", "quantity": "10"}


def wish(**changes: object) -> dict[str, object]:
    return {**ORDER, "clientOrderId": uuid4().hex, **changes}


async def test_a_market_order_is_filled_and_every_step_is_told(socket: Socket) -> None:
    subscribed = await socket.ask("orders.subscribe")
    placed = await socket.ask("orders.place", **wish())
    assert (placed["order"]["state"], placed["replayed"]) == ("PENDING", False)

    order_id = placed["order"]["orderId"]
    kinds: list[str] = []
    previous = subscribed["position"]
    while "FILLED" not in kinds:
        update = await socket.until("orders.update", lambda params: params["order"]["orderId"] == order_id)
        assert update["previous"] == previous
        previous = update["position"]
        kinds.append(update["order"]["state"])

    filled = (await socket.ask("orders.get", orderId=order_id))["order"]
    assert (filled["state"], filled["filledQuantity"], filled["leavesQuantity"]) == ("FILLED", "10", "0")
    assert filled["exchangeOrderId"]
    listed = await socket.ask("orders.list", symbol="AAPL")
    assert [order["orderId"] for order in listed["orders"]] == [order_id]
    events = [entry["event"] for entry in (await socket.ask("orders.timeline", orderId=order_id))["entries"]]
    assert {"RECEIVED", "CREATED", "COMMITTED", "PUBLISHED", "INTENT", "SENT", "FILL"} <= set(events)


async def test_a_limit_order_rests_is_replaced_and_canceled(socket: Socket) -> None:
    await socket.ask("orders.subscribe")
    placed = await socket.ask("orders.place", **wish(type="LIMIT", limitPrice="1.00"))
    order_id = placed["order"]["orderId"]
    await socket.until_order(order_id, "PLACED")

    await socket.ask("orders.replace", orderId=order_id, quantity="20")
    changed = await socket.until(
        "orders.update",
        lambda params: params["order"]["orderId"] == order_id and params["order"]["quantity"] == "20",
    )
    assert changed["order"]["pendingAction"] == "NONE"

    asked = await socket.ask("orders.cancel", orderId=order_id)
    assert asked["order"]["pendingAction"] == "CANCEL"
    canceled = await socket.until_order(order_id, "CANCELED")
    assert (canceled["filledQuantity"], canceled["pendingAction"]) == ("0", "NONE")


async def test_a_large_order_is_filled_in_parts_that_add_up(socket: Socket) -> None:
    await socket.ask("orders.subscribe")
    placed = await socket.ask("orders.place", **wish(quantity="5000"))

    filled = await socket.until_order(placed["order"]["orderId"], "FILLED", "CANCELED")

    entries = (await socket.ask("orders.timeline", orderId=filled["orderId"]))["entries"]
    parts = [int(entry["detail"].split()[0]) for entry in entries if entry["event"] == "FILL"]
    assert sum(parts) == int(filled["filledQuantity"])


async def test_the_same_key_is_the_same_order(socket: Socket) -> None:
    same = wish()
    first = await socket.ask("orders.place", **same)
    again = await socket.ask("orders.place", **same)

    assert again["replayed"]
    assert again["order"]["orderId"] == first["order"]["orderId"]
    with pytest.raises(Refused) as refusal:
        await socket.ask("orders.place", **{**same, "quantity": "11"})
    assert (refusal.value.reason, refusal.value.error["data"]["outcome"]) == ("IDEMPOTENCY_MISMATCH", "NOT_EXECUTED")


async def test_another_account_finds_nothing(system: System, socket: Socket) -> None:
    placed = await socket.ask("orders.place", **wish(type="LIMIT", limitPrice="1.00"))
    order_id = placed["order"]["orderId"]

    async with connected(system.where.websocket, system.token("eve")) as eve:
        for method in ("orders.get", "orders.cancel", "orders.timeline"):
            with pytest.raises(Refused) as refusal:
                await eve.ask(method, orderId=order_id)
            assert refusal.value.reason == "ORDER_NOT_FOUND"
        assert (await eve.ask("orders.list"))["orders"] == []


async def test_a_client_that_was_away_resumes_without_gap(system: System, account: str, socket: Socket) -> None:
    seen = (await socket.ask("orders.subscribe"))["position"]
    order_id = (await socket.ask("orders.place", **wish()))["order"]["orderId"]
    await socket.until_order(order_id, "FILLED")

    async with connected(system.where.websocket, system.token(account)) as later:
        resumed = await later.ask("orders.subscribe", **{"from": seen})
        assert resumed["recovered"]
        first = await later.until("orders.update")
        assert (first["previous"], first["event"]["kind"]) == (seen, "CREATED")
        await later.until_order(order_id, "FILLED")

    async with connected(system.where.websocket, system.token(account)) as stranger:
        answer = await stranger.ask("orders.subscribe", **{"from": "1-1"})
        assert not answer["recovered"]
        snapshot = await stranger.until("orders.snapshot")
        assert [order["orderId"] for order in snapshot["orders"]] == [order_id]
