"""The client library and the examples of the documentation against the whole system."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from infra.local.running import System
from stockmesh import Client
from stockmesh.models import OrderUpdate, Quote
from tests.socket_client import Socket

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"


def node_has_sockets() -> bool:
    """Tell whether there is a Node that has WebSocket, be it hidden behind an option as before version 22."""
    node = shutil.which("node")
    probe = ("--experimental-websocket", "--eval", "process.exit(typeof WebSocket === 'function' ? 0 : 1)")
    return node is not None and subprocess.run([node, *probe], capture_output=True, check=False).returncode == 0  # noqa: S603


async def run(system: System, account: str, *words: str) -> str:
    """Run an example as its first lines say; return what it printed."""
    assert system.where.rest is not None
    environment = {
        **os.environ,
        "STOCKMESH_URL": system.where.websocket,
        "STOCKMESH_GRPC": system.where.rest.removeprefix("http://"),
        "STOCKMESH_TOKEN": system.token(account),
        # The examples import what is installed; here that is this tree.
        "PYTHONPATH": str(ROOT),
    }
    process = await asyncio.create_subprocess_exec(
        *words, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(30):
            told, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, told.decode()
    return told.decode()


@pytest.mark.parametrize("example", ["app.py", "partner.py"])
async def test_the_python_examples_do_what_they_say(system: System, socket: Socket, account: str, example: str) -> None:
    told = await run(system, account, sys.executable, str(EXAMPLES / example))

    assert "AAPL" in told
    assert "FILLED 10 of 10" in told


@pytest.mark.skipif(not node_has_sockets(), reason="no Node with WebSocket on this machine: apt install nodejs")
async def test_the_javascript_example_does_what_it_says(system: System, socket: Socket, account: str) -> None:
    # The option is for versions before 22, whose WebSocket is there but hidden.
    told = await run(system, account, "node", "--experimental-websocket", str(EXAMPLES / "client.mjs"))

    assert "AAPL" in told
    assert "FILLED 10 of 10" in told


@pytest.mark.timeout(90)
async def test_a_client_over_a_killed_edge_places_each_order_once_and_misses_nothing(
    system: System, socket: Socket, account: str
) -> None:
    keys = [f"over-{number}-{uuid4().hex[:8]}" for number in range(6)]
    async with (
        Client(system.where.websocket, system.token(account), timeout_seconds=40) as client,
        client.watch(["AAPL"]) as prices,
        client.order_updates() as updates,
    ):
        before = await anext(prices)
        # Some are on their way when the edge dies, and some come while it is away.
        placing = [asyncio.create_task(client.place("AAPL", "BUY", 1, client_order_id=key)) for key in keys[:3]]
        await asyncio.sleep(0)
        await system.kill("edge")
        placing += [asyncio.create_task(client.place("AAPL", "BUY", 1, client_order_id=key)) for key in keys[3:]]
        placed = {(await each).order.order_id for each in placing}

        revisions: dict[str, int] = {}
        filled: set[str] = set()
        async for item in updates:
            if isinstance(item, OrderUpdate):
                order = item.order
                assert order.revision == revisions.get(order.order_id, 0) + 1
                revisions[order.order_id] = order.revision
                filled |= {order.order_id} if order.state == "FILLED" else set()
            if filled == placed:
                break
        listed = [order.client_order_id async for order in client.orders()]
        async for quote in prices:
            if isinstance(quote, Quote) and isinstance(before, Quote) and quote.version > before.version:
                break

    assert len(placed) == len(keys)
    assert sorted(listed) == sorted(keys)
