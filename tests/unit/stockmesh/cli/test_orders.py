"""Commands about orders: followed to their end, with the truth and the right exit code."""

import asyncio
import json
from typing import Any

import pytest

from stockmesh import order_calls
from stockmesh.cli import follow
from tests.unit.stockmesh.cli.conftest import Run
from tests.unit.stockmesh.scripted import (
    Cut,
    Params,
    Refuse,
    ScriptedServer,
    an_execution,
    an_order,
    an_update,
    raising,
)


class Exchange:
    """What becomes of the order that is placed: one update after the other, each with the next revision."""

    def __init__(self, server: ScriptedServer, *steps: Params) -> None:
        self.server, self.steps = server, steps
        self.order: Params = {}
        server.on("orders.subscribe", lambda params: {"recovered": True, "position": "p-0"})
        server.on("orders.place", self.place)
        server.on("orders.cancel", self.cancel)
        server.on("orders.get", self.get)

    def place(self, params: Params) -> Params:
        kept = {name: value for name, value in params.items() if name != "accountId"}
        self.order = an_order(**kept, leavesQuantity=params["quantity"])
        self.go_on()
        return {"order": self.order, "replayed": False}

    def cancel(self, params: Params) -> Params:
        if "orderId" in params and params["orderId"] != "o-1":
            raise Refuse("ORDER_NOT_FOUND", message="there is no such order")
        self.order = an_order(pendingAction="CANCEL", state="PLACED", type="LIMIT", limitPrice="150.00")
        self.go_on()
        return {"order": self.order}

    def get(self, params: Params) -> Params:
        return {"order": self.order}

    def go_on(self) -> None:
        asyncio.get_running_loop().call_soon(asyncio.ensure_future, self.happen())

    async def happen(self) -> None:
        for number, step in enumerate(self.steps, start=1):
            await asyncio.sleep(0.01)
            kind, fills = step.get("kind", "PLACED"), step.get("fills", [])
            self.order |= {"revision": str(number + 1)}
            self.order |= {name: value for name, value in step.items() if name not in {"kind", "fills"}}
            update = an_update(f"p-{number}", f"p-{number - 1}", kind=kind)
            update["event"]["executions"] = fills
            await self.server.tell("orders.update", **update | {"order": self.order})


PLACED: Params = {"kind": "PLACED", "state": "PLACED"}
PART: Params = {"kind": "FILL", "state": "PARTIALLY_FILLED", "filledQuantity": "4", "averagePrice": "190.10"} | {
    "leavesQuantity": "6",
    "fills": [an_execution("e-1", "4", "190.10")],
}
FILLED: Params = {"kind": "FILL", "state": "FILLED", "filledQuantity": "10", "averagePrice": "190.112"} | {
    "leavesQuantity": "0",
    "fills": [an_execution("e-2", "6", "190.12")],
}
REJECTED: Params = {"kind": "REJECTED", "state": "REJECTED", "leavesQuantity": "0"} | {
    "reason": {"code": "UNKNOWN_ACCOUNT", "source": "EXCHANGE", "message": "no such account"}
}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "REST_SECONDS", 0.2)
    monkeypatch.setattr(follow, "PATIENCE_SECONDS", 0.4)
    monkeypatch.setattr(order_calls, "SETTLE_SECONDS", 0.01)


def test_buy_follows_the_order_until_it_is_filled(stockmesh: Run, server: ScriptedServer) -> None:
    Exchange(server, PLACED, PART, FILLED)

    ended = stockmesh("buy", "aapl", "10", "--key", "mine")

    assert ended.code == 0, ended.err
    title, stored, placed, part, rest, filled = ended.out.splitlines()
    assert title == "BUY 10 AAPL at the market  order o-1  key mine"
    assert stored.endswith("○ PENDING           stored")
    assert "◑ PLACED            in the exchange's book" in placed
    assert "filled 4 at 190.10" in part
    assert "4/10" in part
    assert rest.strip() == "filled 6 at 190.12"
    assert "● FILLED            10 at 190.112 = 1,901.12" in filled


def test_buy_as_json_prints_the_order_as_it_ended(stockmesh: Run, server: ScriptedServer) -> None:
    exchange = Exchange(server, PLACED, FILLED)

    ended = stockmesh("buy", "AAPL", "10", "--json")

    assert (ended.code, json.loads(ended.out)) == (0, exchange.order | {"updateTime": "2026-09-01T12:00:00.000123Z"})


def test_a_rejected_order_is_exit_code_1_and_tells_why(stockmesh: Run, server: ScriptedServer) -> None:
    Exchange(server, REJECTED)

    ended = stockmesh("sell", "AAPL", "10")

    assert ended.code == 1
    assert "✕ REJECTED" in ended.out
    assert "UNKNOWN_ACCOUNT: no such account" in ended.out
    assert server.asked_for("orders.place")[0]["side"] == "SELL"


