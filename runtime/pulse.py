"""Finds a connection to NATS that is deaf: it says that it stands, and hears nothing.

nats-py can lose its read loop and still say that it is connected; only a message that came round proves life. A broker that is
frozen or away is no reason to end: with it everybody waits.
"""

import asyncio
from contextlib import suppress

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from runtime import logs

EVERY_SECONDS = 5.0
PATIENCE_SECONDS = 2.0
MISSED = 3

logger = logs.get_logger("runtime.pulse")


class Deaf(Exception):
    """The broker answers others, and not us."""


async def pulse(
    client: Client, *, every_seconds: float = EVERY_SECONDS, patience_seconds: float = PATIENCE_SECONDS
) -> None:
    """Say something to ourselves through the broker for ever, and listen for it.

    Raises Deaf when it was missed three times in a row, with the connection standing and nothing else heard, although a new
    connection is answered.
    """
    heard = asyncio.Event()
    echo = client.new_inbox()

    async def hear(message: Msg) -> None:
        heard.set()

    await client.subscribe(echo, cb=hear)
    missed = 0
    while True:
        await asyncio.sleep(every_seconds)
        if await _comes_round(client, echo, heard, patience_seconds):
            missed = 0
            continue
        missed += 1
        logger.warning("the broker does not answer", missed=missed)
        # Once more after the other connection was answered: the broker may just have come back.
        if (
            missed >= MISSED
            and await _answers(client, patience_seconds)
            and not await _comes_round(client, echo, heard, patience_seconds)
        ):
            raise Deaf("connected to the broker, which answers others, but nothing comes in")


async def _comes_round(client: Client, echo: str, heard: asyncio.Event, seconds: float) -> bool:
    """Tell whether the connection hears anything, or does not even say that it stands."""
    heard.clear()
    before, lives = client.stats["in_msgs"], client.stats["reconnects"]
    with suppress(TimeoutError, nats.errors.Error):
        async with asyncio.timeout(seconds):
            await client.publish(echo, b"")
            await heard.wait()
    now = client.stats
    return bool(heard.is_set() or now["in_msgs"] != before or now["reconnects"] != lives or not client.is_connected)


async def _answers(client: Client, seconds: float) -> bool:
    """Tell whether the broker greets a new connection and answers it; a frozen one accepts it and says nothing."""
    where = client.connected_url
    if where is None:
        return False
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(where.hostname, where.port)
            try:
                greeting = await reader.readline()
                if not greeting.startswith(b"INFO ") or b'"tls_required":true' in greeting:
                    return greeting.startswith(b"INFO ")
                writer.write(b"PING\r\n")
                # A refusal of who has not said his name is an answer, too.
                return bool(await reader.readline())
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):
        return False
