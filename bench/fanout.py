"""Price updates that one edge process delivers, against two servers that one writes first; the same prices, the same clients.

An update is one symbol's new price reaching one socket. Every socket watches ten symbols, and all of them move in each round. The
edge's sockets ask for as many updates a second as there are rounds; the baselines have no pace and send every round to everybody.
"""

import json
import os
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeAlias

from bench.crowd import Seen, Wanted, a_crowd
from bench.generator import a_generator
from bench.parts import Cores, a_broker, a_module
from bench.systems import NO_LIMITS
from bench.table import say
from infra.local.child import Child
from infra.local.ports import free_ports
from runtime.auth import READ, make_token

SECONDS = 5.0
WARM_UP_SECONDS = 1.5
# How many sockets, and rounds a second: at 10,000 even the fastest pace that a client may ask for would only be cut down.
LOADS = ((100, 50), (1_000, 50), (10_000, 10))
SYMBOLS_EACH = 10
# For the row in which no two sockets watch the same list.
LISTED_SYMBOLS = 500
SECRET = "benchmark secret of at least 32 bytes"  # noqa: S105 - made up

Server: TypeAlias = Callable[[str, int, int], AbstractAsyncContextManager[Child]]


@asynccontextmanager
async def an_edge(nats_url: str, price_port: int, port: int) -> AsyncIterator[Child]:
    """Run one edge process for the block."""
    environment = {
        "NATS_URL": nats_url,
        "JWT_SECRET": SECRET,
        "EDGE_PORT": str(port),
        "EDGE_PRICE_SVC": f"127.0.0.1:{price_port}",
        "LOG_LEVEL": "warning",
        **NO_LIMITS,
    }
    async with a_module("edge", port=port, environment=environment) as child:
        yield child


@asynccontextmanager
async def a_broadcast(nats_url: str, price_port: int, port: int) -> AsyncIterator[Child]:
    """Run the loop over `websockets.broadcast` for the block."""
    async with a_module("bench.broadcast_server", str(port), nats_url, port=port, environment={}) as child:
        yield child


@asynccontextmanager
async def a_fastapi(nats_url: str, price_port: int, port: int) -> AsyncIterator[Child]:
    """Run the FastAPI loop for the block."""
    async with a_module("bench.fastapi_server", str(port), nats_url, port=port, environment={}) as child:
        yield child


async def bench(loads: Sequence[tuple[int, int]] = LOADS) -> None:
    """Print a table for each number of sockets."""
    for sockets, pace in loads:
        common = [f"S{number:04}" for number in range(SYMBOLS_EACH)]
        rows = [
            {"server": "broadcast (baseline)", **await measure(a_broadcast, sockets, pace, common, [])},
            {"server": "FastAPI", **await measure(a_fastapi, sockets, pace, common, [])},
            {"server": "edge", **await measure(an_edge, sockets, pace, common, [subscription(common, pace)])},
        ]
        many = [f"S{number:04}" for number in range(LISTED_SYMBOLS)]
        lists = [subscription(_some(many, number), pace) for number in range(sockets)]
        rows.append({"server": "edge, each its own list", **await measure(an_edge, sockets, pace, many, lists)})
        base = max(int(str(rows[0]["updates/s"])), 1)
        for row in rows:
            row["x baseline"] = round(int(str(row["updates/s"])) / base, 1)
        say(
            f"fan-out to {sockets} sockets x {SYMBOLS_EACH} symbols, {pace} rounds/s: {sockets * SYMBOLS_EACH * pace} asked for",
            rows,
        )


def _some(symbols: Sequence[str], number: int) -> list[str]:
    return random.Random(number).sample(symbols, SYMBOLS_EACH)  # noqa: S311 - the same in every run


def subscription(symbols: Sequence[str], pace: float) -> str:
    """Return the frame that subscribes."""
    params = {"symbols": symbols, "mode": "QUOTE", "maxHz": pace}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "prices.subscribe", "params": params})


async def measure(
    server: Server, sockets: int, pace: float, symbols: Sequence[str], frames: list[str]
) -> dict[str, object]:
    """Return one row: what the clients of one server get."""
    port, price_port = free_ports(2)
    token = make_token(secret=SECRET, subject="bench", accounts=["bench"], scopes=(READ,), lifetime_seconds=3600)
    async with (
        a_broker() as (nats_url, nats_pid),
        a_generator(symbols, port=price_port, secret=SECRET) as generator,
        server(nats_url, price_port, port) as child,
        a_crowd(Wanted(port, sockets, token, frames)) as crowd,
        generator.saying(nats_url, pace),
    ):
        await crowd.count(WARM_UP_SECONDS)
        cores = Cores({"server": child.pid, "clients": crowd.pid, "generator": os.getpid(), "nats": nats_pid})
        seen: Seen = await crowd.count(SECONDS)
        return {**seen.row(), **cores.row(), "MiB": cores.megabytes("server")}
