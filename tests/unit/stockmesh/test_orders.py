"""Orders over a scripted server: one key, one truth, whatever happens to the connection."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from stockmesh import Client, NoAnswer, Outcome, Refused, order_calls
from stockmesh.models import OrderState, PendingAction
from tests.unit.stockmesh.scripted import (
    Cut,
    Params,
    Refuse,
    ScriptedServer,
    Silence,
    an_order,
    raising,
    scripted_server,
)


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(order_calls, "SETTLE_SECONDS", 0.01)
    async with scripted_server() as server:
        yield server


def placed(params: Params) -> Params:
    return {"order": an_order(clientOrderId=params["clientOrderId"]), "replayed": False}


def replayed(params: Params) -> Params:
    return placed(params) | {"replayed": True}


async def test_an_order_is_sent_as_the_contract_says(server: ScriptedServer) -> None:
    server.on("orders.place", placed)

    async with Client(server.url, "t") as client:
        await client.place("AAPL", "buy", 10)
        await client.place(
            "AAPL",
            "SELL",
            3,
            limit_price=Decimal("1.9E+2"),
            time_in_force="gtc",
            submit_by=datetime(2026, 9, 1, tzinfo=UTC),
            client_order_id="mine",
            account_id="demo",
        )

    market, limit = server.asked_for("orders.place")
    assert len(market.pop("clientOrderId")) == 32
    assert market == {"symbol": "AAPL", "side": "BUY", "type": "MARKET", "quantity": "10"}
    assert limit == {
        "symbol": "AAPL",
        "side": "SELL",
        "type": "LIMIT",
        "quantity": "3",
        "limitPrice": "190",
        "timeInForce": "GTC",
        "submitBy": "2026-09-01T00:00:00Z",
        "clientOrderId": "mine",
        "accountId": "demo",
    }


async def test_a_price_is_never_a_float(server: ScriptedServer) -> None:
    async with Client(server.url, "t") as client:
        with pytest.raises(TypeError, match="float"):
            await client.place("AAPL", "BUY", 1, limit_price=190.12)  # type: ignore[arg-type]
    assert not server.asked_for("orders.place")


@pytest.mark.parametrize(
    "mishap",
    [
        Cut(),
        Refuse("DEADLINE_EXCEEDED", outcome="UNKNOWN", retry="same_key"),
        Refuse("UNAVAILABLE", retry="after", retryAfterMs=5),
    ],
    ids=repr,
)
async def test_after_a_mishap_the_same_key_is_asked_again(server: ScriptedServer, mishap: Exception) -> None:
    server.on("orders.place", raising(mishap), raising(mishap), replayed)

    async with Client(server.url, "t") as client:
        placement = await client.place("AAPL", "BUY", 10)

    keys = {params["clientOrderId"] for params in server.asked_for("orders.place")}
    assert keys == {placement.order.client_order_id}
    assert placement.replayed
    assert len(server.asked_for("orders.place")) == 3


async def test_silence_leaves_the_outcome_open_and_names_the_key(server: ScriptedServer) -> None:
    server.on("orders.place", raising(Silence()))

    async with Client(server.url, "t", timeout_seconds=0.1) as client:
        with pytest.raises(NoAnswer) as caught:
            await client.place("AAPL", "BUY", 10, client_order_id="mine")

    assert (caught.value.outcome, caught.value.details["clientOrderId"]) == (Outcome.UNKNOWN, "mine")


async def test_no_connection_after_a_doubtful_attempt_leaves_the_outcome_open(server: ScriptedServer) -> None:
    server.on("orders.place", raising(Cut()))
    server.on("session.authenticate", lambda params: {}, raising(Silence()))

    async with Client(server.url, "t", timeout_seconds=0.4) as client:
        with pytest.raises(Exception, match="UNKNOWN") as caught:
            await client.place("AAPL", "BUY", 10)

    assert getattr(caught.value, "outcome", None) is Outcome.UNKNOWN


async def test_a_refusal_at_once_is_final(server: ScriptedServer) -> None:
    server.on("orders.place", raising(Refuse("PRICE_OUTSIDE_COLLAR")))

    async with Client(server.url, "t") as client:
        with pytest.raises(Refused, match="PRICE_OUTSIDE_COLLAR") as caught:
            await client.place("AAPL", "BUY", 10)

    assert caught.value.outcome is Outcome.NOT_EXECUTED
    assert len(server.asked_for("orders.place")) == 1


async def test_a_refusal_after_a_doubtful_attempt_is_checked(server: ScriptedServer) -> None:
    """The first attempt was stored, only its answer was lost; the second met another price."""
    server.on("orders.place", raising(Cut()), raising(Refuse("PRICE_OUTSIDE_COLLAR")))
    server.on("orders.get", lambda params: {"order": an_order(clientOrderId=params["clientOrderId"])})

    async with Client(server.url, "t") as client:
        placement = await client.place("AAPL", "BUY", 10, client_order_id="mine")

    assert placement.replayed
    assert server.asked_for("orders.get") == [{"clientOrderId": "mine"}]


async def test_a_refusal_after_a_doubtful_attempt_holds_when_nothing_was_stored(server: ScriptedServer) -> None:
    server.on("orders.place", raising(Cut()), raising(Refuse("PRICE_OUTSIDE_COLLAR")))
    server.on("orders.get", raising(Refuse("ORDER_NOT_FOUND")))

    async with Client(server.url, "t") as client:
        with pytest.raises(Refused, match="PRICE_OUTSIDE_COLLAR") as caught:
            await client.place("AAPL", "BUY", 10)

    assert caught.value.outcome is Outcome.NOT_EXECUTED


async def test_a_cancel_whose_answer_was_lost_is_told_as_it_ended(server: ScriptedServer) -> None:
    server.on("orders.cancel", raising(Cut()), raising(Refuse("ORDER_CLOSED")))
    server.on("orders.get", lambda params: {"order": an_order(state="CANCELED")})

    async with Client(server.url, "t") as client:
        order = await client.cancel("o-1")

    assert order.state is OrderState.CANCELED


async def test_a_cancel_of_a_filled_order_stays_refused(server: ScriptedServer) -> None:
    server.on("orders.cancel", raising(Cut()), raising(Refuse("ORDER_CLOSED")))
    server.on("orders.get", lambda params: {"order": an_order(state="FILLED")})

    async with Client(server.url, "t") as client:
        with pytest.raises(Refused, match="ORDER_CLOSED"):
            await client.cancel(client_order_id="k-1")


async def test_a_replace_whose_answer_was_lost_is_told_as_it_stands(server: ScriptedServer) -> None:
    server.on("orders.replace", raising(Cut()), raising(Refuse("ACTION_PENDING")))
    server.on("orders.get", lambda params: {"order": an_order(pendingAction="REPLACE")})

    async with Client(server.url, "t") as client:
        order = await client.replace("o-1", quantity=5, limit_price="190.10")

    assert order.pending_action is PendingAction.REPLACE
    assert server.asked_for("orders.replace")[0] == {"orderId": "o-1", "quantity": "5", "limitPrice": "190.10"}


async def test_an_order_is_named_in_one_way(server: ScriptedServer) -> None:
    async with Client(server.url, "t") as client:
        with pytest.raises(ValueError, match="order_id or by client_order_id"):
            await client.order()
        with pytest.raises(ValueError, match="order_id or by client_order_id"):
            await client.cancel("o-1", client_order_id="k-1")


async def test_orders_are_given_page_after_page(server: ScriptedServer) -> None:
    pages = {
        None: {"orders": [an_order(orderId="o-1"), an_order(orderId="o-2")], "nextPageToken": "next"},
        "next": {"orders": [an_order(orderId="o-3")], "nextPageToken": ""},
    }
    server.on("orders.list", lambda params: pages[params.get("pageToken")])

    async with Client(server.url, "t") as client:
        found = [order.order_id async for order in client.orders(symbol="AAPL", states=[OrderState.FILLED])]

    assert found == ["o-1", "o-2", "o-3"]
    assert server.asked_for("orders.list")[1] == {
        "symbol": "AAPL",
        "states": ["FILLED"],
        "pageSize": 500,
        "pageToken": "next",
    }


async def test_a_preview_and_a_timeline_are_read(server: ScriptedServer) -> None:
    server.on("orders.preview", lambda params: {"order": an_order(orderId=""), "estimatedAmount": "1996.10"})
    server.on("orders.timeline", lambda params: {"entries": [{"event": "CREATED"}, {"event": "FILL"}]})

    async with Client(server.url, "t") as client:
        preview = await client.preview("AAPL", "BUY", 10, limit_price="199.61", time_in_force="IOC")
        entries = await client.timeline("o-1")

    assert preview.estimated_amount == Decimal("1996.10")
    assert server.asked_for("orders.preview") == [
        {
            "order": {"symbol": "AAPL", "side": "BUY", "type": "LIMIT", "quantity": "10", "limitPrice": "199.61"}
            | {"timeInForce": "IOC"}
        }
    ]
    assert [entry.event for entry in entries] == ["CREATED", "FILL"]


async def test_many_orders_at_once_are_told_apart(server: ScriptedServer) -> None:
    server.on("orders.place", placed)

    async with Client(server.url, "t") as client:
        keys = [f"k-{number}" for number in range(300)]
        placements = await asyncio.gather(*(client.place("AAPL", "BUY", 1, client_order_id=key) for key in keys))

    assert [placement.order.client_order_id for placement in placements] == keys
