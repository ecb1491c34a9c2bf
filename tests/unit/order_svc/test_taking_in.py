"""order_svc/service.py: facts are folded together, and one order that cannot be changed stops no other."""

from collections.abc import Mapping

import pytest

from order_svc import risk
from order_svc.fact import Kind
from order_svc.order import Order, State
from order_svc.placement import Placements
from order_svc.service import Change, Orders
from runtime.errors import Contended
from tests.factories import a_fact, an_order, at
from tests.fakes import Clock, FakeFinished, FakeMarket, FakeOrderStore


class Store(FakeOrderStore):
    """Counts transactions; one order may be locked."""

    def __init__(self) -> None:
        super().__init__()
        self.locked = ""
        self.transactions = 0

    async def update(self, changes: Mapping[str, Change]) -> dict[str, Order]:
        self.transactions += 1
        if self.locked in changes:
            raise Contended("locked")
        return await super().update(changes)


def orders_on(store: Store) -> Orders:
    finished, market, limits, now = FakeFinished(), FakeMarket(), risk.Limits(), Clock()
    placements = Placements(store, finished, market, limits=limits, now=now, session_end=lambda then: at(7200))
    return Orders(store, placements, finished, market, limits=limits, now=now)


@pytest.fixture
async def store() -> Store:
    made = Store()
    await made.insert([an_order(client_order_id=f"k{number}") for number in range(3)], [])
    return made


async def test_facts_about_many_orders_share_a_transaction(store: Store) -> None:
    locked = await orders_on(store).take_in({key: [a_fact(Kind.PLACED)] for key in store.orders})

    assert (locked, store.transactions) == (set(), 1)
    assert {order.state for order in store.orders.values()} == {State.PLACED}


async def test_a_locked_order_is_named_and_its_neighbours_are_changed(store: Store) -> None:
    first, second, third = store.orders
    store.locked = second

    locked = await orders_on(store).take_in({key: [a_fact(Kind.PLACED)] for key in (first, second, third)})

    assert locked == {second}
    states = [store.orders[key].state for key in (first, second, third)]
    assert states == [State.PLACED, State.PENDING, State.PLACED]


async def test_a_locked_order_alone_is_an_error(store: Store) -> None:
    store.locked = next(iter(store.orders))

    with pytest.raises(Contended):
        await orders_on(store).take_in({store.locked: [a_fact(Kind.PLACED)]})
