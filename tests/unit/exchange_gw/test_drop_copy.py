"""Executions that were missed: told once, whichever way they come, and the place up to which all has been told."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from exchange_gw.command import Asks
from exchange_gw.exchange import ExecType, OrdStatus, Unsupported
from exchange_gw.report import Kind
from tests.unit.exchange_gw.factories import World, a_command, a_trade, an_execution, at
from tests.unit.exchange_gw.test_service import running


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    async with running(made):
        yield made


def a_fill(exec_id: str, **changes: object):  # type: ignore[no-untyped-def]  # the factory's own type
    return an_execution(ExecType.FILL, status=OrdStatus.PARTIALLY_FILLED, exec_id=exec_id, last_quantity=4, **changes)


async def look(world: World) -> None:
    """Let the time of a look come."""
    world.clock.seconds += 31
    await world.lane.rounds.beat()


async def test_before_the_lane_opens_the_executions_since_the_last_place_are_asked_for() -> None:
    world = World()
    world.journal.heard["ORD-0"] = at(100)
    async with running(world):
        await world.log_on()

        assert [since for _, since in world.session.asked] == [at(40)]


async def test_an_execution_that_was_missed_becomes_the_fact_that_it_would_have_been(world: World) -> None:
    await world.log_on()
    await world.take(a_command(), a_command(order_id="o2"))
    await world.lane.hear([a_fill("E1"), a_fill("E2", cl_ord_id="o2")])
    live = {report.exec_id: report for report in world.reports.told if report.kind is Kind.FILL}
    reborn = World(world.journal)
    reborn.session.trades = [a_trade("E1"), a_trade("E2", cl_ord_id="o2"), a_trade("E3")]

    async with running(reborn):
        await reborn.log_on()

    told = {report.exec_id: report for report in reborn.reports.told if report.kind is Kind.FILL}
    assert set(told) == {"E1", "E2", "E3"}
    assert all(told[exec_id].report_id == live[exec_id].report_id for exec_id in live)
    assert (told["E3"].order_id, told["E3"].last_quantity, told["E3"].client_order_id) == ("o1", 4, "key-o1")
    assert reborn.lane.unanswered == 0


async def test_what_was_heard_live_is_not_told_again(world: World) -> None:
    await world.log_on()
    await world.take(a_command())
    await world.lane.hear([a_fill("E1")])
    world.session.trades = [a_trade("E1"), a_trade("E2", shares=3)]

    await look(world)
    await look(world)

    assert [report.exec_id for report in world.reports.told if report.kind is Kind.FILL] == ["E1", "E2"]


async def test_a_bust_and_a_correction_are_told_too(world: World) -> None:
    await world.log_on()
    await world.take(a_command())
    world.session.trades = [
        a_trade("E2", exec_type=ExecType.CORRECTION, exec_ref_id="E1"),
        a_trade("E3", exec_type=ExecType.BUST, exec_ref_id="E2"),
    ]

    await look(world)

    told = [(one.kind, one.exec_id, one.exec_ref_id) for one in world.reports.told if one.exec_id]
    assert told == [(Kind.CORRECTION, "E2", "E1"), (Kind.BUST, "E3", "E2")]


async def test_each_look_begins_where_the_last_one_was_sure_to_have_heard_everything(world: World) -> None:
    await world.log_on()
    await world.take(a_command())
    await world.lane.hear([an_execution(time=at(100))])
    await look(world)
    world.session.trades = [a_trade("E1", time=at(140))]
    await look(world)
    await look(world)

    assert [since for _, since in world.session.asked[2:]] == [at(95), at(135)]


async def test_a_report_from_before_has_everything_since_read_again(world: World) -> None:
    await world.log_on()
    await world.take(a_command())
    await world.lane.hear([an_execution(time=at(100))])
    await look(world)
    await world.lane.hear([a_fill("E1", time=at(20))])

    await look(world)

    assert world.session.asked[-1][1] == at(17)


async def test_an_old_execution_that_somebody_asked_for_has_nothing_read_again(world: World) -> None:
    await world.log_on()
    await world.take(a_command())
    await world.lane.hear([an_execution(time=at(100))])
    await look(world)
    world.session.trades = [a_trade("E1", time=at(-90_000))]
    await world.take(a_command(Asks.QUERY))
    await asyncio.sleep(0.01)

    await look(world)

    assert world.reports.kinds[-1] is Kind.FILL
    assert world.session.asked[-1][1] == at(95)


async def test_the_place_is_kept_only_up_to_what_the_drop_copy_has_told(world: World) -> None:
    await world.log_on()
    await world.take(a_command())
    await world.lane.hear([an_execution(time=at(100))])
    await look(world)
    await world.lane.hear([a_fill("E1", time=at(200))])

    for _ in range(2):
        await world.lane.watch.keep_place()

    assert world.journal.heard["ORD-0"] == at(100)


@pytest.mark.parametrize("way", ["AQ", "j"])
async def test_a_venue_without_a_drop_copy_works_as_before(way: str) -> None:
    world = World()
    world.session.has_drop_copy = False
    if way == "j":
        no = Unsupported(message_type="AD", name="", code="UNSUPPORTED_MESSAGE", text="what is that?")

        def refuse(*_: object) -> None:
            asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(world.lane.hear([no])))

        world.session._tell_trades = refuse  # type: ignore[assignment, method-assign]  # a venue of another kind
    async with running(world):
        await world.log_on()
        await world.take(a_command())
        await world.lane.hear([a_fill("E1", time=at(5))])
        await look(world)
        for _ in range(2):
            await world.lane.watch.keep_place()

        assert world.reports.kinds == [Kind.FILL]
        assert len(world.session.asked) <= 1
        assert world.journal.heard["ORD-0"] == at(5)


async def test_a_session_that_falls_during_the_answer_leaves_the_place_and_the_lane_closed() -> None:
    world = World()

    def fall(*_: object) -> None:
        falling.append(asyncio.ensure_future(world.log_out()))

    falling: list[asyncio.Future[None]] = []
    world.session._tell_trades = fall  # type: ignore[assignment, method-assign]  # a session that falls as it is asked
    async with running(world):
        with pytest.raises(TimeoutError):
            await world.log_on(within=0.1)
        assert not world.lane.is_open
        assert world.talk.read_until is None


async def test_executions_that_fit_nowhere_are_breaks() -> None:
    world = World(owns=lambda account: account in ("demo", ""))
    world.session.trades = [
        a_trade("E1", cl_ord_id="stranger", exchange_order_id="X9"),
        a_trade("E2", cl_ord_id="", account_id=""),
        a_trade("E3", cl_ord_id="other", account_id="another lane's"),
    ]
    async with running(world):
        await world.log_on()

    assert set(world.journal.breaks) == {"VENUE_ORDER_WITHOUT_JOURNAL:X9", "VENUE_REPORT_WITHOUT_ORDER:E2"}
    assert world.reports.told == []


async def test_an_operator_gets_the_executions_of_the_last_hour(world: World) -> None:
    await world.log_on()
    await world.take(a_command())
    await world.lane.hear([an_execution(time=at(7200))])
    world.session.trades = [a_trade("E1", time=at(3700))]

    found = await world.lane.compare()

    assert world.session.asked[-1][1] == at(3600)
    assert found.recovered == 1
    assert world.reports.kinds[-1] is Kind.FILL
