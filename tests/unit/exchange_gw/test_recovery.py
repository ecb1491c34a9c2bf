"""The venue's books against our journal."""

import asyncio

from exchange_gw.exchange import LoggedOn, OrdStatus, Standing
from exchange_gw.journal import Decision, Row
from exchange_gw.recovery import NEVER_SENT, NO_JOURNAL
from exchange_gw.report import Kind, Verdict
from tests.unit.exchange_gw.factories import NOON, World, a_command, a_status, at
from tests.unit.exchange_gw.test_service import running


def sent(world: World, order_id: str, verdict: Verdict | None = None) -> None:
    decision = Decision.NEVER_SEND if verdict else Decision.SEND
    command = a_command(order_id=order_id)
    world.journal.rows[order_id] = Row(command=command, decision=decision, decide_time=NOON, verdict=verdict)


async def test_what_changed_while_we_were_away_becomes_facts() -> None:
    world = World()
    sent(world, "o1")
    sent(world, "o2")
    world.journal.heard["ORD-0"] = at(0)
    world.session.books = [
        a_status(OrdStatus.CANCELED, cl_ord_id="o1", time=at(10)),
        a_status(cl_ord_id="o2", time=at(-3600)),
    ]

    async with running(world):
        await world.log_on()

    assert [(report.order_id, report.kind) for report in world.reports.told] == [("o1", Kind.CANCELED)]


async def test_the_first_comparison_ever_looks_at_everything() -> None:
    world = World()
    sent(world, "o1")
    world.session.books = [a_status(time=at(-3600))]

    async with running(world):
        await world.log_on()

    assert world.reports.kinds == [Kind.PLACED]


async def test_an_order_that_nobody_here_knows_is_a_break_and_no_fact() -> None:
    world = World()
    world.session.books = [a_status(cl_ord_id="stranger")]

    async with running(world):
        await world.log_on()

    assert [found.kind for found in world.journal.breaks.values()] == [NO_JOURNAL]
    assert world.reports.told == []


async def test_an_order_that_was_never_to_be_sent_is_a_break() -> None:
    world = World()
    sent(world, "o1", Verdict.CANCELED_UNSENT)
    world.session.books = [a_status()]

    async with running(world):
        await world.log_on()

    assert [found.kind for found in world.journal.breaks.values()] == [NEVER_SENT]


async def test_an_operator_compares_every_order_of_the_lane() -> None:
    world = World(owns=lambda account: account == "demo")
    async with running(world):
        await world.log_on()
        world.journal.heard["ORD-0"] = at(0)
        sent(world, "o1")
        world.session.books = [
            a_status(time=at(-3600)),
            a_status(cl_ord_id="stranger", time=at(-3600)),
            a_status(cl_ord_id="o9", account_id="another lane's"),
        ]

        found = await world.lane.compare()

    assert found.compared == 2
    assert [one.order_id for one in found.breaks] == ["stranger"]


async def test_a_session_that_falls_during_the_comparison_leaves_the_lane_closed() -> None:
    world = World()

    async def fall(request_id: str) -> None:
        await world.log_out()

    world.session.ask_all = fall  # type: ignore[method-assign]  # a session that falls as it is asked
    async with running(world):
        world.session.standing = Standing.LOGGED_ON
        await world.lane.hear([LoggedOn()])
        await asyncio.sleep(0.05)
        assert not world.lane.is_open
