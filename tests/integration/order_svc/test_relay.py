"""order_svc/relay.py with a real database and a real broker that die and come back."""

import asyncio
import os
import shutil
import signal
from typing import Any

import nats.errors
import pytest
from pymongo.errors import OperationFailure

from order_svc import event, flights
from order_svc.figures import Figures
from order_svc.outbox import TOKENS, MongoOutbox
from order_svc.relay import Relay
from order_svc.store import MongoOrderStore
from order_svc.updates import ToldUpdates
from order_svc.wire import message_of
from runtime.databases import Database
from runtime.leases import Lease
from runtime.receipts import open_receipts
from runtime.subjects import ORDER_COMMANDS
from tests.eventually import eventually
from tests.factories import an_order
from tests.integration.order_svc.relaying import TTL, RelayWorld
from tests.servers import Server


async def test_what_is_committed_is_on_the_bus_and_the_outbox_is_empty_once_it_had_effect(
    relay_world: RelayWorld,
) -> None:
    async with relay_world.relaying():
        key = await relay_world.place("k1")
        await relay_world.has(key)
        await relay_world.had_effect(key)

        async def empty() -> bool:
            return await relay_world.unsettled() == 0

        await eventually(empty, within=2)
    assert await relay_world.commands() == [key]


async def test_what_was_committed_while_no_relay_ran_is_found(relay_world: RelayWorld) -> None:
    async with relay_world.relaying():
        first = await relay_world.place("k1")
        await relay_world.has(first)
    missed = [await relay_world.place(f"m{number}") for number in range(3)]

    async with relay_world.relaying():
        await relay_world.has(*missed)


async def test_a_wiped_resume_token_loses_nothing(relay_world: RelayWorld) -> None:
    async with relay_world.relaying():
        await relay_world.has(await relay_world.place("k1"))
    missed = await relay_world.place("k2")
    await relay_world.database.collection(TOKENS).delete_many({})

    async with relay_world.relaying():
        await relay_world.has(missed)


async def test_a_resume_token_that_means_nothing_ends_in_a_sweep(relay_world: RelayWorld) -> None:
    missed = await relay_world.place("k1")
    token = {"_id": "relay", "epoch": 1, "token": {"_data": "820000000000000000"}}
    await relay_world.database.collection(TOKENS).insert_one(token)

    async with relay_world.relaying():
        await relay_world.has(missed, await relay_world.place("k2"))


async def test_a_broker_that_dies_and_comes_back_gets_everything_once(
    relay_world: RelayWorld, nats_server: Server
) -> None:
    async with relay_world.relaying():
        before = await relay_world.place("k1")
        await relay_world.has(before)
        await nats_server.kill()
        during = [await relay_world.place(f"d{number}") for number in range(3)]
        await nats_server.start()
        await relay_world.has(before, *during)
    assert sorted(await relay_world.commands()) == sorted([before, *during])


async def test_a_command_whose_order_stays_pending_is_published_again_after_the_broker_lost_it(
    relay_world: RelayWorld, nats_server: Server
) -> None:
    async with relay_world.relaying():
        key = await relay_world.place("k1")
        await relay_world.has(key)
        await relay_world.bus._jetstream.delete_stream(ORDER_COMMANDS)
        await relay_world.bus.ensure_streams()
        assert await relay_world.commands() == []

        await relay_world.has(key)


async def test_a_token_that_is_wiped_under_a_running_relay_is_noticed_and_nothing_is_lost(
    relay_world: RelayWorld,
) -> None:
    async with relay_world.relaying():
        await relay_world.has(await relay_world.place("k1"))
        await relay_world.database.collection(TOKENS).delete_many({})
        keys = [await relay_world.place(f"m{number}") for number in range(3)]
        await relay_world.has(*keys)

        async def saved_again() -> bool:
            found = await relay_world.database.collection(TOKENS).find_one({})
            return bool(found and found.get("token"))

        await eventually(saved_again)


async def test_commands_whose_orders_had_their_effect_while_no_relay_ran_are_settled_and_told_once(
    relay_world: RelayWorld,
) -> None:
    async with relay_world.relaying():
        key = await relay_world.place("k1")
        await relay_world.has(key)
    await relay_world.had_effect(key)

    async with relay_world.relaying():

        async def empty() -> bool:
            return await relay_world.unsettled() == 0

        await eventually(empty, within=20)
    assert await relay_world.commands() == [key]
    assert await relay_world.updates("demo") == [f"{key}:1", f"{key}:2"]


