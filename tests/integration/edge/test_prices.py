"""Prices reach clients: read together, watched one by one, and never older than what they have."""

import asyncio
import json
import socket as sockets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from edge import lifetime
from gen.trading.v1.price_pb2 import PriceStatus, Quote
from tests.integration.edge.client import Client, a_client, a_token, eventually
from tests.integration.edge.neighbours import a_quote, say_quotes
from tests.integration.edge.running import Edge, an_edge

HUNDRED = tuple(f"S{number}" for number in range(100))


async def test_reads_of_many_sockets_become_few_questions(nats_url: str) -> None:
    async with an_edge(nats_url) as edge:
        edge.prices.pause_seconds = 0.1
        async with a_client(edge.url, token=a_token("one")) as one, a_client(edge.url, token=a_token("two")) as two:
            await asyncio.gather(
                *(client.send(_get(number, "AAPL", "MSFT")) for client in (one, two) for number in range(20))
            )
            answers = [await client.next() for client in (one, two) for _ in range(20)]
        assert len(edge.prices.asked) <= 3
        for answer in answers:
            assert [price["quote"]["symbol"] for price in answer["result"]["prices"]] == ["AAPL", "MSFT"]
            assert answer["result"]["prices"][0]["bars"] == []


async def test_a_symbol_that_does_not_exist_fails_only_who_asked_for_it(nats_url: str) -> None:
    async with an_edge(nats_url) as edge, a_client(edge.url, token=a_token()) as client:
        for number, symbols in enumerate((["AAPL"], ["NOPE", "AAPL"], ["MSFT"], [f"NO{n}" for n in range(30)])):
            await client.send(_get(number, *symbols))
        answers = {answer["id"]: answer for answer in [await client.next() for _ in range(4)]}
        assert "result" in answers[0]
        assert "result" in answers[2]
        error = answers[1]["error"]
        assert (error["code"], error["data"]["reason"], error["data"]["details"]) == (
            -32000,
            "UNKNOWN_SYMBOL",
            {"symbols": "NOPE"},
        )
        assert len(answers[3]["error"]["data"]["details"]["symbols"].split(",")) == 30


async def test_reads_never_go_back_when_another_replica_is_behind(nats_url: str) -> None:
    async with an_edge(nats_url) as edge, a_client(edge.url, token=a_token()) as client:
        for seq, seen in ((5, "5"), (3, "5"), (6, "6")):
            edge.prices.quotes["AAPL"] = a_quote("AAPL", seq=seq)
            (price,) = (await client.call("prices.get", symbol="AAPL"))["prices"]
            assert (price["quote"]["seq"], price["bars"]) == (seen, [])


async def test_history_search_and_market_status_pass_through(nats_url: str) -> None:
    async with an_edge(nats_url) as edge, a_client(edge.url, token=a_token()) as client:
        history = await client.call("prices.history", symbol="AAPL", timerange="1d")
        assert history["prices"][0]["bars"][0]["volume"] == "7"
        found = await client.call("instruments.search", query="app")
        assert (found["instruments"][0]["name"], found["nextPageToken"]) == ("Apple", "")
        assert (await client.call("market.status"))["feedAgeMs"] == "12"
        every = await client.call("prices.get")
        assert len(every["prices"]) == 3