def test_a_limit_order_that_rests_is_left_in_the_book(stockmesh: Run, server: ScriptedServer) -> None:
    Exchange(server, PLACED)

    ended = stockmesh("buy", "AAPL", "10", "--limit", "150.00", "--tif", "gtc")

    assert ended.code == 0
    assert ended.out.splitlines()[-1] == ("PLACED: 10 of 10 rest at 150.00. `stockmesh cancel o-1` takes it back.")
    (asked,) = server.asked_for("orders.place")
    assert (asked["limitPrice"], asked["timeInForce"], asked["type"]) == ("150.00", "GTC", "LIMIT")


def test_an_order_that_nobody_answers_is_told_as_it_is(stockmesh: Run, server: ScriptedServer) -> None:
    Exchange(server)

    ended = stockmesh("buy", "AAPL", "10")

    assert ended.code == 1
    assert ended.err.startswith("Still PENDING after")


def test_no_wait_returns_as_soon_as_it_is_stored(stockmesh: Run, server: ScriptedServer) -> None:
    Exchange(server)

    ended = stockmesh("buy", "AAPL", "10", "--no-wait")

    assert ended.code == 0
    assert not server.asked_for("orders.subscribe")


def test_a_cut_on_the_way_places_one_order(stockmesh: Run, server: ScriptedServer) -> None:
    exchange = Exchange(server, PLACED, FILLED)
    server.on("orders.place", raising(Cut()), exchange.place)

    ended = stockmesh("buy", "AAPL", "10")

    assert ended.code == 0
    first, second = server.asked_for("orders.place")
    assert first["clientOrderId"] == second["clientOrderId"]


def test_a_refused_order_says_that_nothing_was_executed(stockmesh: Run, server: ScriptedServer) -> None:
    Exchange(server)
    refusal = Refuse("PRICE_OUTSIDE_COLLAR", message="the limit is more than 10 % away from the last price 190.12")
    server.on("orders.place", raising(refusal))

    ended = stockmesh("buy", "AAPL", "10", "--limit", "400")

    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        "PRICE_OUTSIDE_COLLAR  The limit is more than 10 % away from the last price 190.12. Nothing was executed.\n"
    )


def test_no_answer_names_the_key_to_ask_with_again(stockmesh: Run, server: ScriptedServer) -> None:
    Exchange(server)
    server.on(
        "orders.place", raising(Refuse("DEADLINE_EXCEEDED", outcome="UNKNOWN", retry="same_key", retryAfterMs=60_000))
    )

    ended = stockmesh("buy", "AAPL", "10", "--key", "mine")

    assert ended.code == 1
    assert "Whether it was executed is unknown. Ask again with --key mine" in ended.err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("buy", "AAPL", "0"), "greater than or equal to 1"),
        (("buy", "AAPL", "ten"), "valid integer"),
        (("buy", "AAPL", "1", "--limit", "1e2"), "is no price"),
        (("buy", "AAPL", "1", "--limit", "-5"), "is no price"),
        (("buy", "AAPL", "1", "--tif", "ever"), "day, ioc, fok, gtc"),
        (("buy", "AAPL"), "QUANTITY"),
        (("replace", "o-1"), "--quantity"),
        (("orders", "--state", "LOST"), "choose from"),
    ],
)
def test_wrong_usage_is_exit_code_2(stockmesh: Run, words: tuple[str, ...], problem: str) -> None:
    ended = stockmesh(*words)

    assert (ended.code, ended.out) == (2, "")
    assert problem in " ".join(ended.err.replace("│", "").split())


def test_a_preview_places_nothing(stockmesh: Run, server: ScriptedServer) -> None:
    server.on("orders.preview", lambda params: {"order": an_order(orderId=""), "estimatedAmount": "1996.10"})

    ended = stockmesh("buy", "AAPL", "10", "--preview")

    assert ended.out == (
        "BUY 10 AAPL would be taken: at 199.61 or better, costs at most 1,996.10 without fees. Nothing was placed.\n"
    )


def test_cancel_waits_until_it_is_decided(stockmesh: Run, server: ScriptedServer) -> None:
    Exchange(server, {"kind": "CANCELED", "state": "CANCELED", "pendingAction": "NONE", "leavesQuantity": "0"})

    ended = stockmesh("cancel", "o-1")

    assert ended.code == 0
    assert "→ cancel" in ended.out
    assert "✕ CANCELED" in ended.out


def test_cancel_takes_the_key_as_well(stockmesh: Run, server: ScriptedServer) -> None:
    Exchange(server, {"kind": "CANCELED", "state": "CANCELED", "pendingAction": "NONE"})

    assert stockmesh("cancel", "k-1").code == 0
    assert server.asked_for("orders.cancel") == [{"orderId": "k-1"}, {"clientOrderId": "k-1"}]


