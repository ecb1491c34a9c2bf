"""Live prices over a scripted server: snapshots, newest wins, refusals, and what a lost connection means."""

import asyncio
from typing import Any

import pytest

from stockmesh import Client, PriceWatch, Refused
from stockmesh.models import Mode, PriceState, PriceStatus, Quote
from tests.unit.stockmesh.scripted import Params, Refuse, ScriptedServer, a_quote, raising, scripted_server, until


def subscribe(params: Params) -> Params:
    return {"subscriptions": [], "quotes": [a_quote(symbol) for symbol in params["symbols"]], "refused": []}


async def taken(watch: PriceWatch, count: int) -> list[Quote | PriceStatus]:
    async with asyncio.timeout(5):
        return [await anext(watch) for _ in range(count)]


async def told(server: ScriptedServer, client: Client, *quotes: Params) -> None:
    """Send quotes and return when the client has read them."""
    await server.tell("prices.update", quotes=list(quotes))
    await client.market_status()


@pytest.fixture
async def server() -> Any:
    async with scripted_server() as server:
        server.on("prices.subscribe", subscribe)
        server.on("market.status", lambda params: {"state": "OPEN"})
        yield server


async def test_a_watch_begins_with_a_snapshot_and_goes_on_with_updates(server: ScriptedServer) -> None:
    async with Client(server.url, "t") as client, client.watch(["AAPL", "MSFT"], mode="LTP", max_hz=2) as watch:
        snapshot = await taken(watch, 2)
        await told(server, client, a_quote(seq="43", price="190.50"))
        (update,) = await taken(watch, 1)

    assert {item.symbol for item in snapshot} == {"AAPL", "MSFT"}
    assert isinstance(update, Quote)
    assert update.seq == 43
    (asked,) = server.asked_for("prices.subscribe")
    assert (sorted(asked["symbols"]), asked["mode"], asked["maxHz"]) == (["AAPL", "MSFT"], "LTP", 2)
    await until(lambda: bool(server.asked_for("prices.unsubscribe")) or not client.connected)


async def test_a_slow_reader_gets_the_newest_and_never_an_older_one(server: ScriptedServer) -> None:
    async with Client(server.url, "t") as client, client.watch(["AAPL"]) as watch:
        await taken(watch, 1)
        await told(server, client, *(a_quote(seq=str(seq)) for seq in (43, 45, 44, 41)))
        await told(server, client, a_quote(epoch="1", seq="99"))

        assert [item.version[1] for item in await taken(watch, 1) if isinstance(item, Quote)] == [45]
        await told(server, client, a_quote(seq="46"))
        assert [item.version[1] for item in await taken(watch, 1) if isinstance(item, Quote)] == [46]


async def test_the_same_version_with_another_state_is_news(server: ScriptedServer) -> None:
    async with Client(server.url, "t") as client, client.watch(["AAPL"]) as watch:
        await taken(watch, 1)
        await told(server, client, a_quote())
        await told(server, client, a_quote(state="STALE"))
        (item,) = await taken(watch, 1)

    assert item.state is PriceState.STALE


async def test_a_halt_is_told_with_its_reason(server: ScriptedServer) -> None:
    async with Client(server.url, "t") as client, client.watch(["AAPL"]) as watch:
        await taken(watch, 1)
        await server.tell(
            "prices.status", symbol="AAPL", state="HALTED", since="2026-09-01T12:00:00Z", reason="news pending"
        )
        (item,) = await taken(watch, 1)

    assert isinstance(item, PriceStatus)
    assert (item.state, item.reason) == (PriceState.HALTED, "news pending")


async def test_a_lost_connection_makes_prices_stale_and_the_next_one_live_again(server: ScriptedServer) -> None:
    async with Client(server.url, "t") as client, client.watch(["AAPL"]) as watch:
        await taken(watch, 1)
        server.cut()
        (stale,) = await taken(watch, 1)
        (live,) = await taken(watch, 1)

    assert isinstance(stale, PriceStatus)
    assert (stale.state, "lost" in stale.reason) == (PriceState.STALE, True)
    assert isinstance(live, Quote)
    assert live.state is PriceState.LIVE
    assert len(server.asked_for("prices.subscribe")) == 2


async def test_refused_symbols_are_named_and_the_others_watched(server: ScriptedServer) -> None:
    refused = {"symbol": "NOPE", "reason": "UNKNOWN_SYMBOL"}
    server.on("prices.subscribe", lambda params: {"quotes": [a_quote()], "refused": [refused]})

    async with Client(server.url, "t") as client, client.watch(["AAPL", "NOPE"]) as watch:
        await taken(watch, 1)

        assert watch.refused["NOPE"].reason == "UNKNOWN_SYMBOL"


async def test_a_watch_of_refused_symbols_only_fails(server: ScriptedServer) -> None:
    server.on("prices.subscribe", raising(Refuse("UNKNOWN_SYMBOL", message="unknown: NOPE")))

    async with Client(server.url, "t") as client, client.watch(["NOPE"]) as watch:
        with pytest.raises(Refused, match="unknown: NOPE"):
            await taken(watch, 1)
        assert client.connected


async def test_watches_share_the_fullest_and_fastest_subscription(server: ScriptedServer) -> None:
    async with Client(server.url, "t") as client, client.watch(["AAPL"], mode=Mode.LTP, max_hz=1) as first:
        await taken(first, 1)
        async with client.watch(["AAPL"], max_hz=5) as second:
            # It has the latest at once, without waiting for the market.
            await taken(second, 1)
            await until(lambda: len(server.asked_for("prices.subscribe")) == 2)
        await until(lambda: len(server.asked_for("prices.subscribe")) == 3)

    modes = [(params["mode"], params["maxHz"]) for params in server.asked_for("prices.subscribe")]
    assert modes == [("LTP", 1), ("QUOTE", 5), ("LTP", 1)]


async def test_many_symbols_are_asked_for_in_frames_that_fit(server: ScriptedServer) -> None:
    symbols = [f"S{number}" for number in range(450)]

    async with Client(server.url, "t") as client, client.watch(symbols) as watch:
        await taken(watch, 450)

    assert [len(params["symbols"]) for params in server.asked_for("prices.subscribe")] == [200, 200, 50]


async def test_a_passing_refusal_of_a_subscription_is_asked_again(server: ScriptedServer) -> None:
    server.on("prices.subscribe", raising(Refuse("RATE_LIMITED", retry="after", retryAfterMs=10)), subscribe)

    async with Client(server.url, "t") as client, client.watch(["AAPL"]) as watch:
        assert len(await taken(watch, 1)) == 1


async def test_the_server_may_say_that_it_slows_down(server: ScriptedServer) -> None:
    async with Client(server.url, "t") as client, client.watch(["AAPL"]) as watch:
        await taken(watch, 1)
        await server.tell("session.degraded", maxHz=2.5, dropped=17)
        await client.market_status()

        assert watch.degraded is not None
        assert (watch.degraded.max_hz, watch.degraded.dropped) == (2.5, 17)


async def test_a_closed_watch_ends_its_iteration(server: ScriptedServer) -> None:
    async with Client(server.url, "t") as client:
        watch = client.watch(["AAPL"])
        seen = []
        async for item in watch:
            seen.append(item)
            watch.close()

        assert len(seen) == 1
        await until(lambda: server.asked_for("prices.unsubscribe") == [{"symbols": ["AAPL"]}])
