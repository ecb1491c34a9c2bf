"""Who gets in, who stays, and what a frame that breaks the rules does: nothing but an error."""

import asyncio
import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.integration.edge.client import Client, a_client, a_token, eventually
from tests.integration.edge.running import an_edge, another_edge


async def test_a_token_may_come_with_the_upgrade_or_in_the_first_frame(nats_url: str) -> None:
    headers = {"Authorization": f"Bearer {a_token('upgrade')}"}
    async with (
        an_edge(nats_url, auth_seconds=0.3) as edge,
        a_client(edge.url, additional_headers=headers) as by_header,
        a_client(edge.url) as by_frame,
    ):
        told = await by_frame.call("session.authenticate", token=a_token("frame"))
        assert told["accounts"] == ["frame"]
        await asyncio.sleep(0.4)
        for client in (by_header, by_frame):
            assert "prices" in await client.call("prices.get", symbols=["AAPL"])


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/ws", {"Authorization": "Bearer nonsense"}, 401),
        ("/ws", {"Authorization": "Basic dXNlcjpwYXNz"}, 401),
        ("/ws?token=abc", {}, 400),
        ("/nothing", {}, 404),
        ("/ws/other", {}, 404),
    ],
)
async def test_an_upgrade_that_cannot_become_a_session_is_refused(
    nats_url: str, path: str, headers: dict[str, str], status: int
) -> None:
    async with an_edge(nats_url) as edge:
        with pytest.raises(InvalidStatus) as refused:
            async with connect(edge.url.removesuffix("/ws") + path, additional_headers=headers, proxy=None):
                pass
        assert refused.value.response.status_code == status
        if status != 404:
            assert "reason" in json.loads(refused.value.response.body)


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://app.example", 101),
        (None, 101),
        ("https://app.example.evil", 403),
        ("null", 403),
        ("http://app.example", 403),
    ],
)
async def test_only_pages_of_ours_may_connect(nats_url: str, origin: Any, status: int) -> None:
    async with an_edge(nats_url, origins=("https://app.example",)) as edge:
        try:
            async with connect(edge.url, origin=origin, proxy=None) as socket:
                assert socket.response is not None
                given = socket.response.status_code
        except InvalidStatus as refused:
            given = refused.response.status_code
        assert given == status


async def test_who_brings_no_token_is_let_go(nats_url: str) -> None:
    async with an_edge(nats_url, auth_seconds=0.3) as edge, a_client(edge.url) as client:
        refused = await client.refused("prices.get", symbols=["AAPL"])
        assert refused["data"]["reason"] == "TOKEN_MISSING"
        wrong = await client.refused("session.authenticate", token="nonsense")
        assert (wrong["code"], wrong["data"]["reason"], wrong["data"]["retry"]) == (-32000, "TOKEN_INVALID", "never")
        assert await client.closed() == 4502


async def test_a_session_ends_with_its_token_and_is_warned_before(nats_url: str) -> None:
    async with an_edge(nats_url) as edge, a_client(edge.url, token=a_token(seconds=2)) as client:
        assert (await client.told("session.expiring"))["expireTime"].endswith("Z")
        assert await client.closed() == 4401


async def test_a_fresh_token_of_the_same_user_keeps_the_session(nats_url: str) -> None:
    async with an_edge(nats_url) as edge, a_client(edge.url, token=a_token(seconds=2)) as client:
        await client.call("session.authenticate", token=a_token())
        other = await client.refused("session.authenticate", token=a_token("other"))
        assert other["data"]["reason"] == "OTHER_IDENTITY"
        await asyncio.sleep(2.2)
        assert "time" in await client.call("ping")


BAD_FRAMES: list[tuple[object, int, object]] = [
    (b'{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', -32700, None),
    (b"\xff\xfe", -32700, None),
    (b'{"jsonrpc":"2.0","method":"ping","params":{"a":NaN},"id":1}', -32700, None),
    (b"[" * 60_000, -32700, None),
    ({"jsonrpc": "2.0", "method": 1, "params": "bar"}, -32600, None),
    ({"jsonrpc": "1.0", "method": "ping", "id": 7}, -32600, 7),
    ({"jsonrpc": "2.0", "method": "ping", "params": "bar", "id": "a"}, -32600, "a"),
    ({"jsonrpc": "2.0", "method": "ping", "id": True}, -32600, None),
    ([], -32600, None),
    ({"jsonrpc": "2.0", "method": "rpc.discover", "id": 2}, -32601, 2),
    ({"jsonrpc": "2.0", "method": "ping", "params": [1], "id": 3}, -32602, 3),
    ({"jsonrpc": "2.0", "method": "prices.get", "params": {"tickers": []}, "id": 4}, -32602, 4),
    ({"jsonrpc": "2.0", "method": "prices.get", "params": {"symbols": "AAPL"}, "id": None}, -32602, None),
    (b'{"jsonrpc":"2.0","method":"ping","params":{"a":1,"a":2},"id":5}', -32602, 5),
    (b'{"jsonrpc":"2.0","method":"prices.subscribe","params":{"symbols":["A"],"maxHz":1e400},"id":6}', -32602, 6),
    (b'{"jsonrpc":"2.0","method":"prices.get","params":{"symbols":["\\ud800"]},"id":8}', -32700, None),
]


