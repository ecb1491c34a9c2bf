"""order_svc whole, on real servers; the test speaks for the market, the gateway and the clients."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry

from gen.trading.v1 import exchange_pb2, order_pb2, order_pb2_grpc, price_pb2
from order_svc import passage
from order_svc.app import open_app
from order_svc.settings import OrderSettings
from order_svc.store import MongoOrderStore
from order_svc.wire import message_of
from runtime.auth import make_token
from runtime.databases import open_mongo
from runtime.jetstream import Bus, open_bus
from runtime.process import Tasks
from runtime.rpc import open_channel
from runtime.subjects import instruments, order_report, quotes_live
from tests.eventually import eventually
from tests.integration.order_svc.relaying import RelayWorld
from tests.servers import Server, free_port

SECRET = "a secret that is only for tests, 32 bytes"


def token(account: str, *scopes: str) -> str:
    return make_token(secret=SECRET, subject=account, accounts=[account], scopes=scopes or ("read", "trade"))


@asynccontextmanager
async def loops() -> AsyncIterator[Tasks]:
    """The loops of a process, as runtime.process has them."""
    async with asyncio.TaskGroup() as group:
        tasks = Tasks(group)
        try:
            yield tasks
        finally:
            await tasks.stop()


@dataclass
class World:
    """A running order_svc and what the test needs to speak with it."""

    orders: "order_pb2_grpc.OrderServiceAsyncStub"
    bus: Bus

    async def place(self, account: str = "demo", **fields: Any) -> order_pb2.PlaceOrderResponse:
        """Place a LIMIT order to buy 10 AAPL at 190, unless told otherwise."""
        wish = {"symbol": "AAPL", "side": "BUY", "type": "LIMIT", "quantity": 10, "limit_price": "190.00", **fields}
        return await self.orders.PlaceOrder(
            order_pb2.PlaceOrderRequest(**wish), metadata=self.bearer(account), timeout=5
        )

    async def get(self, order_id: str, account: str = "demo") -> order_pb2.Order:
        answer = await self.orders.GetOrder(
            order_pb2.GetOrderRequest(order_id=order_id), metadata=self.bearer(account), timeout=5
        )
        return answer.order

    async def report(self, order_id: str, report_id: str, kind: str, **fields: Any) -> None:
        """Say what the gateway would say of an order."""
        report = exchange_pb2.ExecutionReport(
            order_id=order_id, report_id=report_id, kind=exchange_pb2.ExecutionReport.Kind.Value(kind), **fields
        )
        await self.bus.publish(order_report(order_id), report.SerializeToString(), event_id=report_id)

    async def until(self, order_id: str, state: str) -> order_pb2.Order:
        async def there() -> order_pb2.Order | None:
            order = await self.get(order_id)
            return order if order_pb2.Order.State.Name(order.state) == state else None

        found = await eventually(there)
        assert found is not None
        return found

    @staticmethod
    def bearer(account: str) -> list[tuple[str, str]]:
        return [("authorization", f"Bearer {token(account)}")]


Start = Callable[[], Awaitable[World]]


@asynccontextmanager
async def a_world(
    *, mongo_url: str, nats_url: str, redis_url: str, database: str, driver: str = "motor"
) -> AsyncIterator[World]:
    """Start order_svc in this process and a market in which AAPL trades at 190."""
    port = free_port()
    settings = OrderSettings.model_validate(
        {
            "port": port,
            "mongo_url": mongo_url,
            "mongo_database": database,
            "nats_url": nats_url,
            "redis_url": redis_url,
            "mongo_driver": driver,
            "jwt_secret": SECRET,
        }
    )
    async with AsyncExitStack() as stack:
        tasks = await stack.enter_async_context(loops())
        bus = await stack.enter_async_context(open_bus(nats_url, name="test", tasks=tasks))
        aapl = price_pb2.Instrument(
            symbol="AAPL", name="Apple", tick_size="0.01", lot_size=1, max_quantity=100_000, tradable=True
        )
        await bus.publish(
            instruments(0), price_pb2.InstrumentBatch(instruments=[aapl]).SerializeToString(), event_id=f"i-{database}"
        )
        await stack.enter_async_context(open_app(settings, tasks))
        quote = price_pb2.Quote(symbol="AAPL", price="190.00", epoch=1, seq=1, state=price_pb2.Quote.LIVE)
        batch = price_pb2.QuoteBatch(quotes=[quote], market=price_pb2.GetMarketStatusResponse.OPEN)

        async def keep_quoting() -> None:
            while True:
                await bus.publish_live(quotes_live(0), batch.SerializeToString())
                await asyncio.sleep(0.2)

        tasks.spawn(keep_quoting(), name="quotes")
        channel = await stack.enter_async_context(open_channel(f"127.0.0.1:{port}"))
        world = World(order_pb2_grpc.OrderServiceStub(channel), bus)

        async def priced() -> bool:
            wish = order_pb2.PlaceOrderRequest(
                symbol="AAPL", side=order_pb2.Order.BUY, type=order_pb2.Order.MARKET, quantity=1
            )
            try:
                await world.orders.PreviewOrder(
                    order_pb2.PreviewOrderRequest(order=wish), metadata=world.bearer("demo"), timeout=2
                )
            except grpc.aio.AioRpcError:
                return False
            return True

        await eventually(priced)
        yield world


@pytest.fixture
async def world(mongo_url: str, nats_server: Server, redis_url: str, database_name: str) -> AsyncIterator[World]:
    async with a_world(
        mongo_url=mongo_url, nats_url=nats_server.url, redis_url=redis_url, database=database_name
    ) as running:
        yield running


@pytest.fixture
async def relay_world(
    mongo_url: str, nats_server: Server, database_name: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RelayWorld]:
    monkeypatch.setattr(passage, "SWEEP_EVERY_SECONDS", 0.2)
    async with (
        open_mongo(mongo_url, database=database_name, driver="pymongo") as database,
        loops() as tasks,
        open_bus(nats_server.url, name="test", tasks=tasks) as bus,
    ):
        registry = CollectorRegistry()
        store = MongoOrderStore(database, message_of)
        await store.ensure_indexes()
        yield RelayWorld(database, store, bus, registry, nats_server.url, mongo_url, database_name)
        await tasks.stop()
