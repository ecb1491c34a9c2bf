"""Clients that read slowly, or not at all: they cost little, slow nobody, are told, and keep their order updates."""

import asyncio
import json
import socket as sockets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import psutil
import pytest

from edge import lifetime
from edge.server import WRITE_AHEAD_BYTES
from tests.integration.edge.client import Client, a_client, a_token
from tests.integration.edge.neighbours import a_quote, say_quotes
from tests.integration.edge.running import Edge, an_edge

HUNDRED = tuple(f"S{number}" for number in range(100))


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


async def test_a_client_that_stalled_has_all_its_order_updates(nats_url: str) -> None:
    async with (
        an_edge(nats_url, symbols=HUNDRED) as edge,
        a_client(edge.url, token=a_token("fast")) as fast,
        a_slow_client(edge) as slow,
    ):
        await fast.call("prices.subscribe", symbols=["S0"], maxHz=50)
        placed = {"symbol": "S0", "side": "BUY", "type": "LIMIT", "quantity": 1, "limitPrice": "1.00"}
        await slow.call("orders.place", **placed, clientOrderId="k")
        position = (await slow.call("orders.subscribe"))["position"]
        await slow.call("prices.subscribe", symbols=list(HUNDRED), maxHz=50)
        slow.socket.transport.pause_reading()
        order = edge.orders.orders["slow", "k"]
        for _ in range(20):
            await edge.orders.change(order)
        await _speak_and_read(edge, fast, rounds=60)
        for _ in range(20):
            await edge.orders.change(order)
        slow.socket.transport.resume_reading()
        for _ in range(40):
            update = await slow.told("orders.update")
            assert update["previous"] == position
            position = update["position"]
        assert (await slow.told("session.degraded"))["maxHz"] > 0


async def test_clients_that_do_not_read_cost_a_bounded_amount_of_memory(nats_url: str) -> None:
    clients, rounds = 20, 40
    async with AsyncExitStack() as stack:
        edge = await stack.enter_async_context(an_edge(nats_url, symbols=HUNDRED))
        fast = await stack.enter_async_context(a_client(edge.url, token=a_token("fast")))
        await fast.call("prices.subscribe", symbols=["S0"], maxHz=50)
        for _ in range(clients):
            slow = await stack.enter_async_context(a_slow_client(edge))
            await slow.call("prices.subscribe", symbols=list(HUNDRED), maxHz=50)
            slow.socket.transport.pause_reading()
        before = psutil.Process().memory_info().rss
        await _speak_and_read(edge, fast, rounds=rounds)
        grown = psutil.Process().memory_info().rss - before
    # Each was meant to read some 20 KiB a round; what is kept is a buffer, and the frame that filled it.
    assert grown < clients * 4 * WRITE_AHEAD_BYTES + (8 << 20), f"{grown >> 20} MiB"
    assert clients * rounds * 20_000 > 2 * grown


async def test_a_client_that_stalled_longer_than_a_ping_waits_is_kept(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifetime, "SILENT_SECONDS", 0.5)
    async with (
        an_edge(nats_url, symbols=HUNDRED, heartbeat_seconds=0.1) as edge,
        a_client(edge.url, token=a_token("fast"), ping_interval=0.1, max_queue=None) as fast,
        a_slow_client(edge, ping_interval=0.1) as slow,
    ):
        await fast.call("prices.subscribe", symbols=["S0"], maxHz=50)
        await slow.call("prices.subscribe", symbols=list(HUNDRED), maxHz=50)
        slow.socket.transport.pause_reading()
        await _speak_and_read(edge, fast, rounds=60)
        slow.socket.transport.resume_reading()
        assert "time" in await slow.call("ping")


async def test_a_client_that_does_not_even_answer_pings_is_let_go(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifetime, "SILENT_SECONDS", 0.3)
    async with an_edge(nats_url, heartbeat_seconds=0.1) as edge:
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        writer.write(
            b"GET /ws HTTP/1.1\r\nHost: edge\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        async with asyncio.timeout(10):
            await reader.readuntil((1011).to_bytes(2, "big") + b"nothing came from you")
        writer.close()


async def test_pings_fragments_and_the_closing_handshake_work_amid_prices(nats_url: str) -> None:
    async with an_edge(nats_url, symbols=HUNDRED) as edge, a_client(edge.url, token=a_token()) as client:
        await client.call("prices.subscribe", symbols=list(HUNDRED), maxHz=50)

        async def speak() -> None:
            for seq in range(2, 1_000):
                await say_quotes(edge.bus, *(a_quote(symbol, seq=seq) for symbol in HUNDRED))
                await asyncio.sleep(0.002)

        speaking = asyncio.create_task(speak())
        try:
            for _ in range(5):
                await (await client.socket.ping())
                await client.socket.send(['{"jsonrpc": "2.0", ', '"method": "ping", ', '"id": "whole"}'])
                while (await client.next()).get("id") != "whole":
                    pass
            await client.socket.close()
            assert client.socket.close_code == 1000
        finally:
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)


@asynccontextmanager
async def a_slow_client(edge: Edge, **options: Any) -> AsyncIterator[Client]:
    """Connect with next to no room for what is not read."""
    narrow = sockets.socket()
    narrow.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    narrow.setblocking(False)
    await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", edge.port))
    async with a_client(edge.url, token=a_token("slow"), sock=narrow, max_queue=1, **options) as client:
        yield client
        client.socket.transport.abort()


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
