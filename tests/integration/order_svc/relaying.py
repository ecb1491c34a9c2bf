"""Relays on real servers, for tests."""

import asyncio
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from gen.trading.v1 import exchange_pb2
from order_svc import event
from order_svc.attention import Attention, Patience
from order_svc.fact import Fact, Kind
from order_svc.figures import Figures
from order_svc.order import Order
from order_svc.outbox import OUTBOX, MongoOutbox
from order_svc.relay import Relay
from order_svc.store import MongoOrderStore
from order_svc.survey import MongoSurvey
from order_svc.updates import ToldUpdates
from runtime.databases import Database
from runtime.jetstream import Bus, BusUnavailable
from runtime.leases import Lease
from runtime.receipts import open_receipts
from runtime.subjects import ORDER_COMMANDS, ORDER_UPDATES, order_update
from tests.eventually import eventually
from tests.factories import a_fact, an_order

TTL = 1.5


@dataclass
class RelayWorld:
    """A database with orders, a broker, and relays between them, here and elsewhere."""

    database: Database
    store: MongoOrderStore
    bus: Bus
    registry: CollectorRegistry
    nats_url: str
    mongo_url: str
    database_name: str

    async def place(self, key: str, account: str = "demo") -> str:
        order = an_order(client_order_id=key, account_id=account)
        await self.store.insert([order], [event.submit(order), event.created(order)])
        return order.order_id

    async def commands(self) -> list[str]:
        """Return the orders whose submission is on the bus, once for each message."""
        heard = [one async for one in self.bus.history(ORDER_COMMANDS, "orders.commands.>", after=0)]
        return [one.headers["Order-Id"] for one in heard if one.headers["Nats-Msg-Id"].endswith(":submit")]

    async def has(self, *order_ids: str) -> None:
        async def there() -> bool:
            try:
                return set(order_ids) <= set(await self.commands())
            except BusUnavailable:
                return False

        await eventually(there, within=20)

    async def unsettled(self) -> int:
        count: int = await self.database.collection(OUTBOX).count_documents({})
        return count

    async def had_effect(self, order_id: str) -> None:
        """Have the order leave PENDING, as the gateway's first report does."""
        await self.fold(order_id, a_fact(Kind.SUBMITTED))

    async def fold(self, order_id: str, *facts: Fact) -> None:
        def folded(order: Order) -> tuple[Order, list[event.Event]]:
            after = order.with_facts(facts, now=order.create_time)
            return after, [event.change_between(order, after)]

        await self.store.update({order_id: folded})

    async def asked(self, order_id: str) -> list[exchange_pb2.OrderCommand]:
        """Return the commands about an order but for its submission."""
        heard = [one async for one in self.bus.history(ORDER_COMMANDS, "orders.commands.>", after=0)]
        commands = [exchange_pb2.OrderCommand.FromString(one.payload) for one in heard]
        submit = exchange_pb2.OrderCommand.SUBMIT
        return [one for one in commands if one.order_id == order_id and one.kind != submit]

    async def updates(self, account: str) -> list[str]:
        heard = [one async for one in self.bus.history(ORDER_UPDATES, order_update(account), after=0)]
        return [one.headers["Nats-Msg-Id"] for one in heard]

    @asynccontextmanager
    async def relaying(self, **patience: float) -> AsyncIterator[None]:
        lease = Lease(self.bus, f"relay.{self.database_name}", ttl_seconds=TTL)
        figures = Figures(CollectorRegistry())
        async with open_receipts(self.bus) as receipts:
            attention = Attention(
                MongoSurvey(self.database), receipts, lease, patience=Patience(**patience), figures=figures
            )
            running = Relay(
                MongoOutbox(self.database),
                receipts,
                ToldUpdates(self.bus),
                lease,
                figures=figures,
                watchers=[attention],
            )
            task = asyncio.create_task(running.run())
            try:
                yield
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            assert task.cancelled(), task.exception()

    @asynccontextmanager
    async def relaying_elsewhere(self) -> AsyncIterator[Process]:
        """A relay in a process of its own, which holds the lease when the block begins."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.integration.order_svc.relay_process",
            *(self.nats_url, self.mongo_url, self.database_name, str(TTL)),
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    def measured(self, name: str) -> float:
        return self.registry.get_sample_value(name) or 0.0
