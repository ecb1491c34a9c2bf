"""What clients that stop reading cost: memory of the edge, and the others' prices. The baseline is the same crowd without them."""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection, connect

from bench.crowd import Wanted, a_crowd
from bench.fanout import SECRET, an_edge, subscription
from bench.generator import a_generator
from bench.parts import Cores, a_broker
from bench.table import say
from infra.local.ports import free_ports
from runtime.auth import READ, make_token

SECONDS = 5.0
WARM_UP_SECONDS = 2.0
# So that what they leave unread fills the kernel's buffers first, and is then the edge's.
STALLED_SECONDS = 5.0
READING, STALLED = 500, 100
SYMBOLS, SYMBOLS_EACH, STALLED_EACH = 200, 10, 200
PACE = 20


async def bench() -> None:
    """Print the table."""
    port, price_port = free_ports(2)
    symbols = [f"S{number:04}" for number in range(SYMBOLS)]
    token = make_token(secret=SECRET, subject="bench", accounts=["bench"], scopes=(READ,), lifetime_seconds=3600)
    lists = [
        subscription(random.Random(number).sample(symbols, SYMBOLS_EACH), PACE)  # noqa: S311 - the same in every run
        for number in range(READING)
    ]
    async with (
        a_broker() as (nats_url, nats_pid),
        a_generator(symbols, port=price_port, secret=SECRET) as generator,
        an_edge(nats_url, price_port, port) as edge,
        a_crowd(Wanted(port, READING, token, lists)) as crowd,
        generator.saying(nats_url, PACE),
    ):
        pids = {"server": edge.pid, "clients": crowd.pid, "nats": nats_pid, "bench": os.getpid()}

        async def measure() -> dict[str, object]:
            cores = Cores(pids)
            seen = await crowd.count(SECONDS)
            return {**seen.row(), **cores.row(), "MiB": cores.megabytes("server")}

        await crowd.count(WARM_UP_SECONDS)
        rows = [{"stalled": 0, **await measure()}]
        async with _stalled(port, token, subscription(symbols[:STALLED_EACH], PACE)):
            await crowd.count(STALLED_SECONDS)
            rows.append({"stalled": STALLED, **await measure()})
        await crowd.count(WARM_UP_SECONDS)
        rows.append({"stalled": 0, **await measure()})
    say(
        f"{READING} clients that read beside some that watch {STALLED_EACH} symbols and do not (baseline: first row)",
        rows,
    )


@asynccontextmanager
async def _stalled(port: int, token: str, frame: str) -> AsyncIterator[None]:
    """Keep clients for the block that subscribe and then read nothing."""
    header = {"Authorization": f"Bearer {token}"}
    sockets: list[ClientConnection] = []
    try:
        for _ in range(STALLED):
            socket = await connect(
                f"ws://127.0.0.1:{port}/ws",
                additional_headers=header,
                compression=None,
                proxy=None,
                max_queue=1,
                ping_interval=None,
            )
            sockets.append(socket)
            await socket.send(frame)
            await socket.recv()
            socket.transport.pause_reading()
        yield
    finally:
        for socket in sockets:
            socket.transport.abort()
        await asyncio.gather(*(socket.wait_closed() for socket in sockets), return_exceptions=True)
