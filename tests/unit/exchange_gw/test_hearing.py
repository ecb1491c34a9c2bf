"""Nothing that the venue says of an order is swallowed: it becomes a fact, or a break that somebody sees."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from exchange_gw.exchange import ExecType, Execution, OrdStatus
from exchange_gw.report import Kind
from tests.unit.exchange_gw.factories import World, a_command, an_execution
from tests.unit.exchange_gw.test_service import running


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    async with running(made):
        await made.log_on()
        await made.take(a_command())
        yield made


def a_fill(exec_id: str, **changes: Any) -> Execution:
    fields = {
        "exec_type": ExecType.FILL,
        "exec_id": exec_id,
        "status": OrdStatus.FILLED,
        "last_quantity": 10,
        **changes,
    }
    return an_execution(**fields)


async def test_a_fill_heard_twice_is_the_same_fact(world: World) -> None:
    await world.lane.hear([a_fill("E1"), a_fill("E1")])
    assert len({one.report_id for one in world.reports.told}) == 1


async def test_a_corrected_fill_and_its_bust_name_what_they_change(world: World) -> None:
    corrected = a_fill("E2", exec_type=ExecType.CORRECTION, exec_ref_id="E1", last_quantity=8)
    await world.lane.hear([a_fill("E1"), corrected, a_fill("E3", exec_type=ExecType.BUST, exec_ref_id="E2")])

    told = [(one.kind, one.exec_id, one.exec_ref_id, one.last_quantity) for one in world.reports.told]
    assert told == [(Kind.FILL, "E1", "", 10), (Kind.CORRECTION, "E2", "E1", 8), (Kind.BUST, "E3", "E2", 10)]


async def test_a_bust_of_a_fill_that_nobody_heard_is_told(world: World) -> None:
    await world.lane.hear([a_fill("E3", exec_type=ExecType.BUST, exec_ref_id="E1")])
    assert [(one.kind, one.exec_ref_id) for one in world.reports.told] == [(Kind.BUST, "E1")]
    assert world.journal.breaks == {}


async def test_reports_after_the_end_are_told(world: World) -> None:
    canceled = an_execution(ExecType.CANCELED, status=OrdStatus.CANCELED, exec_id="E1")
    await world.lane.hear([canceled, an_execution(exec_id="E2"), a_fill("E3")])
    assert world.reports.kinds == [Kind.CANCELED, Kind.PLACED, Kind.FILL]


@pytest.mark.parametrize(
    ("execution", "found", "told"),
    [
        (a_fill("E1", cl_ord_id="stranger"), "VENUE_ORDER_WITHOUT_JOURNAL:X1", []),
        (a_fill("E1", cl_ord_id=""), "VENUE_REPORT_WITHOUT_ORDER:X1:E1", []),
        (an_execution(ExecType.OTHER, exec_id="E1"), "UNHANDLED_REPORT:o1:E1", []),
        (a_fill("", cumulative_quantity=10), "EXECUTION_WITHOUT_ID:o1:10:10", [Kind.FILL]),
        (a_fill("E2", exec_type=ExecType.BUST), "EXECUTION_WITHOUT_ID:o1:E2", [Kind.BUST]),
    ],
)
async def test_what_cannot_become_a_fact_is_a_break(world: World, execution: Any, found: str, told: list[Kind]) -> None:
    for _ in range(2):
        await world.lane.hear([execution])

    assert list(world.journal.breaks) == [found]
    assert list(dict.fromkeys(world.reports.kinds)) == told


async def test_a_request_that_the_venue_is_still_making_is_no_news(world: World) -> None:
    await world.lane.hear([an_execution(ExecType.PENDING, status=OrdStatus.PENDING_NEW)])
    assert (world.reports.told, world.journal.breaks) == ([], {})
