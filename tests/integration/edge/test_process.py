"""The edge as a process: it starts from its environment alone, tells when it is ready, and leaves cleanly."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.integration.edge.client import a_client, a_token
from tests.integration.edge.neighbours import SECRET
from tests.integration.edge.running import an_edge
from tests.servers import free_port


@asynccontextmanager
async def a_process(**environment: str) -> AsyncIterator[Process]:
    """Run `python -m edge` for the block."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EDGE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "edge", stderr=PIPE, env={**kept, "LOG_FORMAT": "json", **environment}
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_a_process_serves_and_leaves_when_it_is_told_to(nats_url: str) -> None:
    async with an_edge(nats_url) as around:
        port = free_port()
        environment = {
            "NATS_URL": nats_url,
            "JWT_SECRET": SECRET,
            "EDGE_PORT": str(port),
            "EDGE_PRICE_SVC": around.neighbours.price_target,
            "EDGE_ORDER_SVC": around.neighbours.order_target,
        }
        async with a_process(**environment) as process:
            assert process.stderr is not None
            async with asyncio.timeout(20):
                while b'"ready"' not in await process.stderr.readline():
                    pass
            async with a_client(f"ws://127.0.0.1:{port}/ws", token=a_token()) as client:
                await client.call("prices.subscribe", symbols=["AAPL"])
                await client.call("orders.subscribe")
                process.send_signal(signal.SIGTERM)
                assert "reconnectAfterMs" in await client.told("session.shutdown")
                assert await client.closed() == 4001
            async with asyncio.timeout(10):
                _, said = await process.communicate()
            assert (process.returncode, b"Traceback" in said) == (0, False)


async def test_wrong_settings_stop_the_start_and_are_all_named() -> None:
    async with a_process(EDGE_PORT="many", EDGE_PROT="1", JWT_SECRET=SECRET) as process, asyncio.timeout(20):
        _, said = await process.communicate()
    assert process.returncode == 2
    assert b"EDGE_PORT" in said
    assert b"EDGE_PROT: no such setting" in said
