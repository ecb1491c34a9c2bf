"""Both databases and the broker are lost. What the backup holds goes on from there, and no order is ever carried out twice."""

import asyncio
import os
import shutil
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from gen.trading.v1 import exchange_pb2, exchange_pb2_grpc, order_pb2, order_pb2_grpc
from infra.exchange_sim.facts import Accepted, Filled
from infra.exchange_sim.ledger_reader import read_facts
from infra.local.part import Part
from infra.local.running import System, running_system
from infra.local.servers import mongo_url
from tests.eventually import eventually

ACCOUNT = "recovery"
STORES = ("orders_mongo", "prices_mongo", "nats", "redis")
SERVICES = ("order_svc", "exchange_gw", "price_svc")
# They keep nothing.
DOORS = frozenset({"edge", "envoy"})


class Trader:
    """Places orders, looks at them, and speaks for operators."""

    def __init__(self, system: System, orders: grpc.aio.Channel, gateway: grpc.aio.Channel) -> None:
        self._orders = order_pb2_grpc.OrderServiceStub(orders)
        self._gateway = exchange_pb2_grpc.ExchangeServiceStub(gateway)
        self._metadata = [("authorization", f"Bearer {system.token(ACCOUNT, scopes=('read', 'trade', 'admin'))}")]

    async def place(self, key: str, *, limit_price: str = "") -> str:
        """Place an order for 5 AAPL, at the market unless there is a limit."""
        wish = order_pb2.PlaceOrderRequest(
            client_order_id=key,
            symbol="AAPL",
            side=order_pb2.Order.BUY,
            type=order_pb2.Order.LIMIT if limit_price else order_pb2.Order.MARKET,
            quantity=5,
            limit_price=limit_price,
        )
        answer = await self._orders.PlaceOrder(wish, metadata=self._metadata, timeout=5)
        return answer.order.order_id

    async def state(self, order_id: str) -> str:
        """Return an order's state; empty while nobody answers."""
        try:
            answer = await self._orders.GetOrder(
                order_pb2.GetOrderRequest(order_id=order_id), metadata=self._metadata, timeout=3
            )
        except grpc.aio.AioRpcError:
            return ""
        return order_pb2.Order.State.Name(answer.order.state)

    async def until(self, states: Mapping[str, str]) -> None:
        """Return when orders have these states."""

        async def reached() -> bool:
            return {order_id: await self.state(order_id) for order_id in states} == states

        await eventually(reached, within=60, every=0.1)

    async def listed(self) -> set[str]:
        """Return the ids of all orders."""
        answer = await self._orders.ListOrders(order_pb2.ListOrdersRequest(), metadata=self._metadata, timeout=5)
        return {order.order_id for order in answer.orders}

    async def reconcile(self) -> list[str]:
        """Compare with the exchange, and return the orders that do not fit; none while the session does not stand."""
        request = exchange_pb2.ReconcileRequest(reason="restored")
        try:
            answer = await self._gateway.Reconcile(request, metadata=self._metadata, timeout=20)
        except grpc.aio.AioRpcError:
            return []
        return [found.order_id for found in answer.breaks]

    async def trading_state(self) -> int:
        """Return what may be sent."""
        request = exchange_pb2.GetVenueStatusRequest()
        answer = await self._gateway.GetVenueStatus(request, metadata=self._metadata, timeout=5)
        return answer.trading_state.state

    async def resume(self) -> None:
        """Let everything be sent."""
        request = exchange_pb2.SetTradingStateRequest(state=exchange_pb2.TradingState.ACTIVE, reason="compared")
        await self._gateway.SetTradingState(request, metadata=self._metadata, timeout=5)


