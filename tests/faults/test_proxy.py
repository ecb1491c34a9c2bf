"""A link does to bytes what it is told to, and is good again when healed."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.faults import proxy
from tests.faults.proxy import Proxy, open_proxy
from tests.servers import free_port


class Echo:
    """A server that answers what it is told, and counts what it heard."""

    def __init__(self) -> None:
        self.heard = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(100):
                self.heard += chunk
                writer.write(chunk)
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def a_link() -> AsyncIterator[tuple[Proxy, Echo]]:
    echo, target = Echo(), free_port()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", target)
    async with open_proxy(free_port(), target) as link:
        yield link, echo
    server.close()


async def ask(link: Proxy, text: bytes = b"hello", *, seconds: float = 1.0) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    try:
        writer.write(text)
        async with asyncio.timeout(seconds):
            return await reader.readexactly(len(text))
    finally:
        writer.close()


async def test_a_good_link_passes_everything() -> None:
    async with a_link() as (link, _):
        assert await ask(link, b"x" * 10_000) == b"x" * 10_000


async def test_a_half_cut_link_lets_requests_through_and_loses_the_answers() -> None:
    async with a_link() as (link, echo):
        link.become(proxy.HALF_CUT)
        with pytest.raises(TimeoutError):
            await ask(link, seconds=0.2)
        assert echo.heard == b"hello"


async def test_a_connection_that_lost_bytes_is_cut_when_the_link_heals() -> None:
    async with a_link() as (link, echo):
        link.become(proxy.BLACK_HOLE)
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        writer.write(b"lost")
        await asyncio.sleep(0.1)
        link.heal()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
        assert echo.heard == b""
        assert await ask(link) == b"hello"


async def test_a_frozen_link_delivers_late() -> None:
    async with a_link() as (link, _):
        link.become(proxy.FROZEN)
        asking = asyncio.create_task(ask(link, seconds=3))
        await asyncio.sleep(0.2)
        assert not asking.done()
        link.heal()
        assert await asking == b"hello"


async def test_a_slow_link_takes_its_time() -> None:
    async with a_link() as (link, _):
        link.become(proxy.Conditions(delay=0.1))
        started = time.monotonic()
        await ask(link)
        assert time.monotonic() - started >= 0.2


async def test_a_refusing_link_cuts_and_a_sliced_one_passes_everything() -> None:
    async with a_link() as (link, _):
        link.become(proxy.REFUSING)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await ask(link)
        link.become(proxy.SLICED)
        assert await ask(link, b"0123456789" * 10) == b"0123456789" * 10


async def test_reset_cuts_open_connections() -> None:
    async with a_link() as (link, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        link.reset()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
