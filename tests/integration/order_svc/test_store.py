"""One suite over every order store: both MongoDB drivers, and the fake that unit tests believe in."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

import pytest

from order_svc import event
from order_svc.documents import document_of, order_from
from order_svc.event import Event
from order_svc.fact import Kind
from order_svc.order import Order, State
from order_svc.placement import NewOrders
from order_svc.service import Change, OrderFilter, OrderStore
from order_svc.store import InvalidPageToken, MongoOrderStore
from order_svc.wire import message_of
from runtime.databases import Driver, Session, open_mongo
from runtime.errors import Contended
from tests.counting import COMMANDS
from tests.factories import NOON, a_fact, a_fill, an_order, at
from tests.fakes import FakeOrderStore


class Store(NewOrders, OrderStore, Protocol):
    """All that orders need of a store."""


@pytest.fixture(params=["fake", "motor", "pymongo"])
async def store(request: pytest.FixtureRequest, mongo_url: str, database_name: str) -> AsyncIterator[Store]:
    if request.param == "fake":
        yield FakeOrderStore()
        return
    driver: Driver = request.param
    async with open_mongo(mongo_url, database=database_name, driver=driver) as database:
        mongo = MongoOrderStore(database, message_of)
        await mongo.ensure_indexes()
        yield mongo


def created(orders: Sequence[Order]) -> list[Event]:
    return [event.created(order) for order in orders]


def folded(*facts: Kind) -> Change:
    def change(order: Order) -> tuple[Order, Sequence[Event]]:
        after = order.with_facts([a_fact(kind) for kind in facts], now=at(5))
        return after, () if after is order else (event.change_between(order, after),)

    return change


async def test_what_was_stored_is_found_again_whole(store: Store) -> None:
    order = an_order(facts=[a_fact(Kind.PLACED, exchange_order_id="E1"), a_fill("x1", 4)])

    assert await store.insert([order], created([order])) == {}

    assert await store.find([order.order_id, "unknown"]) == {order.order_id: order}
    assert await store.get("demo", order.order_id) == order


async def test_an_order_is_nobodys_but_its_accounts(store: Store) -> None:
    order = an_order()
    await store.insert([order], created([order]))

    assert await store.get("eve", order.order_id) is None
    assert await store.page("eve", OrderFilter(), size=10, token="") == ([], "")


async def test_a_key_that_exists_keeps_its_order_and_the_rest_is_stored(store: Store) -> None:
    first, other = an_order(), an_order(client_order_id="k2")
    await store.insert([first], created([first]))
    loser = replace(first, fingerprint="another")

    assert await store.insert([loser, other], created([loser, other])) == {first.order_id: first}

    assert set(await store.find([first.order_id, other.order_id])) == {first.order_id, other.order_id}


async def test_many_writers_of_one_key_leave_one_order(store: Store) -> None:
    orders = [replace(an_order(), fingerprint=f"f{number}") for number in range(8)]

    lost = await asyncio.gather(*(store.insert([order], created([order])) for order in orders))

    assert sum(not one for one in lost) == 1
    kept = (await store.find([orders[0].order_id]))[orders[0].order_id]
    assert {one[kept.order_id] for one in lost if one} == {kept}


async def test_a_change_is_stored_with_the_next_revision_and_no_change_is_not(store: Store) -> None:
    order = an_order()
    await store.insert([order], created([order]))

    changed = await store.update({order.order_id: folded(Kind.PLACED), "unknown": folded(Kind.PLACED)})
    assert list(changed) == [order.order_id]
    assert (await store.find([order.order_id]))[order.order_id].revision == 2

    assert await store.update({order.order_id: folded(Kind.PLACED)}) == {}
    assert (await store.find([order.order_id]))[order.order_id].revision == 2


async def test_changes_at_once_are_all_kept(store: Store) -> None:
    order = an_order()
    await store.insert([order], created([order]))
    kinds = [Kind.SUBMITTED, Kind.PLACED, Kind.CANCEL_REQUESTED, Kind.CANCELED]

    await asyncio.gather(*(store.update({order.order_id: folded(kind)}) for kind in kinds))

    kept = (await store.find([order.order_id]))[order.order_id]
    assert {fact.kind for fact in kept.facts} == set(kinds)
    assert (kept.revision, kept.state) == (5, State.CANCELED)


async def test_an_error_in_a_change_leaves_everything_as_it_was(store: Store) -> None:
    orders = [an_order(), an_order(client_order_id="k2")]
    await store.insert(orders, created(orders))

    def broken(order: Order) -> tuple[Order, Sequence[Event]]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store.update({orders[0].order_id: folded(Kind.PLACED), orders[1].order_id: broken})

    assert all(order.revision == 1 for order in (await store.find([order.order_id for order in orders])).values())


async def test_lists_filter_and_page(store: Store) -> None:
    orders = [
        replace(an_order(client_order_id=f"k{number}", symbol="AAPL" if number % 2 else "MSFT"), create_time=at(number))
        for number in range(6)
    ]
    orders[1] = orders[1].with_facts([a_fact(Kind.CANCELED)], now=NOON)
    await store.insert(orders, created(orders))

    async def keys(wanted: OrderFilter, token: str = "") -> tuple[list[str], str]:
        page, after = await store.page("demo", wanted, size=2, token=token)
        return [order.client_order_id for order in page], after

    first, token = await keys(OrderFilter())
    assert (first, bool(token)) == (["k5", "k4"], True)
    assert (await keys(OrderFilter(), token))[0] == ["k3", "k2"]
    assert await keys(OrderFilter(states=frozenset({State.CANCELED}))) == (["k1"], "")
    assert (await keys(OrderFilter(symbol="MSFT")))[0] == ["k4", "k2"]
    recent = await store.page("demo", OrderFilter(changed_since=NOON + timedelta(days=1)), size=10, token="")
    assert "k1" not in {order.client_order_id for order in recent[0]}


async def test_a_made_up_page_token_is_refused(store: Store) -> None:
    with pytest.raises(InvalidPageToken):
        await store.page("demo", OrderFilter(), size=2, token="nonsense!")


def test_a_document_gives_back_the_order_it_was_made_of() -> None:
    order = an_order(facts=[a_fill("x1", 3), a_fact(Kind.REJECTED)])

    assert order_from(document_of(order)) == order


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_an_order_locked_by_a_dead_transaction_is_told_at_once(
    mongo_url: str, database_name: str, driver: Driver
) -> None:
    async with open_mongo(mongo_url, database=database_name, driver=driver) as database:
        mongo = MongoOrderStore(database, message_of)
        await mongo.ensure_indexes()
        order, orders = an_order(), database.collection("orders")

        async def hold(session: Session) -> None:
            await orders.insert_one(document_of(order), session=session)
            began = time.monotonic()
            with pytest.raises(Contended):
                await mongo.insert([order], created([order]))
            assert time.monotonic() - began < 2.0

        await database.transaction(hold)
        assert await mongo.find([order.order_id]) == {order.order_id: order}


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_many_orders_cost_as_many_operations_as_one(mongo_url: str, database_name: str, driver: Driver) -> None:
    async with open_mongo(mongo_url, database=database_name, driver=driver) as database:
        mongo = MongoOrderStore(database, message_of)
        await mongo.ensure_indexes()
        for count in (1, 50):
            orders = [an_order(client_order_id=f"{count}-{number}") for number in range(count)]
            COMMANDS.of(database_name)

            await mongo.insert(orders, created(orders))
            assert COMMANDS.of(database_name) == ["insert orders", "insert outbox", "commitTransaction"]

            changed = await mongo.update({order.order_id: folded(Kind.PLACED) for order in orders})
            assert len(changed) == count
            assert COMMANDS.of(database_name) == [
                *("find orders", "delete orders", "insert orders", "insert outbox"),
                "commitTransaction",
            ]
