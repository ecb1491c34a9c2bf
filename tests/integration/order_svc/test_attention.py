"""order_svc/attention.py: open orders without news are asked about, and no others."""

import pytest

from gen.trading.v1.exchange_pb2 import OrderCommand
from order_svc import attention
from order_svc.fact import Kind
from tests.eventually import eventually
from tests.factories import a_fact, a_fill
from tests.integration.order_svc.relaying import RelayWorld

IMPATIENT = {"waiting_seconds": 0.2, "resting_seconds": 600.0}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "TICK_SECONDS", 0.05)


async def questions(world: RelayWorld, order_id: str) -> list[OrderCommand]:
    return [one for one in await world.asked(order_id) if one.kind == OrderCommand.QUERY]


async def test_an_order_whose_submission_nobody_answered_is_asked_about(relay_world: RelayWorld) -> None:
    async with relay_world.relaying(**IMPATIENT):
        key = await relay_world.place("k1")
        await relay_world.fold(key, a_fact(Kind.SUBMITTED))

        asked = await eventually(lambda: questions(relay_world, key))

    assert asked[0].symbol == "AAPL"
    assert asked[0].command_id.startswith(f"{key}:query:")


async def test_what_was_open_before_the_relay_began_is_asked_about_too(relay_world: RelayWorld) -> None:
    async with relay_world.relaying():
        key = await relay_world.place("k1")
        await relay_world.fold(key, a_fact(Kind.SUBMITTED))
        await relay_world.has(key)

    async with relay_world.relaying(**IMPATIENT):
        await eventually(lambda: questions(relay_world, key))


async def test_a_fill_that_the_exchange_counts_and_we_do_not_know_makes_one_ask(relay_world: RelayWorld) -> None:
    async with relay_world.relaying(**IMPATIENT):
        missed, known = await relay_world.place("k1"), await relay_world.place("k2")
        await relay_world.fold(known, a_fact(Kind.PLACED, cumulative=4), a_fill("x1", 4))
        await relay_world.fold(missed, a_fact(Kind.PLACED, cumulative=4))

        await eventually(lambda: questions(relay_world, missed))

    assert await questions(relay_world, known) == []


async def test_orders_that_rest_or_have_ended_are_left_in_peace(relay_world: RelayWorld) -> None:
    async with relay_world.relaying(**IMPATIENT):
        resting, ended, waiting = [await relay_world.place(f"k{number}") for number in range(3)]
        await relay_world.fold(resting, a_fact(Kind.PLACED))
        await relay_world.fold(ended, a_fill("x1", 10))
        await relay_world.fold(waiting, a_fact(Kind.SUBMITTED))
        await eventually(lambda: questions(relay_world, waiting))

    assert await questions(relay_world, resting) == await questions(relay_world, ended) == []


async def test_an_undecided_cancel_that_the_broker_lost_is_published_again_under_its_own_id(
    relay_world: RelayWorld,
) -> None:
    async with relay_world.relaying(**IMPATIENT):
        key = await relay_world.place("k1")
        cancel = a_fact(Kind.CANCEL_REQUESTED, fact_id="c1", command_id="c1")
        await relay_world.fold(key, a_fact(Kind.PLACED), cancel)

        async def asked_again() -> bool:
            return "c1" in [one.command_id for one in await relay_world.asked(key)]

        await eventually(asked_again)
        await eventually(lambda: questions(relay_world, key))
    assert [one.command_id for one in await relay_world.asked(key)].count("c1") == 1