async def test_bad_frames_are_answered_and_the_socket_stays(nats_url: str) -> None:
    async with an_edge(nats_url) as edge, a_client(edge.url, token=a_token()) as client:
        for frame, code, identity in BAD_FRAMES:
            await client.send(frame)
            answer = await client.next()
            assert (answer["error"]["code"], answer["id"]) == (code, identity), frame
            assert answer["error"]["data"]["outcome"] == "NOT_EXECUTED"
        assert "time" in await client.call("ping")


async def test_a_batch_is_answered_by_one_frame(nats_url: str) -> None:
    async with an_edge(nats_url) as edge, a_client(edge.url, token=a_token()) as client:
        await client.send(
            [
                {"jsonrpc": "2.0", "method": "ping", "id": "1"},
                {"jsonrpc": "2.0", "method": "ping"},
                {"foo": "boo"},
                {"jsonrpc": "2.0", "method": "foo.get", "id": "5"},
                {"jsonrpc": "2.0", "method": "prices.get", "params": {"symbols": ["MSFT"]}, "id": "9"},
            ]
        )
        answers = {answer["id"]: answer for answer in await client.next()}
        assert answers.keys() == {"1", None, "5", "9"}
        assert answers["9"]["result"]["prices"][0]["quote"]["symbol"] == "MSFT"
        assert (answers[None]["error"]["code"], answers["5"]["error"]["code"]) == (-32600, -32601)

        await client.send([{"jsonrpc": "2.0", "method": "ping"}, {"jsonrpc": "2.0", "method": "nobody"}])
        await client.send([1, 2])
        assert [answer["error"]["code"] for answer in await client.next()] == [-32600, -32600]


async def test_a_frame_that_is_too_large_ends_the_session(nats_url: str) -> None:
    async with an_edge(nats_url, max_frame_bytes=2048) as edge, a_client(edge.url, token=a_token()) as client:
        await client.send({"jsonrpc": "2.0", "method": "ping", "params": {"a": "x" * 4096}, "id": 1})
        assert await client.closed() == 1009


async def test_more_requests_than_may_be_under_way_wait_and_are_answered(nats_url: str) -> None:
    async with an_edge(nats_url, max_in_flight=2) as edge, a_client(edge.url, token=a_token()) as client:
        edge.prices.pause_seconds = 0.01
        for number in range(40):
            await client.send({"jsonrpc": "2.0", "method": "market.status", "id": number})
        assert {(await client.next())["id"] for _ in range(40)} == set(range(40))


async def test_heartbeats_tell_how_old_prices_are(nats_url: str) -> None:
    async with an_edge(nats_url, heartbeat_seconds=0.3) as edge, a_client(edge.url, token=a_token()) as client:
        beat = await client.told("session.heartbeat")
        assert (beat["feedAgeMs"], beat["position"]) == ("-1", "")
        assert beat["time"].endswith("Z")


async def test_a_stopping_edge_answers_what_is_under_way_and_sends_its_clients_away(nats_url: str) -> None:
    async with an_edge(nats_url) as around:
        async with another_edge(nats_url, around.bus, around.neighbours) as edge:
            socket = await connect(
                edge.url, proxy=None, additional_headers={"Authorization": f"Bearer {a_token('drain')}"}
            )
            edge.orders.pause_seconds = 0.3
            order = {"symbol": "AAPL", "side": "BUY", "type": "MARKET", "quantity": 1}
            await socket.send(json.dumps({"jsonrpc": "2.0", "method": "orders.place", "params": order, "id": 1}))
            await eventually(lambda: bool(edge.orders.requests))
        client = Client(socket)
        assert await client.closed() == 4001
        told = [await client.next(), await client.next()]
        assert [frame.get("method") for frame in told] == ["session.shutdown", None]
        assert told[0]["params"]["reconnectAfterMs"] >= 0
        assert told[1]["result"]["order"]["symbol"] == "AAPL"


async def test_healthz_says_whether_clients_may_be_sent_here(nats_url: str) -> None:
    def ask(url: str) -> tuple[int, dict[str, bool]]:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - a loopback address of this test
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as answer:
            return answer.code, json.load(answer)

    async def until(url: str, status: int) -> dict[str, bool]:
        async with asyncio.timeout(5):
            while True:
                given, state = await asyncio.to_thread(ask, url)
                if given == status:
                    return state
                await asyncio.sleep(0.05)

    async with an_edge(nats_url) as edge:
        assert await until(f"{edge.http_url}/healthz", 200) == {"price_svc": True, "order_svc": True, "bus": True}
    async with an_edge(nats_url, order_svc="127.0.0.1:1") as edge:
        assert (await until(f"{edge.http_url}/healthz", 503))["order_svc"] is False