def test_a_cancel_that_came_too_late_is_exit_code_1(stockmesh: Run, server: ScriptedServer) -> None:
    Exchange(server, FILLED | {"pendingAction": "NONE"})

    ended = stockmesh("cancel", "o-1")

    assert ended.code == 1
    assert "● FILLED" in ended.out


def test_an_order_that_is_not_there_is_told_by_its_name(stockmesh: Run, server: ScriptedServer) -> None:
    server.on("orders.subscribe", lambda params: {"recovered": True, "position": "p-0"})
    server.on("orders.cancel", raising(Refuse("ORDER_NOT_FOUND", message="there is no such order")))

    ended = stockmesh("cancel", "gone")

    assert ended.code == 1
    assert ended.err.startswith("ORDER_NOT_FOUND  No order of yours has the id or the key 'gone'.")


def test_replace_waits_until_it_is_decided(stockmesh: Run, server: ScriptedServer) -> None:
    exchange = Exchange(server, {"kind": "REPLACED", "state": "PLACED", "pendingAction": "NONE", "quantity": "5"})

    def replace(params: Params) -> Params:
        exchange.order = an_order(state="PLACED", pendingAction="REPLACE", type="LIMIT", limitPrice="150.00")
        exchange.go_on()
        return {"order": exchange.order}

    server.on("orders.replace", replace)

    ended = stockmesh("replace", "o-1", "--quantity", "5", "--limit", "151.00")

    assert ended.code == 0
    assert server.asked_for("orders.replace") == [{"orderId": "o-1", "quantity": "5", "limitPrice": "151.00"}]
    assert ended.out.splitlines()[-1].endswith("changed")


def test_orders_are_a_table(stockmesh: Run, server: ScriptedServer) -> None:
    resting = an_order(orderId="o-2", type="LIMIT", limitPrice="150.00", state="PLACED", certainty="UNCERTAIN")
    filled = an_order(state="FILLED", filledQuantity="10", averagePrice="190.12")
    server.on("orders.list", lambda params: {"orders": [resting, filled], "nextPageToken": ""})

    ended = stockmesh("orders", "--symbol", "aapl", "--state", "placed", "--state", "FILLED", "--limit", "7")

    assert ended.code == 0
    assert server.asked_for("orders.list") == [{"pageSize": 7, "symbol": "AAPL", "states": ["PLACED", "FILLED"]}]
    first, second = (
        ended.out.splitlines()[-3:-1] if not ended.out.splitlines()[-1].strip() else ended.out.splitlines()[-2:]
    )
    for word in ("BUY", "AAPL", "150.00", "DAY", "◑ PLACED", "uncertain", "o-2"):
        assert word in first
    for word in ("market", "190.12", "● FILLED", "o-1"):
        assert word in second


def test_all_orders_are_had_page_after_page(stockmesh: Run, server: ScriptedServer) -> None:
    pages: dict[Any, Params] = {
        None: {"orders": [an_order(orderId="o-1")], "nextPageToken": "next"},
        "next": {"orders": [an_order(orderId="o-2")], "nextPageToken": ""},
    }
    server.on("orders.list", lambda params: pages[params.get("pageToken")])

    ended = stockmesh("orders", "--all", "--json")

    assert [json.loads(line)["orderId"] for line in ended.out.splitlines()] == ["o-1", "o-2"]


def test_no_orders_is_said(stockmesh: Run, server: ScriptedServer) -> None:
    server.on("orders.list", lambda params: {"orders": []})

    assert stockmesh("orders").out == "No orders.\n"


def test_an_order_is_shown_with_its_way(stockmesh: Run, server: ScriptedServer) -> None:
    server.on(
        "orders.get", lambda params: {"order": an_order(state="FILLED", filledQuantity="10", averagePrice="190.12")}
    )
    entries = [
        {"event": "CREATED", "eventTime": "2026-09-01T12:00:00Z", "detail": ""},
        {"event": "FILL", "eventTime": "2026-09-01T12:00:00.045Z", "detail": "10 at 190.12"},
    ]
    server.on("orders.timeline", lambda params: {"entries": entries})

    ended = stockmesh("order", "o-1")

    assert ended.code == 0
    for word in ("10 at 190.12 = 1,901.20", "CREATED", "45 ms", "FILL"):
        assert word in ended.out


def test_a_token_of_several_accounts_names_one(stockmesh: Run, server: ScriptedServer) -> None:
    Exchange(server, FILLED)

    assert stockmesh("buy", "AAPL", "10", "--account", "second").code == 0
    assert server.asked_for("orders.place")[0]["accountId"] == "second"
