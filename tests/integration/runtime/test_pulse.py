"""runtime/pulse.py: a deaf connection ends the process, a frozen or killed broker does not."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client

from runtime.connecting import connect
from runtime.pulse import Deaf, pulse
from tests.eventually import eventually
from tests.servers import Server

EVERY, PATIENCE = 0.03, 0.1
# Long enough for three misses and the look over another connection.
LONG = 3 * (EVERY + PATIENCE) + 3 * PATIENCE


@pytest.fixture
async def client(nats_server: Server) -> AsyncIterator[Client]:
    connected = await connect(nats_server.url, name="test", login=None)
    yield connected
    await connected.close()


@pytest.fixture
async def watch(client: Client) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(pulse(client, every_seconds=EVERY, patience_seconds=PATIENCE))
    yield task
    task.cancel()
    await asyncio.wait([task])


async def test_a_connection_that_hears_nothing_while_others_are_answered_is_deaf(
    client: Client, watch: asyncio.Task[None]
) -> None:
    # As when nats-py has lost its read loop: it goes on to say that it is connected.
    reading = client._reading_task
    assert reading is not None
    reading.cancel()
    with pytest.raises(Deaf):
        async with asyncio.timeout(5):
            await watch
    assert client.is_connected


async def test_a_broker_that_is_frozen_for_a_while_ends_nobody(
    nats_server: Server, client: Client, watch: asyncio.Task[None]
) -> None:
    os.kill(nats_server.pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(LONG)
        assert client.is_connected
        assert not watch.done()
    finally:
        os.kill(nats_server.pid, signal.SIGCONT)
    await asyncio.sleep(LONG)
    assert not watch.done()


async def test_a_broker_that_dies_and_comes_back_ends_nobody(
    nats_server: Server, client: Client, watch: asyncio.Task[None]
) -> None:
    await nats_server.kill()
    await asyncio.sleep(EVERY)
    await nats_server.start()

    async def back() -> bool:
        return client.is_connected

    await eventually(back, within=10)
    await asyncio.sleep(LONG)
    assert not watch.done()
