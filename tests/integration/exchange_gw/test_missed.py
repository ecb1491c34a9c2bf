"""Executions that the venue has and we have not heard of: they are found out, and never booked twice."""

from pathlib import Path

import pytest

from gen.trading.v1 import exchange_pb2
from tests.eventually import eventually
from tests.integration.exchange_gw.venue import World, a_command, a_moment, a_world, market
from tests.servers import Server

MISSED = {"fault": "drop_report", "share": 1.0, "on": ["fill"]}


@pytest.fixture
async def quick(tmp_path: Path, nats_server: Server, mongo_url: str, database_name: str):  # type: ignore[no-untyped-def]
    """A gateway that looks for missed executions all the time."""
    async with a_world(
        tmp_path,
        nats=nats_server,
        mongo=mongo_url,
        database=database_name,
        EXCHANGE_GW_LOOK_SECONDS="1",
        EXCHANGE_GW_COMPARE_SECONDS="1",
    ) as running:
        yield running


def fills(world: World, order_id: str) -> dict[str, int]:
    """Return the shares told of an order's executions."""
    told = [one for one in world.reports if one.order_id == order_id and one.exec_id]
    return {one.exec_id: one.last_quantity for one in told}


async def until_filled(world: World, order_id: str) -> None:
    """Wait until all ten shares have been told."""

    async def filled() -> bool:
        return sum(fills(world, order_id).values()) == 10

    await eventually(filled)


async def test_a_fill_that_was_never_reported_is_found_by_the_next_look(quick: World) -> None:
    heard, missed = market(), market()
    await quick.say(heard)
    await until_filled(quick, heard.order_id)
    quick.misbehave(MISSED)
    await a_moment()
    await quick.say(missed)
    await until_filled(quick, missed.order_id)

    by_exec_id = [one for one in quick.reports if one.order_id in (heard.order_id, missed.order_id) and one.exec_id]
    assert all(one.report_id == f"{one.order_id}:fill:{one.exec_id}" for one in by_exec_id)
    assert len({one.exec_id for one in by_exec_id}) == len(by_exec_id)
    assert not (await quick.admin.ListBreaks(exchange_pb2.ListBreaksRequest())).breaks


async def test_fills_while_the_gateway_was_dead_are_found_at_its_next_logon(world: World) -> None:
    world.misbehave(MISSED)
    await a_moment()
    command = market()
    await world.say(command)
    await world.until(command.order_id, "PLACED")
    assert fills(world, command.order_id) == {}

    await world.gateway.kill()
    await world.gateway.start()

    await until_filled(world, command.order_id)


async def test_a_question_about_an_order_finds_its_fills(world: World) -> None:
    world.misbehave(MISSED)
    await a_moment()
    command = market()
    await world.say(command)
    await world.until(command.order_id, "PLACED")

    await world.say(a_command("QUERY", command.order_id))

    await until_filled(world, command.order_id)
    assert not (await world.admin.ListBreaks(exchange_pb2.ListBreaksRequest())).breaks


async def test_an_operator_finds_what_was_missed(world: World) -> None:
    world.misbehave(MISSED)
    await a_moment()
    command = market()
    await world.say(command)
    await world.until(command.order_id, "PLACED")

    found = await world.admin.Reconcile(exchange_pb2.ReconcileRequest(reason="a test"))

    assert found.recovered >= 1
    await until_filled(world, command.order_id)


async def test_an_order_that_the_venue_denies_once_is_found_without_being_sent_again(world: World) -> None:
    world.misbehave({"fault": "drop_report", "share": 1.0, "most": 1}, {"fault": "unknown", "share": 1.0, "most": 2})
    await a_moment()
    command = a_command()
    await world.say(command)

    await world.until(command.order_id, "PLACED", within=20)

    assert world.ledger(command.order_id) == ["accepted"]


async def test_an_order_that_never_arrived_is_sent_in_a_session_of_its_own_proof(world: World) -> None:
    world.misbehave({"fault": "cut", "share": 1.0, "most": 1})
    await a_moment()
    command = a_command()
    await world.say(command)

    await world.until(command.order_id, "PLACED", within=20)

    assert world.ledger(command.order_id) == ["accepted"]
