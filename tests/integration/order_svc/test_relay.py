"""order_svc/relay.py with a real database and a real broker that die and come back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from order_svc import event, relay
from order_svc.fact import Kind
from order_svc.outbox import TOKENS, MongoOutbox
from order_svc.relay import Relay
from order_svc.store import OUTBOX, MongoOrderStore
from order_svc.wire import message_of
from runtime.databases import Database, open_mongo
from runtime.jetstream import Bus, BusUnavailable, open_bus
from runtime.process import Tasks
from runtime.subjects import ORDER_COMMANDS
from tests.eventually import eventually
from tests.factories import a_fact, an_order
from tests.integration.order_svc.conftest import loops
from tests.servers import Server


@dataclass
class World:
    database: Database
    store: MongoOrderStore
    bus: Bus
    tasks: Tasks
    started: int = 0

    async def place(self, key: str) -> str:
        order = an_order(client_order_id=key)
        await self.store.insert([order], [event.submit(order), event.created(order)])
        return order.order_id

    async def commands(self) -> list[str]:
        heard = [one async for one in self.bus.history(ORDER_COMMANDS, "orders.commands.>", after=0)]
        return [one.headers["Order-Id"] for one in heard]

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

    @asynccontextmanager
    async def relaying(self) -> AsyncIterator[None]:
        running = Relay(MongoOutbox(self.database), self.bus)
        spawned = [asyncio.create_task(loop) for loop in (running.run(), running.settle(), running.sweep())]
        try:
            yield
        finally:
            for task in spawned:
                task.cancel()
            await asyncio.gather(*spawned, return_exceptions=True)


@pytest.fixture
async def world(
    mongo_url: str, nats_server: Server, database_name: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    monkeypatch.setattr(relay, "SWEEP_EVERY_SECONDS", 0.2)
    async with (
        open_mongo(mongo_url, database=database_name, driver="pymongo") as database,
        loops() as tasks,
        open_bus(nats_server.url, name="test", tasks=tasks) as bus,
    ):
        store = MongoOrderStore(database, message_of)
        await store.ensure_indexes()
        yield World(database, store, bus, tasks)
        await tasks.stop()


async def test_what_is_committed_is_on_the_bus_and_the_outbox_is_empty_once_it_had_effect(world: World) -> None:
    async with world.relaying():
        key = await world.place("k1")
        await world.has(key)
        await world.store.update(
            {key: lambda order: (order.with_facts([a_fact(Kind.SUBMITTED)], now=order.create_time), ())}
        )

        async def empty() -> bool:
            return await world.unsettled() == 0

        await eventually(empty, within=20)
    assert await world.commands() == [key]


async def test_what_was_committed_while_no_relay_ran_is_found(world: World) -> None:
    async with world.relaying():
        first = await world.place("k1")
        await world.has(first)
    missed = [await world.place(f"m{number}") for number in range(3)]

    async with world.relaying():
        await world.has(*missed)


async def test_a_wiped_resume_token_loses_nothing(world: World) -> None:
    async with world.relaying():
        await world.has(await world.place("k1"))
    missed = await world.place("k2")
    await world.database.collection(TOKENS).delete_many({})

    async with world.relaying():
        await world.has(missed)


async def test_a_resume_token_that_means_nothing_ends_in_a_sweep(world: World) -> None:
    missed = await world.place("k1")
    await MongoOutbox(world.database).save_token({"_data": "820000000000000000"})

    async with world.relaying():
        await world.has(missed, await world.place("k2"))


async def test_a_broker_that_dies_and_comes_back_gets_everything_once(world: World, nats_server: Server) -> None:
    async with world.relaying():
        before = await world.place("k1")
        await world.has(before)
        await nats_server.kill()
        during = [await world.place(f"d{number}") for number in range(3)]
        await nats_server.start()
        await world.has(before, *during)
    assert sorted(await world.commands()) == sorted([before, *during])


async def test_a_command_whose_order_stays_pending_is_published_again_after_the_broker_lost_it(
    world: World, nats_server: Server
) -> None:
    async with world.relaying():
        key = await world.place("k1")
        await world.has(key)
        await world.bus._jetstream.delete_stream(ORDER_COMMANDS)
        await world.bus.ensure_streams()
        assert await world.commands() == []

        await world.has(key)
