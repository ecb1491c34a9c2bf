"""`make faults`: run cases against real processes, print the table, exit 1 when a promise was broken."""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from tests.faults import table
from tests.faults.case import Case, Result, run
from tests.faults.catalogue import CASES, chosen
from tests.faults.mutants import MUTANTS
from tests.faults.rig import Rig, open_rig
from tests.faults.violation import Harm, Violation

FAILED, BAD_USAGE = 1, 2


def main() -> int:
    """Return 0 when every promise was kept, 1 when not, 2 when a case is not known."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="repeat a run; by default a new one")
    parser.add_argument("--cases", default="", help="such as K9,F19; by default all")
    parser.add_argument("--runs", type=int, default=1, help="how often each case is run, each time with the next seed")
    parser.add_argument("--list", action="store_true", help="list the cases and end")
    parser.add_argument(
        "--mutants", action="store_true", help="prove that the suite catches services with a known flaw"
    )
    parser.add_argument("--keep", type=Path, default=None, help="a folder for histories, logs and stores")
    given = parser.parse_args()
    if given.list:
        table.catalogue(list(CASES.values()))
        return 0
    try:
        cases = chosen(given.cases)
    except KeyError as error:
        sys.stderr.write(f"there is no case {error}; --list shows them\n")
        return BAD_USAGE
    seed = given.seed or random.SystemRandom().randrange(1, 10**6)
    folder = given.keep or Path(tempfile.mkdtemp(prefix="stockmesh-faults-"))
    if given.mutants:
        return FAILED if asyncio.run(run_mutants(seed=seed, folder=folder)) else 0
    results = asyncio.run(_run_all(cases, seed=seed, runs=given.runs, folder=folder))
    table.summary(results, seed)
    is_good = not any(result.violations for result in results)
    if is_good and given.keep is None:
        shutil.rmtree(folder, ignore_errors=True)
    elif not is_good:
        table.say(f"histories, logs and stores are in {folder}")
    return 0 if is_good else FAILED


async def _run_all(cases: Sequence[Case], *, seed: int, runs: int, folder: Path) -> list[Result]:
    """Run the cases on one system, as long as it stays clean; a case that needs its own gets it."""
    results: list[Result] = []
    systems = Systems(folder, seed)
    try:
        for turn in range(runs):
            for case in cases:
                result = await _run_one(systems, case, seed=seed + turn, number=len(results))
                results.append(result)
                table.line(result)
                if result.violations or case.twins:
                    await systems.close()
    finally:
        await systems.close()
    return results


async def _run_one(systems: "Systems", case: Case, *, seed: int, number: int) -> Result:
    started = time.monotonic()
    try:
        rig = await systems.rig(case.twins)
    except Exception as error:  # a system that does not start is a finding like any other
        await systems.close()
        broken = Violation("case", Harm.STUCK, f"the system did not start: {error!r}")
        return Result(case=case.name, seed=seed, orders=0, seconds=time.monotonic() - started, violations=[broken])
    return await run(rig, case, seed=seed, name=f"f{number}", folder=systems.folder)


async def run_mutants(*, seed: int, folder: Path, names: Sequence[str] = tuple(MUTANTS)) -> list[str]:
    """Run each flawed system against the case that must expose it; return the flaws that went unnoticed."""
    missed = []
    for name in names:
        mutant, systems = MUTANTS[name], Systems(folder / name, seed, mutant=name)
        try:
            result = await _run_one(systems, CASES[mutant.case], seed=seed, number=0)
        finally:
            await systems.close()
        seen = {violation.invariant for violation in result.violations} & mutant.invariants
        table.say(f"{name:<24} {mutant.case:<12} {'caught by ' + ', '.join(sorted(seen)) if seen else 'NOT CAUGHT'}")
        if not seen:
            missed.append(name)
            table.line(result)
    return missed


class Systems:
    """At most one running system, started when it is wanted."""

    def __init__(self, folder: Path, seed: int, *, mutant: str = "") -> None:
        self.folder, self._seed, self._mutant = folder, seed, mutant
        self._stack: AsyncExitStack | None = None
        self._rig: Rig | None = None
        self._number = 0

    async def rig(self, twins: tuple[str, ...] = ()) -> Rig:
        """Return the running system, or start one."""
        if twins:
            await self.close()
        if self._rig is None:
            self._number += 1
            self._stack = AsyncExitStack()
            opened = open_rig(self.folder / f"system-{self._number}", seed=self._seed, mutant=self._mutant, twins=twins)
            self._rig = await self._stack.enter_async_context(opened)
        return self._rig

    async def close(self) -> None:
        """Stop it."""
        stack, self._stack, self._rig = self._stack, None, None
        if stack is not None:
            await stack.aclose()
