"""Limits that replicas share, over a real Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from runtime.databases import open_redis
from runtime.quotas import Places, SharedRate
from tests.servers import Server


@asynccontextmanager
async def running(*parts: SharedRate | Places) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(part.run()) for part in parts]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_replicas_learn_within_a_moment_that_a_rate_is_used_up(redis_url: str) -> None:
    async with open_redis(redis_url) as redis:
        name, keys = uuid4().hex, ("busy", "calm")
        one, two = (SharedRate(redis, name, per_second=1) for _ in range(2))
        async with running(one, two):
            for replica in (one, two):
                for _ in range(6):
                    replica.note("busy")
                replica.note("calm")
            await asyncio.sleep(0.5)
            waits = [one.wait_seconds("busy"), two.wait_seconds("busy")]
            assert any(0 < wait <= 10 for wait in waits)
            one.note("busy")
            two.note("busy")
            await asyncio.sleep(0.5)
            assert all(0 < replica.wait_seconds("busy") <= 10 for replica in (one, two))
            assert not any(replica.wait_seconds(keys[1]) for replica in (one, two))


async def test_a_place_is_one_member_s_on_whatever_replica(redis_url: str) -> None:
    async with open_redis(redis_url) as redis:
        name = uuid4().hex
        one, two = (Places(redis, name, limit=2) for _ in range(2))
        async with running(one, two):
            assert await one.take("account", "a")
            assert await two.take("account", "b")
            assert await two.take("account", "b")
            assert not await one.take("account", "c")
            assert await one.take("other", "c")
            one.give_back("a")
            await asyncio.sleep(0.4)
            assert await two.take("account", "d")


async def test_many_take_places_in_a_few_calls(redis_url: str) -> None:
    async with open_redis(redis_url) as redis:
        places = Places(redis, uuid4().hex, limit=300)
        async with running(places):
            taken = await asyncio.gather(*(places.take("account", f"{number}") for number in range(500)))
        assert sum(taken) == 300


async def test_without_redis_nobody_waits_and_nobody_is_refused(redis_server: Server) -> None:
    async with open_redis(redis_server.url) as redis:
        places, rate = Places(redis, "sockets", limit=1), SharedRate(redis, "orders", per_second=1)
        async with running(places, rate):
            assert await places.take("account", "a")
            await redis_server.kill()
            async with asyncio.timeout(1):
                assert await places.take("account", "b")
                assert await places.take("account", "c")
            for _ in range(50):
                rate.note("account")
            await asyncio.sleep(0.5)
            assert not rate.wait_seconds("account")
