"""Orders a second and how long they take: PlaceOrder until it is answered, and until the fill is pushed.

Closed loop: each caller places its next order when the last was answered; the baseline is one caller, whose every order pays for a
transaction of its own. Open loop: orders come at a fixed rate and are timed from when they should have left.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle
from uuid import uuid4

import grpc

from bench.processes import Processes
from bench.receipts import Receipts
from bench.run import Run
from bench.systems import a_system, metrics_url
from bench.table import say
from gen.trading.v1 import order_pb2, order_pb2_grpc
from infra.local.running import System

# As many accounts as a small crowd has: the changes of one account are told one after the other.
ACCOUNTS = 50
CALLERS = (1, 8, 64, 256)
RATES = (50, 100, 200, 400, 800)
SECONDS = 5.0
SETTLE_SECONDS = 15.0
WARM_UP = 50


class Crowd:
    """Accounts that place orders in turn and follow their own changes."""

    def __init__(self, channel: grpc.aio.Channel, system: System) -> None:
        self._stub = order_pb2_grpc.OrderServiceStub(channel)
        self._tokens = [(("authorization", f"Bearer {system.token(f'bench-{number}')}"),) for number in range(ACCOUNTS)]
        self._turns: Iterator[tuple[tuple[str, str]]] = cycle(self._tokens)
        self.run = Run()

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Hear of every change inside the block."""
        ready = [asyncio.Event() for _ in self._tokens]
        tasks = [
            asyncio.create_task(self._follow(token, heard)) for token, heard in zip(self._tokens, ready, strict=True)
        ]
        try:
            await asyncio.gather(*(heard.wait() for heard in ready))
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def place(self, due: float) -> None:
        """Place one order that should have left at `due`."""
        key, run = uuid4().hex, self.run
        wish = order_pb2.PlaceOrderRequest(
            client_order_id=key, symbol="AAPL", side=order_pb2.Order.BUY, type=order_pb2.Order.MARKET, quantity=1
        )
        run.due[key] = due
        try:
            await self._stub.PlaceOrder(wish, metadata=next(self._turns), timeout=10)
        except grpc.aio.AioRpcError:
            run.failed += 1
            return
        run.answered[key] = time.perf_counter() - due

    async def _follow(self, token: tuple[tuple[str, str]], heard: asyncio.Event) -> None:
        async for response in self._stub.StreamOrderUpdates(order_pb2.StreamOrderUpdatesRequest(), metadata=token):
            heard.set()
            order = response.update.order
            due = self.run.due.get(order.client_order_id)
            if due is not None and order.state == order_pb2.Order.FILLED:
                self.run.filled.setdefault(order.client_order_id, time.perf_counter() - due)

    async def settle(self) -> None:
        """Wait until every answered order is filled, or for some seconds."""
        deadline = time.perf_counter() + SETTLE_SECONDS
        while len(self.run.filled) < len(self.run.answered) and time.perf_counter() < deadline:  # noqa: ASYNC110 - bounded
            await asyncio.sleep(0.05)


async def bench() -> None:
    """Print the tables: with grouping as it is, then with a transaction for each order."""
    async with a_system() as system:
        closed, opened = await measure(system, CALLERS, RATES)
    base = max(int(str(closed[0]["orders/s"])), 1)
    for row in closed:
        row["x baseline"] = round(int(str(row["orders/s"])) / base, 1)
    say("orders, closed loop (baseline: 1 caller, no company to share a transaction with)", closed)
    say("orders, open loop", opened)
    async with a_system(ORDER_SVC_GROUP_SIZE="1") as system:
        closed, opened = await measure(system, CALLERS[:3], RATES[:2])
    say("without grouping (ORDER_SVC_GROUP_SIZE=1)", [*closed, *opened])


async def measure(
    system: System, callers: Sequence[int], rates: Sequence[int]
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Return the rows of closed and of open loop."""
    async with AsyncExitStack() as stack:
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(system.where.order_svc))
        crowd = Crowd(channel, system)
        await _warm(crowd)
        await stack.enter_async_context(crowd.following())
        processes, receipts = Processes(system), Receipts(metrics_url(system))
        closed = [await _closed(crowd, number, processes, receipts) for number in callers]
        return closed, [await _open(crowd, rate, processes, receipts) for rate in rates]


async def _warm(crowd: Crowd) -> None:
    deadline = time.perf_counter() + 30
    while len(crowd.run.answered) < WARM_UP and time.perf_counter() < deadline:
        await crowd.place(time.perf_counter())
        await asyncio.sleep(0.01)


async def _closed(crowd: Crowd, callers: int, processes: Processes, receipts: Receipts) -> dict[str, object]:
    crowd.run = Run()
    processes.start()
    await receipts.start()
    end = time.perf_counter() + SECONDS

    async def call() -> None:
        while (now := time.perf_counter()) < end:
            await crowd.place(now)

    await asyncio.gather(*(call() for _ in range(callers)))
    await crowd.settle()
    return await _row(crowd, f"{callers} callers", processes, receipts)


async def _open(crowd: Crowd, rate: int, processes: Processes, receipts: Receipts) -> dict[str, object]:
    crowd.run = Run()
    processes.start()
    await receipts.start()
    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * SECONDS)):
            due = start + number / rate
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            group.create_task(crowd.place(due))
    await crowd.settle()
    return await _row(crowd, f"{rate}/s", processes, receipts)


async def _row(crowd: Crowd, name: str, processes: Processes, receipts: Receipts) -> dict[str, object]:
    orders = len(crowd.run.answered)
    return {"load": name, **crowd.run.row(), **await receipts.row(), **processes.row(orders)}
