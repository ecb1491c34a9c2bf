"""What a case is, and how it is run: clients, a fault in the middle, healing, rest, evidence, judgement."""

import asyncio
import random
import time
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from tests.faults import gather
from tests.faults.checker import check
from tests.faults.history import History, Kind
from tests.faults.load import Load, open_load
from tests.faults.rig import Rig
from tests.faults.violation import Harm, Violation

CASE_SECONDS = 420.0
QUIET_SECONDS = 90.0


@dataclass(slots=True)
class Scene:
    """What a fault has to work with. `problems` is where it says that it could not do its damage."""

    rig: Rig
    load: Load
    history: History
    chance: random.Random
    accounts: tuple[str, ...]
    problems: list[str] = field(default_factory=list)
    acts: list[str] = field(default_factory=list)
    letters: int = 0
    # How often the part had ended when the case began with it.
    ends: int = 0
    # How often the exchange had misbehaved then.
    struck: int = 0

    def note(self, words: str) -> None:
        """Write down a step of the case between what the clients see."""
        self.history.add("case", Kind.TOLD, "step", value={"words": words})


Damage: TypeAlias = Callable[[Scene], Coroutine[Any, Any, None]]


async def nothing(scene: Scene) -> None:
    """Do no damage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One kind of fault. `prepare` runs before the first order, `damage` beside the load; when it returns the fault is over.

    `pace` makes every client's pauses so many times longer. `twins` are parts of which it needs a second one; then it gets a system
    of its own.
    """

    name: str
    words: str
    damage: Damage = nothing
    prepare: Damage = nothing
    orders: int = 72
    pace: float = 1.0
    quiet_seconds: float = QUIET_SECONDS
    twins: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Result:
    """How a run of a case ended."""

    case: str
    seed: int
    orders: int
    seconds: float
    violations: list[Violation]
    unknown: int = 0

    def count(self, harm: Harm) -> int:
        """Return how many violations count in a column."""
        return sum(violation.harm is harm for violation in self.violations)


async def run(rig: Rig, case: Case, *, seed: int, name: str, folder: Path) -> Result:
    """Run a case once on a running system. `name` tells its accounts from those of other runs."""
    started = time.monotonic()
    accounts = tuple(f"{name}{letter}" for letter in "abc")
    history = History(folder / f"{name}-{case.name}.jsonl")
    scene: Scene | None = None
    unquiet: list[str] = []
    letters_before = await _letters(rig)
    try:
        async with asyncio.timeout(CASE_SECONDS):
            async with open_load(rig, history, accounts, seed=seed, orders=case.orders, pace=case.pace) as load:
                chance = random.Random(f"{case.name}-{seed}")
                scene = Scene(rig, load, history, chance, accounts)
                await case.prepare(scene)
                async with asyncio.TaskGroup() as group:
                    group.create_task(load.run())
                    group.create_task(case.damage(scene))
                scene.note("healing")
                await rig.heal()
                unquiet = await gather.until_quiet(rig, accounts, load.followers, seconds=case.quiet_seconds)
            evidence = await gather.everything(rig, accounts)
    except Exception as error:  # whatever it is, the other cases are to run
        cause = _first(error)
        where = "".join(traceback.format_tb(cause.__traceback__)[-3:]).splitlines()
        broken = [Violation("case", Harm.STUCK, f"the case broke off: {cause!r}", tuple(where))]
        return Result(case=case.name, seed=seed, orders=0, seconds=time.monotonic() - started, violations=broken)
    finally:
        history.close()
    evidence.history, evidence.unquiet = history.events, unquiet
    evidence.problems = [*scene.problems, *scene.load.problems]
    evidence.acts, evidence.letters = scene.acts, evidence.letters[letters_before:]
    evidence.expected_letters = scene.letters
    mine = [row for row in evidence.rows if row.account_id in accounts]
    return Result(
        case=case.name,
        seed=seed,
        orders=len(mine),
        seconds=time.monotonic() - started,
        violations=check(evidence),
        unknown=sum(event.kind is Kind.INFO for event in history.events),
    )


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


async def _letters(rig: Rig) -> int:
    async with rig.broker() as broker:
        return len(await gather.read_stream(broker.jetstream(timeout=5), "DEAD_LETTERS"))