async def test_the_time_from_commit_to_receipt_is_measured_for_every_order(relay_world: RelayWorld) -> None:
    async with open_receipts(relay_world.bus) as receipts:
        figures = Figures(relay_world.registry)
        relay_world.store = MongoOrderStore(relay_world.database, message_of, figures.committed)
        lease = Lease(relay_world.bus, "relay.measured", ttl_seconds=TTL)
        task = asyncio.create_task(
            Relay(
                MongoOutbox(relay_world.database), receipts, ToldUpdates(relay_world.bus), lease, figures=figures
            ).run()
        )
        try:
            orders = [an_order(client_order_id=f"g{number}") for number in range(5)]
            await relay_world.store.insert(orders, [event.submit(order) for order in orders])
            await relay_world.place("k1")

            async def all_measured() -> bool:
                return relay_world.measured("order_commit_to_receipt_seconds_count") == 6

            await eventually(all_measured)
            assert relay_world.measured("relay_lease_held") == 1
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_standby_takes_over_from_a_relay_that_was_killed(relay_world: RelayWorld) -> None:
    async with relay_world.relaying_elsewhere() as elsewhere:
        await relay_world.has(await relay_world.place("k1"))
        async with relay_world.relaying():
            elsewhere.kill()
            await elsewhere.wait()
            await relay_world.has(await relay_world.place("k2"))


async def test_of_two_relays_one_frozen_amid_its_work_and_woken_again_nothing_is_lost_doubled_or_out_of_order(
    relay_world: RelayWorld,
) -> None:
    accounts = ["ann", "bob"]
    told: dict[str, list[str]] = {account: [] for account in accounts}

    async def place_many(start: int, count: int) -> None:
        for number in range(start, start + count):
            account = accounts[number % 2]
            key = await relay_world.place(f"k{number}", account)
            told[account] += [f"{key}:1", f"{key}:2"]
            await relay_world.had_effect(key)

    async with relay_world.relaying_elsewhere() as elsewhere:
        await place_many(0, 1)
        await relay_world.has(*(key.partition(":")[0] for key in told["ann"]))
        async with relay_world.relaying():
            for start in range(1, 4):
                placing = asyncio.create_task(place_many(start * 100, 30))
                await asyncio.sleep(0.15)
                os.kill(elsewhere.pid, signal.SIGSTOP)
                await placing
                await place_many(start * 100 + 50, 10)

                async def there() -> bool:
                    return [await relay_world.updates(account) for account in accounts] == list(told.values())

                await eventually(there, within=TTL + 5)
                os.kill(elsewhere.pid, signal.SIGCONT)
            await place_many(900, 10)
            await eventually(there)
    commands = await relay_world.commands()
    assert sorted(commands) == sorted(key.partition(":")[0] for keys in told.values() for key in keys[::2])


async def test_a_broker_that_lost_everything_gets_what_is_not_settled_and_goes_on(
    relay_world: RelayWorld, nats_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flights, "REPEAT_AFTER_SECONDS", 0.5)
    async with relay_world.relaying():
        await relay_world.has(key := await relay_world.place("k1"))
        await nats_server.kill()
        shutil.rmtree(nats_server.part.environment["NATS_STORE"].strip('"'))
        during = await relay_world.place("d1")
        await nats_server.start()

        async def streams_again() -> bool:
            try:
                await relay_world.bus.ensure_streams()
            except nats.errors.Error:
                return False
            return True

        await eventually(streams_again)
        await relay_world.has(key, during, await relay_world.place("k2"))
        assert await eventually(lambda: relay_world.updates("demo"))


async def test_history_that_the_database_has_forgotten_ends_in_a_sweep(
    relay_world: RelayWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = iter([286])
    watch = Database.watch

    async def forgetful(self: Database, *args: Any, **options: Any) -> Any:
        """Refuse the first resume as a server does whose oplog has rolled over."""
        if options.get("resume_after") and next(lost, None):
            raise OperationFailure("Resume of change stream was not possible", 286)
        return await watch(self, *args, **options)

    async with relay_world.relaying():
        await relay_world.has(await relay_world.place("k1"))

        async def saved() -> bool:
            found = await relay_world.database.collection(TOKENS).find_one({})
            return bool(found and found.get("token"))

        await eventually(saved)
    missed = await relay_world.place("k2")
    monkeypatch.setattr(Database, "watch", forgetful)

    async with relay_world.relaying():
        await relay_world.has(missed)
    assert next(lost, None) is None
