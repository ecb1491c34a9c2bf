"""Tests of infra/exchange_sim/pages.py."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import cast

import pytest

from infra.exchange_sim.desk import Desk
from infra.exchange_sim.facts import AnyFact
from infra.exchange_sim.lines import Line
from infra.exchange_sim.pages import MOST_QUESTIONS, REPORTS_A_PAGE, Pages
from infra.exchange_sim.reports import Report, Status
from infra.exchange_sim.wire import BadMessage
from tests.unit.infra.exchange_sim.factories import SESSION


class SlowLine:
    """A line that has room when the test says so."""

    def __init__(self) -> None:
        self.has_room = asyncio.Event()

    async def room(self) -> None:
        await self.has_room.wait()


class Answer:
    """A long answer that knows how much of it was drawn."""

    def __init__(self, length: int) -> None:
        self.length, self.drawn = length, 0

    def __iter__(self) -> Iterator[Report]:
        for number in range(self.length):
            self.drawn += 1
            yield Status(session=SESSION, cl_ord_id=str(number), order=None, time_us=0)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_page_is_drawn_when_the_one_before_is_on_the_line() -> None:
    async def write(facts: Sequence[AnyFact]) -> None:
        return None

    told, line, answer = list[Report](), SlowLine(), Answer(2 * REPORTS_A_PAGE + 1)
    desk = Desk(write, told.append)
    pages = Pages(desk, cast("Line", line))
    pages.add(answer)
    loops = [asyncio.create_task(loop) for loop in (desk.run(), pages.run())]
    try:
        await settle()
        assert answer.drawn == len(told) == REPORTS_A_PAGE
        line.has_room.set()
        await settle()
    finally:
        for loop in loops:
            loop.cancel()

    assert [one.cl_ord_id for one in told if isinstance(one, Status)] == [
        str(number) for number in range(answer.length)
    ]


async def test_too_many_questions_are_refused() -> None:
    pages = Pages(cast("Desk", None), cast("Line", None))
    for _ in range(MOST_QUESTIONS):
        pages.add(Answer(1))

    with pytest.raises(BadMessage):
        pages.add(Answer(1))
