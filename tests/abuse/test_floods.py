"""Clients that mean harm: they are cut, or wait for themselves; memory stays bounded and others are served."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import repeat

import pytest
from websockets.exceptions import ConnectionClosed

from tests.integration.edge.client import a_client, a_token
from tests.integration.edge.running import Edge, an_edge

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: edge\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: %b\r\n"
)


@asynccontextmanager
async def a_wire(edge: Edge) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a bare TCP connection for the block."""
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def upgraded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Become a WebSocket."""
    writer.write(UPGRADE % base64.b64encode(os.urandom(16)) + b"\r\n")
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")


def a_frame(opcode: int, payload: bytes = b"") -> bytes:
    """Return a short client's frame; its mask changes nothing."""
    return bytes((opcode, 0x80 | len(payload), 0, 0, 0, 0)) + payload


async def rest(reader: asyncio.StreamReader) -> bytes:
    """Return what still comes before the server closes."""
    said = b""
    async with asyncio.timeout(5):
        with suppress(ConnectionError):
            while part := await reader.read(65_536):
                said += part
    return said


def close_code(said: bytes) -> int:
    """Return the code of the close frame that is in what was said."""
    at = said.rindex(b"\x88")
    return int.from_bytes(said[at + 2 : at + 4], "big")


async def test_half_open_handshakes_and_slow_headers_leave_room_for_others(nats_url: str) -> None:
    async with an_edge(nats_url, max_handshakes=20) as edge:
        wires = [await asyncio.open_connection("127.0.0.1", edge.port) for _ in range(60)]
        for _, writer in wires[::2]:
            writer.write(b"GET /ws HTTP/1.1\r\nHost")
        async with a_client(edge.url, token=a_token()) as client:
            await client.call("ping")
        # All but the newest were cut at once, not after the time that a handshake may take.
        assert [await rest(reader) for reader, _ in wires[:35]] == [b""] * 35
        for _, writer in wires:
            writer.transport.abort()


@pytest.mark.parametrize(
    "flood",
    [
        pytest.param(a_frame(0x89) * 2_000, id="pings"),
        pytest.param(a_frame(0x01, b"x") + a_frame(0x00, b"x") * 2_000, id="fragments of one byte"),
        pytest.param(a_frame(0x01) + a_frame(0x00) * 2_000, id="empty fragments"),
        pytest.param(a_frame(0x81) * 20_000, id="empty frames"),
    ],
)
async def test_who_floods_is_cut_and_others_are_served(nats_url: str, flood: bytes) -> None:
    async with (
        an_edge(nats_url) as edge,
        a_client(edge.url, token=a_token()) as other,
        a_wire(edge) as (reader, writer),
    ):
        await upgraded(reader, writer)
        writer.write(flood)
        await other.call("ping")
        assert close_code(await rest(reader)) == 4508


async def test_pings_fragments_and_bursts_of_honest_clients_are_borne(nats_url: str) -> None:
    async with an_edge(nats_url) as edge, a_client(edge.url, token=a_token()) as client:
        for _ in range(10):
            await (await client.socket.ping())
        text = '{"jsonrpc":"2.0","method":"ping","id":"parts"}'
        await client.socket.send(iter(text))
        assert (await client.next())["id"] == "parts"
        for _ in range(300):
            await client.send({"jsonrpc": "2.0", "method": "ping", "id": 1})
        answers = [await client.next() for _ in range(300)]
        assert all("result" in answer for answer in answers)


async def test_a_frame_of_a_stranger_is_no_larger_than_a_token(nats_url: str) -> None:
    async with an_edge(nats_url) as edge:
        async with a_client(edge.url) as stranger:
            await stranger.send("x" * 20_000)
            assert await stranger.closed() == 1009
        async with a_client(edge.url, token=a_token()) as client:
            await client.send("x" * 20_000)
            assert (await client.next())["error"]["code"] == -32700


async def test_who_sends_on_and_on_is_read_only_as_fast_as_it_may_send(nats_url: str) -> None:
    async with (
        an_edge(nats_url, messages_per_second=20) as edge,
        a_client(edge.url, token=a_token("loud")) as loud,
        a_client(edge.url, token=a_token("quiet")) as quiet,
    ):
        subscribe = '{"jsonrpc":"2.0","method":"prices.subscribe","params":{"symbols":["AAPL"]},"id":1}'

        async def send() -> None:
            with suppress(ConnectionClosed):
                for frame in repeat(subscribe):
                    await loud.socket.send(frame)
                    # The edge runs in the same loop.
                    await asyncio.sleep(0)

        sending = asyncio.create_task(send())
        answers = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                while True:
                    await loud.socket.recv()
                    answers += 1
        async with asyncio.timeout(0.5):
            await quiet.call("ping")
        sending.cancel()
        # A closing handshake would wait behind all that was sent.
        loud.socket.transport.abort()
    # Some served, the refusals of the beginning, then a trickle.
    assert 200 < answers < 500
