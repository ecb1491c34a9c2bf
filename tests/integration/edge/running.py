"""The whole edge in this process, between a real broker and neighbours that a test can put words into."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from edge.app import open_app
from edge.settings import EdgeSettings
from runtime.jetstream import Bus, open_bus
from runtime.process import Tasks
from tests.integration.edge.neighbours import SECRET, Neighbours, Orders, Prices, neighbours
from tests.servers import free_port


@dataclass(frozen=True)
class Edge:
    """A running edge and everybody around it."""

    port: int
    bus: Bus
    neighbours: Neighbours

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def http_url(self) -> str:
        """Where everybody else asks."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def prices(self) -> Prices:
        """The price service."""
        return self.neighbours.prices

    @property
    def orders(self) -> Orders:
        """The order service."""
        return self.neighbours.orders


@asynccontextmanager
async def an_edge(
    nats_url: str, *, symbols: tuple[str, ...] = ("AAPL", "MSFT", "BRK.B"), **settings: Any
) -> AsyncIterator[Edge]:
    """Run an edge for the block."""
    async with asyncio.TaskGroup() as group:
        tasks = Tasks(group)
        async with (
            open_bus(nats_url, name="test", tasks=tasks) as bus,
            neighbours(bus, symbols) as around,
            another_edge(nats_url, bus, around, **settings) as edge,
        ):
            yield edge
        await tasks.stop()


@asynccontextmanager
async def another_edge(nats_url: str, bus: Bus, around: Neighbours, **settings: Any) -> AsyncIterator[Edge]:
    """Run one more edge beside the same neighbours."""
    port = free_port()
    wanted = {
        "nats_url": nats_url,
        "jwt_secret": SECRET,
        "port": port,
        "price_svc": around.price_target,
        "order_svc": around.order_target,
        "stop_grace_seconds": 1.0,
        **settings,
    }
    async with asyncio.TaskGroup() as group:
        tasks = Tasks(group, wanted.pop("registry", None))
        async with open_app(EdgeSettings(**wanted), tasks):
            yield Edge(port, bus, around)
        await tasks.stop()
