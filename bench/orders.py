"""Orders a second and how long they take: PlaceOrder until it is answered, and until the fill is pushed.

Closed loop: each caller places its next order when the last was answered; the baseline is one caller, whose every order pays for a
transaction of its own. Open loop: orders come at a fixed rate and are timed from when they should have left.
"""

import asyncio
import time
from dataclasses import dataclass, field
from uuid import uuid4

import grpc

from bench.table import percentile, say
from gen.trading.v1 import order_pb2, order_pb2_grpc
from infra.local.running import System

ACCOUNT = "bench"
CALLERS = (1, 8, 64, 256)
RATES = (50, 100, 200, 400)
SECONDS = 5.0
SETTLE_SECONDS = 10.0
WARM_UP = 50


@dataclass
class Run:
    """What one run saw: seconds until the answer and until the fill, per order."""

    sent: dict[str, float] = field(default_factory=dict)
    answered: dict[str, float] = field(default_factory=dict)
    filled: dict[str, float] = field(default_factory=dict)
    failed: int = 0

    def row(self, name: str, seconds: float) -> dict[str, object]:
        """Return the run's figures."""
        place = list(self.answered.values())
        fill = list(self.filled.values())
        return {
            "load": name,
            "orders/s": round(len(place) / seconds),
            "place p50 ms": round(percentile(place, 0.5) * 1000, 1),
            "place p99 ms": round(percentile(place, 0.99) * 1000, 1),
            "fill p50 ms": round(percentile(fill, 0.5) * 1000, 1),
            "fill p99 ms": round(percentile(fill, 0.99) * 1000, 1),
            "filled": f"{len(fill)}/{len(place)}",
            "failed": self.failed,
        }


class Trader:
    """Places orders and follows their account's stream."""

    def __init__(self, channel: grpc.aio.Channel, metadata: list[tuple[str, str]]) -> None:
        self._stub, self._metadata = order_pb2_grpc.OrderServiceStub(channel), metadata
        self.run = Run()

    async def place(self, due: float) -> None:
        """Place one order that should have left at `due`."""
        key = uuid4().hex
        wish = order_pb2.PlaceOrderRequest(
            client_order_id=key, symbol="AAPL", side=order_pb2.Order.BUY, type=order_pb2.Order.MARKET, quantity=1
        )
        run = self.run
        run.sent[key] = due
        try:
            await self._stub.PlaceOrder(wish, metadata=self._metadata, timeout=10)
        except grpc.aio.AioRpcError:
            run.failed += 1
            return
        run.answered[key] = time.perf_counter() - due

    async def follow(self) -> None:
        """Note the fills that the account's stream tells of, for ever."""
        request = order_pb2.StreamOrderUpdatesRequest()
        async for response in self._stub.StreamOrderUpdates(request, metadata=self._metadata):
            order = response.update.order
            if order.state == order_pb2.Order.FILLED and order.client_order_id in self.run.sent:
                self.run.filled.setdefault(
                    order.client_order_id, time.perf_counter() - self.run.sent[order.client_order_id]
                )

    async def settled(self) -> None:
        """Wait until every answered order is filled, or for some seconds."""
        deadline = time.perf_counter() + SETTLE_SECONDS
        while len(self.run.filled) < len(self.run.answered) and time.perf_counter() < deadline:  # noqa: ASYNC110 - bounded
            await asyncio.sleep(0.05)


async def measure(system: System) -> None:
    """Print the tables."""
    metadata = [("authorization", f"Bearer {system.token(ACCOUNT)}")]
    async with grpc.aio.insecure_channel(system.where.order_svc) as channel:
        trader = Trader(channel, metadata)
        await _warm(trader)
        following = asyncio.create_task(trader.follow())
        rows = [await _closed(trader, callers) for callers in CALLERS]
        base = max(int(str(rows[0]["orders/s"])), 1)
        for row in rows:
            row["x baseline"] = round(int(str(row["orders/s"])) / base, 1)
        say("orders, closed loop (baseline: 1 caller, no company to share a transaction with)", rows)
        say("orders, open loop", [await _open(trader, rate) for rate in RATES])
        following.cancel()


async def _warm(trader: Trader) -> None:
    deadline = time.perf_counter() + 30
    while len(trader.run.answered) < WARM_UP and time.perf_counter() < deadline:
        await trader.place(time.perf_counter())
        await asyncio.sleep(0.01)


async def _closed(trader: Trader, callers: int) -> dict[str, object]:
    trader.run = Run()
    end = time.perf_counter() + SECONDS

    async def call() -> None:
        while (now := time.perf_counter()) < end:
            await trader.place(now)

    await asyncio.gather(*(call() for _ in range(callers)))
    await trader.settled()
    return trader.run.row(f"{callers} callers", SECONDS)


async def _open(trader: Trader, rate: int) -> dict[str, object]:
    trader.run = Run()
    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * SECONDS)):
            due = start + number / rate
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            group.create_task(trader.place(due))
    await trader.settled()
    return trader.run.row(f"{rate}/s", SECONDS)
