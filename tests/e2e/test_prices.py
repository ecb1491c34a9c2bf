"""Prices from the exchange to the client's socket."""

import pytest

from tests.socket_client import Refused, Socket


async def test_subscribed_prices_move_and_never_go_back(socket: Socket) -> None:
    answer = await socket.ask("prices.subscribe", symbols=["AAPL", "MSFT", "NOSUCH"])
    assert {quote["symbol"] for quote in answer["quotes"]} == {"AAPL", "MSFT"}
    assert len(answer["refused"]) == 1

    version = {quote["symbol"]: (int(quote["epoch"]), int(quote["seq"])) for quote in answer["quotes"]}
    moved: set[str] = set()
    while len(moved) < 2:
        for quote in (await socket.until("prices.update", seconds=30))["quotes"]:
            newer = (int(quote["epoch"]), int(quote["seq"]))
            assert newer > version[quote["symbol"]]
            version[quote["symbol"]] = newer
            moved.add(quote["symbol"])

    left = await socket.ask("prices.unsubscribe", symbols=["AAPL"])
    assert [one["symbol"] for one in left["subscriptions"]] == ["MSFT"]


async def test_only_unknown_symbols_are_an_error(socket: Socket) -> None:
    with pytest.raises(Refused) as refusal:
        await socket.ask("prices.subscribe", symbols=["NOSUCH"])
    assert refusal.value.reason == "UNKNOWN_SYMBOL"


async def test_instruments_are_found_by_name_and_symbol(socket: Socket) -> None:
    for query in ("AAPL", "apple"):
        found = (await socket.ask("instruments.search", query=query))["instruments"]
        assert found[0]["symbol"] == "AAPL"


async def test_the_market_is_open_day_and_night(socket: Socket) -> None:
    status = await socket.ask("market.status")

    assert status["state"] == "OPEN"
    assert status["pricedInstruments"] >= 500


async def test_history_has_bars_of_the_day(socket: Socket) -> None:
    answer = await socket.ask("prices.history", symbol="AAPL", timerange="1d")

    bars = answer["prices"][0]["bars"]
    assert bars
    assert not bars[-1]["final"]
