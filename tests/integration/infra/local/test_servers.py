"""The servers that `make run` starts keep what the design asks of them."""

import asyncio
import os
from typing import Any

import nats
import redis.asyncio
from nats.js.api import RetentionPolicy, StreamConfig
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession

from tests.servers import Server


async def test_a_change_stream_shows_what_a_transaction_wrote(mongo_url: str, database_name: str) -> None:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongo_url)
    try:
        database = client[database_name]
        await database.create_collection("orders")
        outbox = await database.create_collection("outbox")
        async with await outbox.watch([{"$match": {"operationType": "insert"}}]) as changes:

            async def write(session: AsyncClientSession) -> None:
                await database["orders"].insert_one({"_id": 1}, session=session)
                await outbox.insert_one({"_id": 1}, session=session)

            async with client.start_session() as session:
                await session.with_transaction(write)
            async with asyncio.timeout(5):
                change = await changes.next()

        assert change["fullDocument"] == {"_id": 1}
        assert await database["orders"].count_documents({}) == 1
    finally:
        await client.close()


async def test_the_database_keeps_acknowledged_writes_when_it_is_killed(mongo_server: Server) -> None:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongo_server.url)
    try:
        orders = client["shop"]["orders"]
        await orders.insert_many([{"_id": number} for number in range(100)])

        await mongo_server.kill()
        await mongo_server.start()

        assert await orders.count_documents({}) == 100
    finally:
        await client.close()


async def test_the_broker_keeps_acknowledged_messages_and_their_ids_when_it_is_killed(nats_server: Server) -> None:
    client = await nats.connect(nats_server.url)
    try:
        jetstream = client.jetstream()
        await jetstream.add_stream(StreamConfig(name="KEPT", subjects=["kept"], retention=RetentionPolicy.LIMITS))
        first = await jetstream.publish("kept", b"1", headers={"Nats-Msg-Id": "a"})
    finally:
        await client.close()

    await nats_server.kill()
    await nats_server.start()

    client = await nats.connect(nats_server.url)
    try:
        again = await client.jetstream().publish("kept", b"1", headers={"Nats-Msg-Id": "a"})
    finally:
        await client.close()
    assert (first.seq, again.seq, again.duplicate) == (1, 1, True)


async def test_redis_refuses_to_forget_keys_and_keeps_them_over_a_restart(redis_server: Server) -> None:
    async with redis.asyncio.Redis.from_url(redis_server.url) as client:
        await client.set("key", "value")
        policy = await client.config_get("maxmemory-policy")
    await redis_server.stop()
    await redis_server.start()

    async with redis.asyncio.Redis.from_url(redis_server.url) as client:
        assert await client.get("key") == b"value"
    assert policy == {"maxmemory-policy": "noeviction"}


async def test_a_stopped_server_leaves_no_process(nats_server: Server) -> None:
    pid = nats_server.pid

    await nats_server.stop()

    assert not _alive(pid)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
