"""Long answers to a member, a page at a time: the next is drawn when the last is on the line, and its live reports go between."""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

from infra.exchange_sim.desk import Desk
from infra.exchange_sim.lines import Line
from infra.exchange_sim.reports import Report
from infra.exchange_sim.wire import BadMessage

REPORTS_A_PAGE = 200
MOST_QUESTIONS = 32


class Pages:
    """The long answers that one line still has to hear, first asked first told."""

    def __init__(self, desk: Desk, line: Line) -> None:
        self._desk, self._line = desk, line
        self._answers: deque[Iterator[Report]] = deque()
        self._asked = asyncio.Event()

    def add(self, answer: Iterable[Report]) -> None:
        """Tell an answer after those asked for before. Raises BadMessage when too many questions wait already."""
        if len(self._answers) >= MOST_QUESTIONS:
            raise BadMessage(BadMessage.NOT_AVAILABLE, f"{MOST_QUESTIONS} questions wait for their answers already")
        self._answers.append(iter(answer))
        self._asked.set()

    async def run(self) -> None:
        """Tell for ever; to be canceled at logout."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            while self._answers:
                page = list(islice(self._answers[0], REPORTS_A_PAGE))
                # By way of the desk: what a page tells may be so new that the disk does not have it yet.
                self._desk.answer(page)
                if len(page) < REPORTS_A_PAGE:
                    self._answers.popleft()
                await self._desk.settled()
                await self._line.room()