async def test_a_subscription_begins_with_a_snapshot_and_goes_on_with_newer_prices_only(nats_url: str) -> None:
    async with an_edge(nats_url) as edge, a_client(edge.url, token=a_token()) as client:
        answer = await client.call("prices.subscribe", symbols=["AAPL", "BRK.B", "NOPE"], maxHz=50)
        assert answer["subscriptions"] == [
            {"symbol": "AAPL", "mode": "QUOTE", "maxHz": 50.0},
            {"symbol": "BRK.B", "mode": "QUOTE", "maxHz": 50.0},
        ]
        assert [quote["seq"] for quote in answer["quotes"]] == ["1", "1"]
        assert [(refusal["symbol"], refusal["reason"]) for refusal in answer["refused"]] == [("NOPE", "UNKNOWN_SYMBOL")]

        seen = [1]
        for seq in (2, 3, 2, 5, 4, 6):
            await say_quotes(edge.bus, a_quote("AAPL", price=f"{seq}.00", seq=seq), a_quote("MSFT", seq=9))
            await asyncio.sleep(0.03)
        while seen[-1] < 6:
            (quote,) = (await client.told("prices.update"))["quotes"]
            assert quote["symbol"] == "AAPL"
            seen.append(int(quote["seq"]))
        assert seen == sorted(set(seen))

        await say_quotes(edge.bus, a_quote("AAPL", epoch=2, seq=1))
        (quote,) = (await client.told("prices.update"))["quotes"]
        assert (quote["epoch"], quote["seq"]) == ("2", "1")


async def test_what_is_heard_before_the_snapshot_comes_is_not_lost(nats_url: str) -> None:
    async with an_edge(nats_url) as edge, a_client(edge.url, token=a_token()) as client:
        edge.prices.pause_seconds = 0.2
        await client.send({"jsonrpc": "2.0", "method": "prices.subscribe", "params": {"symbols": ["AAPL"]}, "id": 1})
        await eventually(lambda: bool(edge.prices.asked))
        await say_quotes(edge.bus, a_quote("AAPL", seq=7))
        answer = await client.next()
        assert answer["result"]["quotes"][0]["seq"] == "7"


async def test_mode_and_pace_change_by_subscribing_again(nats_url: str) -> None:
    async with an_edge(nats_url) as edge, a_client(edge.url, token=a_token()) as client:
        await client.call("prices.subscribe", symbols=["AAPL"], mode="LTP", maxHz=50)
        await say_quotes(edge.bus, a_quote("AAPL", seq=2))
        (quote,) = (await client.told("prices.update"))["quotes"]
        assert quote.keys() == {"symbol", "price", "epoch", "seq", "state", "quoteTime"}

        again = await client.call("prices.subscribe", symbols=["AAPL"], mode="QUOTE", maxHz=4)
        assert again["subscriptions"] == [{"symbol": "AAPL", "mode": "QUOTE", "maxHz": 4.0}]
        began, seen = time.monotonic(), 0
        for seq in range(3, 83):
            await say_quotes(edge.bus, a_quote("AAPL", seq=seq))
            await asyncio.sleep(0.0125)
        while True:
            (quote,) = (await client.told("prices.update"))["quotes"]
            seen += 1
            if quote["seq"] == "82":
                break
        assert "bid" in quote
        assert seen <= 4 * (time.monotonic() - began) + 2

        assert await client.call("prices.unsubscribe", symbols=["AAPL", "MSFT"]) == {
            "subscriptions": [],
            "quotes": [],
            "refused": [],
        }
        await say_quotes(edge.bus, a_quote("AAPL", seq=100))
        await client.call("ping")


async def test_a_socket_watches_only_so_many_symbols(nats_url: str) -> None:
    async with an_edge(nats_url, max_subscriptions=2) as edge, a_client(edge.url, token=a_token()) as client:
        answer = await client.call("prices.subscribe", symbols=["AAPL", "MSFT", "BRK.B"])
        assert [refusal["reason"] for refusal in answer["refused"]] == ["TOO_MANY_SUBSCRIPTIONS"]
        refused = await client.refused("prices.subscribe", symbols=["BRK.B"])
        assert (refused["data"]["reason"], refused["data"]["retry"]) == ("TOO_MANY_SUBSCRIPTIONS", "never")
        only_unknown = await client.refused("prices.subscribe", symbols=["AAPL1"])
        assert only_unknown["data"]["reason"] == "TOO_MANY_SUBSCRIPTIONS"


