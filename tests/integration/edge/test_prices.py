"""Prices reach clients: read together, watched one by one, and never older than what they have."""

import asyncio
import time

from gen.trading.v1.price_pb2 import PriceStatus, Quote
from tests.integration.edge.client import a_client, a_token, eventually
from tests.integration.edge.neighbours import a_quote, say_quotes
from tests.integration.edge.running import an_edge


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


async def test_subscribing_twice_changes_nothing_and_repeats_nothing(nats_url: str) -> None:
    async with an_edge(nats_url) as edge, a_client(edge.url, token=a_token()) as client:
        first = await client.call("prices.subscribe", symbols=["AAPL", "AAPL", "MSFT"], maxHz=5)
        await say_quotes(edge.bus, a_quote("AAPL", seq=2))
        assert [quote["seq"] for quote in (await client.told("prices.update"))["quotes"]] == ["2"]
        await say_quotes(edge.bus, a_quote("AAPL", seq=3), a_quote("MSFT", seq=3))
        async with asyncio.timeout(5):
            while True:
                again = await client.call("prices.subscribe", symbols=["AAPL", "MSFT"], maxHz=5)
                assert again["subscriptions"] == first["subscriptions"]
                if [quote["seq"] for quote in again["quotes"]] == ["3", "3"]:
                    break
        await say_quotes(edge.bus, a_quote("AAPL", seq=4))
        seen = [3, 3] if not client.kept else []
        while "4" not in [str(seq) for seq in seen]:
            seen += [int(quote["seq"]) for quote in (await client.told("prices.update"))["quotes"]]
        assert seen.count(4) == 1
        assert len(seen) <= 3


async def test_a_snapshot_in_a_batch_is_as_new_as_what_was_sent_before_it(nats_url: str) -> None:
    async with an_edge(nats_url) as edge, a_client(edge.url, token=a_token()) as client:
        await client.call("prices.subscribe", symbols=["AAPL"], maxHz=50)
        edge.prices.pause_seconds = 0.1
        calls = [
            _subscribe(1, "AAPL", mode="LTP"),
            _subscribe(2, "MSFT", mode="QUOTE"),
            _subscribe(3, "MSFT", mode="LTP", maxHz=2),
        ]
        await client.send(calls)
        known = 1
        for seq in range(2, 60):
            await say_quotes(edge.bus, a_quote("AAPL", seq=seq))
            await asyncio.sleep(0.005)
        while not isinstance(frame := await client.next(), list):
            for quote in frame["params"]["quotes"]:
                assert int(quote["seq"]) > known
                known = int(quote["seq"])
        answers = {answer["id"]: answer["result"] for answer in frame}
        assert int(answers[1]["quotes"][0]["seq"]) >= known
        assert "bid" not in answers[2]["quotes"][0], "the newest wish counts"
        assert answers[3]["subscriptions"] == [
            {"symbol": "AAPL", "mode": "LTP", "maxHz": 10.0},
            {"symbol": "MSFT", "mode": "LTP", "maxHz": 2.0},
        ]


async def test_a_change_of_the_list_loses_no_price_of_what_stays(nats_url: str) -> None:
    async with an_edge(nats_url) as edge, a_client(edge.url, token=a_token()) as client:
        await client.call("prices.subscribe", symbols=["AAPL", "MSFT"], maxHz=2)
        await say_quotes(edge.bus, a_quote("AAPL", seq=2))
        await client.told("prices.update")
        await say_quotes(edge.bus, a_quote("AAPL", seq=3))
        await client.call("prices.unsubscribe", symbols=["MSFT"])
        await client.call("prices.subscribe", symbols=["BRK.B"], maxHz=50)
        (quote,) = (await client.told("prices.update"))["quotes"]
        assert (quote["symbol"], quote["seq"]) == ("AAPL", "3")


async def test_a_beat_is_not_longer_than_a_minute(nats_url: str) -> None:
    async with an_edge(nats_url) as edge, a_client(edge.url, token=a_token()) as client:
        answer = await client.call("prices.subscribe", symbols=["AAPL"], maxHz=1e-300)
        assert answer["subscriptions"][0]["maxHz"] == 0.017


def _subscribe(number: int, *symbols: str, **wish: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "method": "prices.subscribe", "params": {"symbols": symbols, **wish}, "id": number}


def _get(number: int, *symbols: str) -> dict[str, object]:
    return {"jsonrpc": "2.0", "method": "prices.get", "params": {"symbols": symbols}, "id": number}
