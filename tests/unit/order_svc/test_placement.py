"""order_svc/placement.py: the key first, then the checks, and many callers in one transaction."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from order_svc import risk
from order_svc.event import Event
from order_svc.order import Order, TimeInForce
from order_svc.placement import IdempotencyMismatch, Placements, SubmitByPassed
from runtime.databases import DatabaseUnavailable
from runtime.errors import Contended
from tests.factories import NOON, a_wish, an_order, at
from tests.fakes import Clock, FakeFinished, FakeMarket, FakeOrderStore


class CountingStore(FakeOrderStore):
    """Counts transactions, may lose a race, and may be dead."""

    def __init__(self) -> None:
        super().__init__()
        self.transactions = 0
        self.raced: dict[str, Order] = {}
        self.locked = ""
        self.dead = False

    async def insert(self, orders: Sequence[Order], events: Sequence[Event]) -> dict[str, Order]:
        self.transactions += 1
        if self.dead:
            raise DatabaseUnavailable("gone")
        if any(order.order_id == self.locked for order in orders):
            raise Contended("locked")
        self.orders |= self.raced
        return await super().insert(orders, events)


class World:
    def __init__(self) -> None:
        self.store, self.finished, self.market = CountingStore(), FakeFinished(), FakeMarket()
        self.placements = Placements(
            self.store,
            self.finished,
            self.market,
            limits=risk.Limits(),
            now=Clock(),
            session_end=lambda now: at(7200),
        )


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    loop = asyncio.create_task(made.placements.run())
    yield made
    loop.cancel()


async def test_callers_at_once_share_transactions(world: World) -> None:
    placed = await asyncio.gather(*(world.placements.place(a_wish(client_order_id=f"k{n}")) for n in range(100)))

    assert len({one.order.order_id for one in placed}) == 100
    assert world.store.transactions <= 2


async def test_every_order_brings_its_command_and_its_news(world: World) -> None:
    placed = await world.placements.place(a_wish())

    assert [type(event).__name__ for event in world.store.said] == ["Command", "Changed"]
    assert {event.order.order_id for event in world.store.said} == {placed.order.order_id}


async def test_one_key_twice_in_one_batch_is_one_order(world: World) -> None:
    first, second = await asyncio.gather(world.placements.place(a_wish()), world.placements.place(a_wish()))

    assert (first.replayed, second.replayed) == (False, True)
    assert first.order == second.order


async def test_one_key_with_two_bodies_in_one_batch_is_one_order_and_one_error(world: World) -> None:
    first, second = await asyncio.gather(
        world.placements.place(a_wish()), world.placements.place(a_wish(quantity=11)), return_exceptions=True
    )

    assert not isinstance(first, BaseException)
    assert isinstance(second, IdempotencyMismatch)


async def test_the_loser_of_a_race_gets_the_winners_order(world: World) -> None:
    winner = an_order()
    world.store.raced = {winner.order_id: winner}

    lost, other = await asyncio.gather(
        world.placements.place(a_wish()), world.placements.place(a_wish(client_order_id="k2"))
    )

    assert lost.replayed
    assert lost.order == winner
    assert not other.replayed


async def test_the_key_is_looked_at_before_any_check(world: World) -> None:
    await world.placements.place(a_wish())
    world.market.market = risk.Market(None, 0, venue_open=False, symbol_halted=True)

    assert (await world.placements.place(a_wish())).replayed


async def test_a_remembered_order_is_answered_without_the_database(world: World) -> None:
    order = an_order()
    world.finished.orders[order.order_id] = order

    assert (await world.placements.place(a_wish())).order == order
    assert world.store.transactions == 0


async def test_a_refusal_leaves_its_neighbours_alone(world: World) -> None:
    answers = await asyncio.gather(
        *(world.placements.place(a_wish(client_order_id=f"k{n}", quantity=10**n)) for n in range(7)),
        return_exceptions=True,
    )

    refusals = [type(answer) for answer in answers if isinstance(answer, Exception)]
    assert refusals == [risk.NotionalTooLarge, risk.QuantityTooLarge]
    assert len(world.store.orders) == 5


async def test_a_dead_database_is_told_to_every_caller_and_the_next_one_is_served(world: World) -> None:
    world.store.dead = True
    answers = await asyncio.gather(
        *(world.placements.place(a_wish(client_order_id=f"k{n}")) for n in range(3)), return_exceptions=True
    )
    assert {type(answer) for answer in answers} == {DatabaseUnavailable}

    world.store.dead = False
    assert not (await world.placements.place(a_wish())).replayed


async def test_a_locked_order_fails_alone_and_its_neighbours_are_stored(world: World) -> None:
    wishes = [a_wish(client_order_id=f"k{n}") for n in range(3)]
    world.store.locked = wishes[1].order_id

    answers = await asyncio.gather(*(world.placements.place(wish) for wish in wishes), return_exceptions=True)

    assert isinstance(answers[1], Contended)
    assert set(world.store.orders) == {wishes[0].order_id, wishes[2].order_id}


async def test_submit_by_has_the_default_of_its_kind_of_order(world: World) -> None:
    day = await world.placements.place(a_wish(submit_by=None))
    quick = await world.placements.place(a_wish(client_order_id="k2", submit_by=None, time_in_force=TimeInForce.IOC))

    assert day.order.terms.submit_by == at(7200)
    assert quick.order.terms.submit_by == at(30)


async def test_a_submit_by_in_the_past_is_refused(world: World) -> None:
    with pytest.raises(SubmitByPassed):
        await world.placements.place(a_wish(submit_by=NOON))