@pytest.mark.timeout(120)
async def test_a_system_that_lost_its_stores_goes_on_from_a_backup_and_sends_nothing_twice(tmp_path: Path) -> None:
    async with (
        running_system(tmp_path / "state", rework=_without_doors, past=False) as system,
        _trader(system) as trader,
    ):
        filled = await eventually(lambda: _placed(trader, "filled"), within=30)
        resting = await trader.place("resting", limit_price="1.00")
        await trader.until({filled: "FILLED", resting: "PLACED"})

        # At the moment of the backup these two are on their way; they are sent behind it.
        async with system.down("exchange_gw"):
            under_way = await trader.place("under-way", limit_price="1.00")
            under_way_market = await trader.place("under-way-market")
            await _run(system, "backup", "--out", str(tmp_path / "copy"))
        lost = await trader.place("behind-the-backup", limit_price="1.00")
        await trader.until({under_way: "PLACED", under_way_market: "FILLED", lost: "PLACED"})

        await _lose_everything_and_restore(system, tmp_path / "copy")

        # What came behind the backup is gone here; whoever compares with the exchange is told of it.
        assert await trader.listed() == {filled, resting, under_way, under_way_market}
        assert await trader.trading_state() == exchange_pb2.TradingState.HALTED
        breaks = await eventually(trader.reconcile, within=30)
        assert lost in breaks
        await trader.resume()
        new = await eventually(lambda: _placed(trader, "new"), within=30)
        await trader.until(dict.fromkeys((filled, under_way_market, new), "FILLED"))
        await trader.until(dict.fromkeys((resting, under_way), "PLACED"))
        facts = read_facts(system.folder("exchange_sim") / "ledger.jsonl")

    everything = (filled, resting, under_way, under_way_market, lost, new)
    assert Counter(fact.cl_ord_id for fact in facts if isinstance(fact, Accepted)) == Counter(everything)
    shares = Counter[str]()
    for fact in facts:
        shares[fact.cl_ord_id] += fact.last_quantity if isinstance(fact, Filled) else 0
    assert +shares == Counter(dict.fromkeys((filled, under_way_market, new), 5))


async def _lose_everything_and_restore(system: System, copy: Path) -> None:
    async with AsyncExitStack() as stopped:
        for service in SERVICES:
            await stopped.enter_async_context(system.down(service))
        async with AsyncExitStack() as wiped:
            for store in STORES:
                await wiped.enter_async_context(system.down(store))
                _empty(system.folder(store))
        for store in STORES:
            await _until_ready(system, store)
        said = await _run(system, "restore", "--from", str(copy))
        assert "stockmesh ops resume" in said
    for service in SERVICES:
        await _until_ready(system, service)


def _empty(folder: Path) -> None:
    """Take away what a server keeps in the folders in its own; files beside them are its configuration."""
    for inner in (path for path in folder.iterdir() if path.is_dir()):
        shutil.rmtree(inner)
        inner.mkdir()


async def _until_ready(system: System, part: str) -> None:
    async with asyncio.timeout(30):
        await system.until_ready(part)


@asynccontextmanager
async def _trader(system: System) -> AsyncIterator[Trader]:
    options = [("grpc.max_reconnect_backoff_ms", 500)]
    async with (
        grpc.aio.insecure_channel(system.where.order_svc, options=options) as orders,
        grpc.aio.insecure_channel(system.where.exchange_gw, options=options) as gateway,
    ):
        yield Trader(system, orders, gateway)


def _without_doors(parts: Sequence[Part]) -> list[Part]:
    return [replace(part, needs=part.needs - DOORS) for part in parts if part.name not in DOORS]


async def _placed(trader: Trader, key: str) -> str:
    try:
        return await trader.place(key)
    except grpc.aio.AioRpcError:
        return ""


async def _run(system: System, command: str, *arguments: str) -> str:
    """Run `python -m infra.data` against the system's databases."""
    orders = mongo_url(system.settings.orders_mongo_port)
    environment = {
        **os.environ,
        "ORDER_SVC_MONGO_URL": orders,
        "EXCHANGE_GW_MONGO_URL": orders,
        "PRICE_SVC_MONGO_URL": mongo_url(system.settings.prices_mongo_port),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "infra.data", command, *arguments),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()
