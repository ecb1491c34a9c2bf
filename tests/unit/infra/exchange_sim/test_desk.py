"""Tests of infra/exchange_sim/desk.py."""

import asyncio
from collections.abc import Sequence

import pytest

from infra.exchange_sim.desk import Desk
from infra.exchange_sim.facts import AnyFact
from infra.exchange_sim.reports import Execution, Report, Status
from tests.unit.infra.exchange_sim.factories import SESSION, Floor


class Disk:
    """A disk that takes a write when it is told to."""

    def __init__(self) -> None:
        self.writes: list[list[AnyFact]] = []
        self.may_end = asyncio.Event()

    async def append(self, facts: Sequence[AnyFact]) -> None:
        self.writes.append(list(facts))
        await self.may_end.wait()


def a_status() -> Status:
    return Status(session=SESSION, cl_ord_id="key", order=None, time_us=0)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_nothing_is_told_before_it_is_on_disk_and_what_waits_shares_a_write() -> None:
    disk, told, floor = Disk(), list[Report](), Floor()
    desk = Desk(disk.append, told.append)
    running = asyncio.create_task(desk.run())
    try:
        desk.publish(floor.place("a"))
        await settle()
        desk.publish(floor.place("b"))
        desk.answer([a_status()])
        desk.publish(floor.place("c"))
        await settle()
        assert told == []
        assert len(disk.writes) == 1

        disk.may_end.set()
        await settle()
    finally:
        running.cancel()

    assert [len(write) for write in disk.writes] == [2, 4]
    assert [one.fact.cl_ord_id if isinstance(one, Execution) else "status" for one in told] == [
        "a", "a", "b", "b", "status", "c", "c",
    ]  # fmt: skip


async def test_a_failing_disk_ends_the_exchange() -> None:
    async def fail(facts: Sequence[AnyFact]) -> None:
        raise OSError("no space")

    told: list[Report] = []
    desk = Desk(fail, told.append)
    desk.publish(Floor().place())

    with pytest.raises(OSError, match="no space"):
        await desk.run()
    assert told == []
