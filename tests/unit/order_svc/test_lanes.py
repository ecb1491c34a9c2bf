"""order_svc/lanes.py against a broker of this file that keeps sequences as nats-server does."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

import pytest

from order_svc.event import Message, News
from order_svc.lanes import Lanes
from order_svc.order import State
from order_svc.standing import Standing
from runtime.crews import Crew
from runtime.jetstream import BusUnavailable
from runtime.leases import LeaseLost
from runtime.receipts import Receipt, WrongLastSequence
from tests.eventually import eventually


class Broker:
    """Stores messages with sequences; a message fails as often as it is told to."""

    def __init__(self) -> None:
        self.stored: list[tuple[str, str]] = []
        self.failures: dict[str, int] = {}
        self.posts = 0

    async def post(
        self,
        subject: str,
        payload: bytes,
        *,
        event_id: str,
        headers: Mapping[str, str] | None = None,
        expected_last: int | None = None,
    ) -> "asyncio.Future[Receipt]":
        self.posts += 1
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        last = max((at for at, (where, _) in enumerate(self.stored, 1) if where == subject), default=0)
        outcome: Receipt | Exception
        if self.failures.get(event_id, 0):
            self.failures[event_id] -= 1
            outcome = BusUnavailable("no receipt")
        elif expected_last is not None and expected_last != last:
            outcome = WrongLastSequence(last)
        elif (subject, event_id) in self.stored:
            outcome = Receipt(self.stored.index((subject, event_id)) + 1, duplicate=True)
        else:
            self.stored.append((subject, event_id))
            outcome = Receipt(len(self.stored), duplicate=False)
        asyncio.get_running_loop().call_soon(_settle, future, outcome)
        return future


def _settle(future: "asyncio.Future[Receipt]", outcome: Receipt | Exception) -> None:
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


class Lease:
    """A lease that is held until it is not."""

    held = True

    def require(self) -> None:
        if not self.held:
            raise LeaseLost("gone")


class World:
    """Lanes and what they did."""

    def __init__(self, crew: Crew) -> None:
        self.crew, self.broker, self.lease = crew, Broker(), Lease()
        self.landed: list[str] = []
        self.tasks = 0
        self.lanes = Lanes(self.broker, self.lease, self._spawn)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks += 1
        self.crew.spawn(work)

    async def send(self, message: Message) -> None:
        await self.lanes.send(message, lambda done: self.landed.append(done.event_id))

    async def until_landed(self, count: int) -> None:
        async def all_landed() -> bool:
            return len(self.landed) >= count

        await eventually(all_landed, every=0.001)


def an_update(event_id: str, account: str = "demo") -> Message:
    return Message(event_id, f"orders.updates.{account}", b"", {}, news=News("o", State.PLACED, Standing.RESTING))


def a_command(event_id: str) -> Message:
    return Message(event_id, "orders.commands.0.demo", b"", {}, pending_order="o")


async def test_messages_that_wait_for_nothing_cost_one_post_and_no_task() -> None:
    async with Crew() as crew:
        world = World(crew)
        await world.send(a_command("c1"))
        await world.send(an_update("u1", "ann"))
        await world.send(an_update("u2", "bob"))
        await world.until_landed(3)

    assert (world.broker.posts, world.tasks) == (3, 0)


async def test_updates_of_one_account_keep_their_order_when_the_first_fails_for_a_while() -> None:
    async with Crew() as crew:
        world = World(crew)
        world.broker.failures["u1"] = 3
        for number in range(1, 6):
            await world.send(an_update(f"u{number}"))
        await world.until_landed(5)

    assert [event_id for _, event_id in world.broker.stored] == ["u1", "u2", "u3", "u4", "u5"]
    assert world.landed == ["u1", "u2", "u3", "u4", "u5"]


async def test_a_command_that_fails_holds_up_no_other() -> None:
    async with Crew() as crew:
        world = World(crew)
        world.broker.failures["c1"] = 2
        await world.send(a_command("c1"))
        await world.send(a_command("c2"))
        await world.until_landed(2)

    assert world.landed == ["c2", "c1"]


async def test_the_last_sequence_of_an_account_is_learnt_from_one_refusal() -> None:
    async with Crew() as crew:
        world = World(crew)
        world.broker.stored = [("orders.updates.demo", "before")]
        await world.send(an_update("u1"))
        await world.until_landed(1)
        await world.send(an_update("u2"))
        await world.until_landed(2)

    assert [event_id for _, event_id in world.broker.stored] == ["before", "u1", "u2"]
    assert world.broker.posts == 3


async def test_what_the_relay_before_has_stored_is_not_stored_again() -> None:
    async with Crew() as crew:
        world = World(crew)
        world.broker.stored = [("orders.updates.demo", "u1"), ("orders.updates.demo", "u2")]
        for number in range(1, 4):
            await world.send(an_update(f"u{number}"))
        await world.until_landed(3)

    assert [event_id for _, event_id in world.broker.stored] == ["u1", "u2", "u3"]


async def test_a_relay_whose_lease_is_over_sends_nothing() -> None:
    async with Crew() as crew:
        world = World(crew)
        world.lease.held = False
        with pytest.raises(LeaseLost):
            await world.send(an_update("u1"))

    assert world.broker.posts == 0


async def test_a_relay_that_is_refused_after_its_lease_ended_steps_down_instead_of_trying_again() -> None:
    async with Crew() as crew:
        world = World(crew)
        world.broker.stored = [("orders.updates.demo", "successor's")]
        await world.send(an_update("u1"))
        world.lease.held = False
        with pytest.raises(LeaseLost):
            await crew.first_failure()

    assert world.broker.stored == [("orders.updates.demo", "successor's")]
