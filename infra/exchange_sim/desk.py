"""The one passage to the members: reports leave it in order, and only when the facts behind them are on disk."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from infra.exchange_sim.facts import AnyFact
from infra.exchange_sim.matching import Change
from infra.exchange_sim.reports import Execution, Report


class Desk:
    """Groups what waits: one write to the ledger for all of it, then its reports."""

    def __init__(
        self, append: Callable[[Sequence[AnyFact]], Awaitable[None]], deliver: Callable[[Report], None]
    ) -> None:
        self._append, self._deliver = append, deliver
        self._facts: list[AnyFact] = []
        self._reports: list[Report] = []
        self._told: list[asyncio.Future[None]] = []
        self._waiting = asyncio.Event()

    def publish(self, changes: Iterable[Change]) -> None:
        """Write facts down, then report each to its session."""
        for fact, order in changes:
            self._facts.append(fact)
            self._reports.append(Execution(fact.session, fact, order))
            self._waiting.set()

    def answer(self, reports: Iterable[Report]) -> None:
        """Report what needs no line in the ledger, after everything that was published before it."""
        self._reports.extend(reports)
        self._waiting.set()

    async def settled(self) -> None:
        """Return when everything that waits now has been told."""
        told = asyncio.get_running_loop().create_future()
        self._told.append(told)
        self._waiting.set()
        await told

    async def run(self) -> None:
        """Write and report for ever. A failing disk ends it: an exchange that cannot remember must not trade."""
        while True:
            await self._waiting.wait()
            self._waiting.clear()
            facts, self._facts = self._facts, []
            reports, self._reports = self._reports, []
            told, self._told = self._told, []
            if facts:
                await self._append(facts)
            for report in reports:
                self._deliver(report)
            for future in told:
                if not future.done():
                    future.set_result(None)
