"""A question about an order compares what the venue counts with what it names."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from exchange_gw.command import Asks
from exchange_gw.exchange import ExecType, OrdStatus
from exchange_gw.report import Kind
from tests.unit.exchange_gw.factories import World, a_command, a_status, a_trade, an_execution
from tests.unit.exchange_gw.test_service import running


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    async with running(made):
        await made.log_on()
        await made.take(a_command())
        await made.lane.hear([an_execution()])
        yield made


async def query(world: World, *counts: int) -> None:
    """Ask about the order; the venue counts so many shares each time it is asked."""
    await world.take(a_command(Asks.QUERY))
    for count in counts:
        await asyncio.sleep(0.01)
        status = OrdStatus.PARTIALLY_FILLED if count else OrdStatus.NEW
        await world.lane.hear([a_status(status, cumulative_quantity=count, request_id=world.session.checked[-1])])
    await asyncio.sleep(0.01)


async def test_fills_that_were_missed_are_told(world: World) -> None:
    world.session.trades = [a_trade("E1"), a_trade("E2", shares=3)]

    await query(world, 7)

    assert [report.exec_id for report in world.reports.told if report.kind is Kind.FILL] == ["E1", "E2"]
    assert world.journal.breaks == {}


async def test_who_asks_is_told_again_what_was_told_before(world: World) -> None:
    await world.lane.hear([an_execution(ExecType.FILL, exec_id="E1", last_quantity=4)])
    world.session.trades = [a_trade("E1")]

    await query(world, 4)

    first, again = [one for one in world.reports.told if one.kind is Kind.FILL]
    assert first.report_id == again.report_id
    assert (first.is_answer, again.is_answer) == (False, True)


async def test_busts_and_corrections_count(world: World) -> None:
    world.session.trades = [
        a_trade("E1"),
        a_trade("E2", exec_type=ExecType.CORRECTION, exec_ref_id="E1", shares=5),
        a_trade("E3", shares=2),
        a_trade("E4", exec_type=ExecType.BUST, exec_ref_id="E3", shares=2),
    ]

    await query(world, 5)

    assert world.journal.breaks == {}


async def test_an_order_that_fills_meanwhile_is_asked_about_again(world: World) -> None:
    world.session.trades = [a_trade("E1")]

    await query(world, 8, 4)

    assert len(world.session.checked) == 2
    assert world.journal.breaks == {}


async def test_a_count_that_does_not_fit_the_executions_is_a_break_once(world: World) -> None:
    world.session.trades = [a_trade("E1")]

    for _ in range(2):
        await query(world, 7, 7, 7)

    assert list(world.journal.breaks) == ["FILLS_MISMATCH:o1:7:4"]


async def test_without_a_drop_copy_a_shortfall_is_a_break(world: World) -> None:
    world.session.has_drop_copy = False
    await query(world, 0)
    await world.take(a_command(order_id="o2"))
    fill = an_execution(ExecType.FILL, cl_ord_id="o2", status=OrdStatus.PARTIALLY_FILLED, last_quantity=4)
    await world.lane.hear([fill])

    for order_id, count in (("o2", 4), ("o2", 9), ("o1", 3)):
        await world.take(a_command(Asks.QUERY, order_id=order_id))
        answer = a_status(cl_ord_id=order_id, cumulative_quantity=count, request_id=world.session.checked[-1])
        await world.lane.hear([answer])

    assert list(world.journal.breaks) == ["FILLS_MISMATCH:o2:9:4", "FILLS_UNVERIFIED:o1:3"]
