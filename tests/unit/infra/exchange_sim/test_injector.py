"""Tests of infra/exchange_sim/injector.py."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from infra.exchange_sim import injector as module
from infra.exchange_sim.faults import Faults, read_script
from infra.exchange_sim.injector import Injector, Struck
from infra.exchange_sim.reports import Execution, Part, Report, Status
from tests.unit.infra.exchange_sim.factories import SESSION, Floor, a_request, an_order


class Bench:
    """An injector whose time the test moves."""

    def __init__(self, *rules: dict[str, Any]) -> None:
        self.now, self.told, self.cut, self.noted = 100.0, list[Report](), list[str](), list[Struck]()
        self.injector = Injector(
            deliver=self.told.append, cut=self.cut.append, note=self.noted.append, clock=lambda: self.now
        )
        self.say(*rules)

    def say(self, *rules: dict[str, Any]) -> None:
        """Put other rules in force; none at all is no script."""
        script = read_script(json.dumps({"seed": 3, "rules": rules}).encode())
        self.injector.use(Faults(script) if rules else None)

    def take(self, *reports: Report) -> None:
        for report in reports:
            self.injector.take(report)

    def keys(self) -> list[str]:
        """Return what was told so far, by key and kind."""
        return [
            f"{one.fact.cl_ord_id}:{type(one.fact).__name__}" if isinstance(one, Execution) else type(one).__name__
            for one in self.told
        ]

    @asynccontextmanager
    async def later(self, seconds: float) -> AsyncIterator[None]:
        """Let time pass, and the loop send what is due."""
        self.now += seconds
        running = asyncio.create_task(self.injector.run())
        for _ in range(5):
            await asyncio.sleep(0)
        try:
            yield
        finally:
            running.cancel()


def reports(*keys: str, **changes: Any) -> list[Report]:
    """Return what is told of orders that are placed: market orders, so an ack and a fill each."""
    floor = Floor()
    for key in keys:
        floor.place(key, **changes)
    return [Execution(SESSION, fact, order) for fact, order in floor.changes]


def a_status(**changes: Any) -> Status:
    values: dict[str, Any] = {"session": SESSION, "cl_ord_id": "key", "order": an_order(), "time_us": 0}
    return Status(**(values | changes))


def test_without_a_script_everything_passes_at_once() -> None:
    bench = Bench()

    bench.take(*reports("a"), a_status())

    assert bench.keys() == ["a:Accepted", "a:Filled", "Status"]
    assert not bench.injector.is_armed


async def test_a_delayed_report_comes_when_it_is_due() -> None:
    bench = Bench({"fault": "delay", "ms": 500, "on": ["accepted"]})
    bench.take(*reports("a"))

    async with bench.later(0.4):
        assert bench.keys() == ["a:Filled"]
    async with bench.later(0.2):
        assert bench.keys() == ["a:Filled", "a:Accepted"]


async def test_what_is_held_back_comes_even_when_the_script_is_gone() -> None:
    bench = Bench({"fault": "delay", "ms": 500})
    bench.take(*reports("a"))
    bench.say()
    bench.take(*reports("b"))

    async with bench.later(0.5):
        assert bench.keys() == ["b:Accepted", "b:Filled", "a:Accepted", "a:Filled"]


def test_an_ack_comes_after_the_first_fill() -> None:
    bench = Bench({"fault": "fill_before_ack"})

    bench.take(*reports("a", quantity=400))

    assert bench.keys() == ["a:Filled", "a:Accepted", "a:Filled"]


async def test_an_ack_that_no_fill_follows_comes_by_itself_and_once() -> None:
    bench = Bench({"fault": "fill_before_ack", "ms": 200})
    accepted, fill = reports("a")
    bench.take(accepted)

    async with bench.later(0.3):
        bench.take(fill)

        assert bench.keys() == ["a:Accepted", "a:Filled"]


async def test_a_silence_keeps_the_order_and_lets_other_members_hear() -> None:
    bench = Bench({"fault": "silent", "ms": 1000, "most": 1})
    bench.injector.meet(a_request("a"), None)
    other = a_status(session="OTHER")

    bench.take(*reports("a"), a_status(), other)

    assert bench.told == [other]
    async with bench.later(1.1):
        bench.take(*reports("b"))
        assert bench.keys() == ["Status", "a:Accepted", "a:Filled", "Status", "b:Accepted", "b:Filled"]


async def test_a_second_silence_prolongs_the_first() -> None:
    bench = Bench({"fault": "silent", "ms": 1000})
    bench.injector.meet(a_request("a"), None)
    bench.now += 0.9
    bench.injector.meet(a_request("b"), None)
    bench.take(a_status())

    async with bench.later(0.9):
        assert bench.told == []
    async with bench.later(0.2):
        assert bench.keys() == ["Status"]


async def test_the_reports_of_a_moment_are_told_together_and_each_once() -> None:
    bench = Bench({"fault": "shuffle", "ms": 200})
    some = reports(*"abcdef")
    bench.take(*some)

    assert bench.told == []
    async with bench.later(0.2):
        assert bench.told != some
        assert sorted(bench.keys()) == sorted([f"{key}:{kind}" for key in "abcdef" for kind in ("Accepted", "Filled")])


async def test_a_second_copy_may_come_later() -> None:
    bench = Bench({"fault": "duplicate", "ms": 200, "most": 1})
    bench.take(*reports("a"))

    assert bench.keys() == ["a:Accepted", "a:Filled"]
    async with bench.later(0.2):
        assert bench.keys() == ["a:Accepted", "a:Filled", "a:Accepted"]


def test_an_order_that_is_denied_is_told_as_absent() -> None:
    bench = Bench({"fault": "unknown"})

    bench.take(a_status(), a_status())

    assert [one.order is None for one in bench.told if isinstance(one, Status)] == [True, False]


def test_parts_of_long_answers_are_no_rule_s() -> None:
    bench = Bench({"fault": "unknown"}, {"fault": "delay", "ms": 5, "on": ["status"]})

    bench.take(a_status(part=Part("all", 1, 1)))

    assert bench.keys() == ["Status"]


def test_what_struck_is_noted_with_whom() -> None:
    bench = Bench({"fault": "accept_then_cut"})

    bench.take(*reports("a"))

    (noted,) = bench.noted
    assert bench.cut == [SESSION]
    assert (noted.session, noted.order_id, noted.exec_id, noted.event.key) == (SESSION, "b-O1", "b-E1", "a")


async def test_no_more_is_held_back_than_the_machine_can_bear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_HELD", 2)
    bench = Bench({"fault": "delay", "ms": 500})

    bench.take(*reports("a", "b"))

    assert bench.keys() == ["b:Accepted", "b:Filled"]
