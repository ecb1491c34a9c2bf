"""runtime/leases.py on a real broker that dies, comes back, and forgets."""

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runtime.jetstream import Bus, open_bus
from runtime.leases import Lease, LeaseLost
from runtime.process import Tasks
from tests import servers
from tests.eventually import eventually
from tests.servers import Server

TTL = 1.5


@asynccontextmanager
async def a_bus(url: str) -> AsyncIterator[Bus]:
    async with asyncio.TaskGroup() as group:
        tasks = Tasks(group)
        async with open_bus(url, name="test", tasks=tasks) as bus:
            yield bus
            await tasks.stop()


class Replica:
    """Somebody who would like to act, and what it did."""

    def __init__(self, bus: Bus) -> None:
        self.lease = Lease(bus, "test.lease", ttl_seconds=TTL)
        self.reigns = 0
        self.acting = False
        self.task = asyncio.create_task(self.lease.rule(self._reign))

    async def _reign(self) -> None:
        self.reigns += 1
        self.acting = True
        try:
            await asyncio.Event().wait()
        finally:
            self.acting = False

    async def acts(self) -> bool:
        return self.acting and self.lease.held

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def bus(nats_server: Server) -> AsyncIterator[Bus]:
    async with a_bus(nats_server.url) as bus:
        yield bus


@pytest.fixture
async def other_bus(nats_server: Server) -> AsyncIterator[Bus]:
    async with a_bus(nats_server.url) as bus:
        yield bus


async def test_one_of_two_acts_for_longer_than_a_lease_and_the_other_takes_over_at_once_when_it_stops(
    bus: Bus, other_bus: Bus
) -> None:
    first = Replica(bus)
    await eventually(first.acts)
    second = Replica(other_bus)
    try:
        until = time.monotonic() + 1.5 * TTL
        while time.monotonic() < until:
            assert await first.acts()
            assert not second.lease.held
            await asyncio.sleep(0.02)

        await first.stop()
        stopped = time.monotonic()
        await eventually(second.acts)
        assert time.monotonic() - stopped < TTL / 3
        assert not first.lease.held
    finally:
        await first.stop()
        await second.stop()


async def test_what_the_reign_raises_comes_out_but_for_the_loss_of_the_lease(bus: Bus) -> None:
    reigns = 0

    async def reign() -> None:
        nonlocal reigns
        reigns += 1
        if reigns == 1:
            raise LeaseLost("found out by itself")
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await Lease(bus, "test.lease", ttl_seconds=TTL).rule(reign)
    assert reigns == 2


async def test_a_broker_that_is_killed_and_comes_back_in_time_costs_no_reign(bus: Bus, nats_server: Server) -> None:
    replica = Replica(bus)
    try:
        await eventually(replica.acts)
        await nats_server.kill()
        await nats_server.start()
        await asyncio.sleep(2 * TTL)
        assert await eventually(replica.acts)
        assert replica.reigns == 1
    finally:
        await replica.stop()


async def test_without_a_broker_the_holder_stops_by_its_own_clock(bus: Bus, nats_server: Server) -> None:
    replica = Replica(bus)
    try:
        await eventually(replica.acts)
        await nats_server.kill()

        async def stopped() -> bool:
            return not replica.acting and not replica.lease.held

        await eventually(stopped, within=TTL + 0.5)
        await nats_server.start()
        await eventually(replica.acts)
    finally:
        await replica.stop()


async def test_after_a_broker_lost_everything_two_never_act_at_once_and_one_does(
    tmp_path: Path,
) -> None:
    server = servers.a_nats_server(tmp_path)
    async with servers.running(server), a_bus(server.url) as bus, a_bus(server.url) as other_bus:
        first = Replica(bus)
        await eventually(first.acts)
        second = Replica(other_bus)
        try:
            await asyncio.sleep(0.6)
            await server.kill()
            shutil.rmtree(tmp_path / "nats")
            (tmp_path / "nats").mkdir()
            await server.start()
            until = time.monotonic() + 3 * TTL
            while time.monotonic() < until:
                assert not (first.lease.held and second.lease.held)
                await asyncio.sleep(0.005)

            async def one() -> bool:
                return await first.acts() or await second.acts()

            await eventually(one)
        finally:
            await first.stop()
            await second.stop()


FROZEN = """
import asyncio, sys, time
from runtime.jetstream import open_bus
from runtime.leases import Lease
from runtime.process import Tasks

async def main():
    async with asyncio.TaskGroup() as group:
        tasks = Tasks(group)
        async with open_bus(sys.argv[1], name="frozen", tasks=tasks) as bus:
            lease = Lease(bus, "test.lease", ttl_seconds=float(sys.argv[2]))
            async def reign():
                print("acting", flush=True)
                try:
                    last = time.monotonic()
                    while time.monotonic() - last < 1.0:
                        last = time.monotonic()
                        await asyncio.sleep(0.001)
                finally:
                    # The first thing that it would do after having been frozen, if it is not told before that its time is over.
                    print("held" if lease.held else "over", flush=True)
            tasks.spawn(lease.rule(reign), name="lease")
            await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_holder_that_was_frozen_for_longer_than_the_lease_knows_at_once_that_it_is_over(
    bus: Bus, nats_server: Server
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FROZEN, nats_server.url, str(TTL), stdout=asyncio.subprocess.PIPE, cwd=Path.cwd()
    )
    assert process.stdout is not None
    replica = None

    async def says(word: str) -> None:
        # The log goes the same way.
        async with asyncio.timeout(20):
            while (await process.stdout.readline()).decode().strip() != word:  # type: ignore[union-attr]
                pass

    try:
        await says("acting")
        replica = Replica(bus)
        os.kill(process.pid, signal.SIGSTOP)
        frozen = time.monotonic()
        await eventually(replica.acts, within=TTL + 1)
        assert time.monotonic() - frozen < TTL + 1
        os.kill(process.pid, signal.SIGCONT)
        await says("over")
        assert await replica.acts()
    finally:
        process.kill()
        await process.wait()
        if replica is not None:
            await replica.stop()
