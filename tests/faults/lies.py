"""F26 to F28: the exchange is slow, accepts and says nothing, says things twice, in another order, late, or not at all."""

import asyncio
from collections.abc import Mapping
from functools import partial

from tests.faults.case import Case, Scene

# What was placed last has been at the exchange by then.
LAST_SECONDS = 4.0

Rule = Mapping[str, object]


def cases() -> list[Case]:
    """Return the cases."""
    return [
        _case("F26", "half of the reports come 5 s late", {"fault": "delay", "share": 0.5, "ms": 5000}),
        _case("F26-silent", "the exchange is silent for 4 s at a time", {"fault": "silent", "share": 0.05, "ms": 4000}),
        _case(
            "F27",
            "the exchange accepts and cuts the line before it says so",
            {"fault": "accept_then_cut", "share": 0.3, "most": 6},
        ),
        _case("F27-cut", "the line is cut before the order is taken", {"fault": "cut", "share": 0.3, "most": 6}),
        _case("F27-mute", "acknowledgements never come", {"fault": "drop_ack", "share": 0.5}),
        _case(
            "F27-lost",
            "executions are not reported; status and drop copy have them",
            {"fault": "drop_report", "share": 0.3},
        ),
        _case(
            "F27-unknown",
            "accepted, cut, and then said to be unknown once",
            {"fault": "unknown", "share": 1.0},
            {"fault": "accept_then_cut", "share": 0.3, "most": 6},
        ),
        _case("F28", "every report comes twice", {"fault": "duplicate"}),
        _case("F28-shuffle", "reports of 2 s come in any order", {"fault": "shuffle", "share": 0.5, "ms": 2000}),
        _case("F28-early", "fills come before their acknowledgement", {"fault": "fill_before_ack", "share": 0.7}),
        _case("F28-reject", "orders are rejected", {"fault": "reject", "share": 0.3}),
        _case(
            "F28-all",
            "all of it at once",
            {"fault": "accept_then_cut", "share": 0.05, "most": 3},
            {"fault": "drop_report", "share": 0.1},
            {"fault": "duplicate", "share": 0.2},
            {"fault": "shuffle", "share": 0.2, "ms": 1000},
            {"fault": "delay", "share": 0.2, "ms": 2000},
        ),
    ]


def _case(name: str, words: str, *rules: Rule) -> Case:
    return Case(name=name, words=words, pace=3, prepare=partial(_lie, rules=rules), damage=partial(_go_on, rules=rules))


async def _lie(scene: Scene, *, rules: tuple[Rule, ...]) -> None:
    scene.struck = len(scene.rig.venue.struck())
    scene.rig.venue.misbehave(*rules)
    # The script is read ten times a second.
    await asyncio.sleep(0.3)


async def _go_on(scene: Scene, *, rules: tuple[Rule, ...]) -> None:
    await scene.load.until(1.0)
    await asyncio.sleep(LAST_SECONDS)
    struck = scene.rig.venue.struck()[scene.struck :]
    for rule in rules:
        # Nobody asks for the status of an order that was answered.
        if rule["fault"] not in struck and rule["fault"] != "unknown":
            scene.problems.append(f"the exchange never did {rule['fault']}")
    scene.note(f"the exchange did {len(struck)} wrong things")