async def test_a_change_of_state_is_told(nats_url: str) -> None:
    async with an_edge(nats_url) as edge, a_client(edge.url, token=a_token()) as client:
        await client.call("prices.subscribe", symbols=["AAPL"])
        await say_quotes(edge.bus, statuses=[PriceStatus(symbol="AAPL", state=Quote.HALTED, reason="news")])
        assert await client.told("prices.status") == {"symbol": "AAPL", "state": "HALTED", "reason": "news"}
        again = await client.call("prices.subscribe", symbols=["AAPL"])
        assert again["quotes"][0]["state"] == "HALTED"


async def test_no_price_service_is_told_as_that(nats_url: str) -> None:
    async with (
        an_edge(nats_url, price_svc="127.0.0.1:1") as edge,
        a_client(edge.url, token=a_token()) as client,
    ):
        for method in ("prices.get", "prices.subscribe"):
            refused = await client.refused(method, symbols=["AAPL"])
            assert (refused["data"]["reason"], refused["data"]["retry"]) == ("UNAVAILABLE", "after")
            assert refused["data"]["retryAfterMs"] > 0
            assert "127.0.0.1" not in refused["message"]


async def test_a_client_that_does_not_read_hurts_only_itself(nats_url: str) -> None:
    async with (
        an_edge(nats_url, symbols=HUNDRED) as edge,
        a_client(edge.url, token=a_token("fast")) as fast,
        a_slow_client(edge) as slow,
    ):
        await fast.call("prices.subscribe", symbols=["S0"], maxHz=50)
        await slow.call("prices.subscribe", symbols=list(HUNDRED), maxHz=50)
        slow.socket.transport.pause_reading()
        assert await _speak_and_read(edge, fast, rounds=100) >= 50

        slow.socket.transport.resume_reading()
        seen: dict[str, int] = {}
        degraded = None
        async with asyncio.timeout(10):
            while degraded is None or seen.get("S0") != 101:
                frame = json.loads(await slow.socket.recv())
                if frame.get("method") == "session.degraded":
                    degraded = frame["params"]
                for quote in frame.get("params", {}).get("quotes", ()):
                    assert int(quote["seq"]) > seen.get(quote["symbol"], 0)
                    seen[quote["symbol"]] = int(quote["seq"])
        assert degraded["dropped"] > 0


async def test_a_client_that_takes_nothing_at_all_is_cut(nats_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifetime, "STUCK_SECONDS", 0.4)
    async with (
        an_edge(nats_url, symbols=HUNDRED, heartbeat_seconds=0.2) as edge,
        a_slow_client(edge) as slow,
        a_client(edge.url, token=a_token("fast")) as fast,
    ):
        await fast.call("prices.subscribe", symbols=["S0"], maxHz=50)
        await slow.call("prices.subscribe", symbols=list(HUNDRED), maxHz=50)
        slow.socket.transport.pause_reading()
        await _speak_and_read(edge, fast, rounds=100)
        slow.socket.transport.resume_reading()
        assert await slow.closed() == 1006


@asynccontextmanager
async def a_slow_client(edge: Edge) -> AsyncIterator[Client]:
    """Connect with next to no room for what is not read."""
    narrow = sockets.socket()
    narrow.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    narrow.setblocking(False)
    await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", edge.port))
    async with a_client(edge.url, token=a_token("slow"), sock=narrow, max_queue=1) as client:
        yield client


async def _speak_and_read(edge: Edge, fast: Client, *, rounds: int) -> int:
    seen = 0
    for seq in range(2, rounds + 2):
        await say_quotes(edge.bus, *(a_quote(symbol, seq=seq) for symbol in HUNDRED))
        await asyncio.sleep(0.02)
    while True:
        (quote,) = (await fast.told("prices.update"))["quotes"]
        seen += 1
        if quote["seq"] == str(rounds + 1):
            return seen


def _get(number: int, *symbols: str) -> dict[str, object]:
    return {"jsonrpc": "2.0", "method": "prices.get", "params": {"symbols": symbols}, "id": number}
