"""A lane among neighbours in memory: what is sent, what is told, and what is neither."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec import structs

from exchange_gw.command import Asks, Side
from exchange_gw.exchange import ChangeRefused, ExecType, OrdStatus, Standing, Unsupported, VenueUnreachable
from exchange_gw.journal import Decision, Plan, new_row
from exchange_gw.look_up import VenueOrderUnknown
from exchange_gw.ports import Note
from exchange_gw.report import Hops, Kind, Verdict
from exchange_gw.taking import Later
from exchange_gw.trading import TradingState
from runtime.errors import Unavailable
from tests.unit.exchange_gw.factories import World, a_command, a_status, an_execution, an_unknown, at


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running(World()) as made:
        yield made


class running:  # noqa: N801 - reads as a statement
    """Runs a world's lane for a block."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def __aenter__(self) -> World:
        await self._world.lane.take_up()
        self._task = asyncio.create_task(self._world.lane.run())
        return self._world

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def test_the_books_are_asked_for_before_anything_is_sent(world: World) -> None:
    await world.log_on()
    await world.take(a_command())

    assert world.session.said == ["? all", "SUBMIT o1"]
    assert world.reports.kinds == []
    assert world.journal.rows["o1"].decision is Decision.SEND


async def test_an_order_waits_until_its_time_is_up_while_the_lane_is_closed(world: World) -> None:
    assert await world.take(a_command()) == [Later(at(60))]
    world.clock.seconds = 61

    assert await world.take(a_command()) == [None]
    assert world.reports.kinds == [Kind.EXPIRED]
    assert world.session.said == []


async def test_a_cancel_of_an_unsent_order_is_final_even_while_the_lane_is_closed(world: World) -> None:
    assert await world.take(a_command(Asks.CANCEL)) == [None]
    await world.log_on()
    await world.take(a_command())

    assert world.reports.kinds == [Kind.CANCELED, Kind.CANCELED]
    assert len({report.report_id for report in world.reports.told}) == 1
    assert world.session.said == ["? all"]


async def test_an_order_and_its_cancel_in_one_batch_are_sent_in_their_order(world: World) -> None:
    await world.log_on()
    cancel = a_command(Asks.CANCEL)

    await world.take(a_command(), cancel)

    assert world.session.said[1:] == ["SUBMIT o1", f"CANCEL {cancel.cl_ord_id}"]


async def test_an_order_under_way_is_not_sent_twice(world: World) -> None:
    await world.log_on()

    await world.take(a_command())
    assert await world.take(a_command()) == [None]

    assert world.session.said[1:] == ["SUBMIT o1"]


async def test_an_answered_order_that_comes_again_is_asked_about_and_never_sent(world: World) -> None:
    await world.log_on()
    await world.take(a_command())
    await world.lane.hear([an_execution()])

    await world.take(a_command())
    await world.lane.hear([an_unknown()])
    await world.pass_time(100)
    await world.lane.hear([an_unknown()])
    await world.pass_time(100)

    assert world.session.said[1:] == ["SUBMIT o1", "? o1"]
    assert list(world.journal.breaks) == ["ORDER_UNKNOWN_AT_VENUE:o1"]


async def test_silence_makes_an_order_uncertain_and_any_answer_settles_it(world: World) -> None:
    await world.log_on()
    await world.take(a_command())

    await world.pass_time(1.1)
    assert world.session.said[-1] == "? o1"
    await world.pass_time(2.5)
    await world.lane.hear([a_status()])

    assert world.reports.kinds == [Kind.SUBMITTED, Kind.UNCERTAIN, Kind.PLACED]
    assert world.lane.unanswered == 0


async def test_a_fallen_session_makes_everything_unanswered_uncertain_once(world: World) -> None:
    await world.log_on()
    await world.take(a_command(), a_command(order_id="o2"))
    await world.lane.hear([an_execution()])

    await world.log_out()
    await world.pass_time(100)

    uncertain = [report.order_id for report in world.reports.told if report.kind is Kind.UNCERTAIN]
    assert uncertain == ["o2"]


async def test_an_order_that_never_arrived_is_sent_again_after_proof(world: World) -> None:
    await world.log_on()
    await world.take(a_command())
    await world.log_out()
    await world.log_on()

    await world.lane.hear([an_unknown()])
    await world.pass_time(1)
    assert "SUBMIT o1 again" not in world.session.said
    await world.pass_time(2)
    await world.lane.hear([an_unknown()])
    await world.pass_time(0)

    assert world.session.said[-1] == "SUBMIT o1 again"
    assert world.journal.rows["o1"].logon == 2


async def test_unknown_in_the_session_of_the_sending_leads_nowhere(world: World) -> None:
    await world.log_on()
    await world.take(a_command())

    for _ in range(5):
        await world.lane.hear([an_unknown()])
        await world.pass_time(10)

    assert not [said for said in world.session.said if said.endswith("again")]


async def test_an_absent_order_that_is_late_expires(world: World) -> None:
    await world.log_on()
    await world.take(a_command())
    await world.log_out()
    await world.log_on()

    for _ in range(2):
        await world.lane.hear([an_unknown()])
        await world.pass_time(61)

    assert world.reports.kinds[-1] is Kind.EXPIRED
    assert world.journal.rows["o1"].verdict is Verdict.EXPIRED_UNSENT
    assert world.lane.unanswered == 0
    await world.take(a_command())
    assert world.reports.kinds[-1] is Kind.EXPIRED


async def test_an_absent_order_with_a_cancel_under_way_is_canceled(world: World) -> None:
    await world.log_on()
    await world.take(a_command(), a_command(Asks.CANCEL))
    await world.log_out()
    await world.log_on()

    for _ in range(2):
        await world.lane.hear([an_unknown()])
        await world.pass_time(3)

    assert world.reports.kinds[-1] is Kind.CANCELED
    assert world.journal.rows["o1"].verdict is Verdict.CANCELED_UNSENT
    assert world.lane.unanswered == 0


async def test_a_cancel_that_the_venue_has_not_made_is_asked_for_again(world: World) -> None:
    await world.log_on()
    cancel = a_command(Asks.CANCEL)
    await world.take(a_command())
    await world.lane.hear([an_execution()])
    await world.take(cancel)

    await world.pass_time(1.1)
    await world.lane.hear([a_status()])
    await world.pass_time(5)

    assert world.session.said[-2:] == ["? o1", f"CANCEL {cancel.cl_ord_id} again"]


async def test_a_cancel_that_the_venue_is_making_is_left_to_it(world: World) -> None:
    await world.log_on()
    await world.take(a_command())
    await world.lane.hear([an_execution()])
    await world.take(a_command(Asks.CANCEL))

    await world.pass_time(1.1)
    await world.lane.hear([a_status(OrdStatus.PENDING_CANCEL)])
    await world.pass_time(5)

    assert not [said for said in world.session.said if said.endswith("again")]


async def test_a_cancel_is_settled_by_the_end_of_the_order(world: World) -> None:
    await world.log_on()
    cancel = a_command(Asks.CANCEL)
    await world.take(a_command(), cancel)

    canceled = an_execution(
        ExecType.CANCELED, status=OrdStatus.CANCELED, cl_ord_id=cancel.cl_ord_id, orig_cl_ord_id="o1"
    )
    await world.lane.hear([an_execution(), canceled])

    assert world.lane.unanswered == 0
    assert world.reports.kinds[-2:] == [Kind.PLACED, Kind.CANCELED]


async def test_a_refused_cancel_is_told_with_its_command(world: World) -> None:
    await world.log_on()
    cancel = a_command(Asks.CANCEL)
    await world.take(a_command())
    await world.lane.hear([an_execution()])
    await world.take(cancel)

    refused = ChangeRefused(cl_ord_id=cancel.cl_ord_id, orig_cl_ord_id="o1", is_replace=False, refusal="TOO_LATE")
    await world.lane.hear([refused])

    last = world.reports.told[-1]
    assert (last.kind, last.command_id, last.client_order_id) == (Kind.CANCEL_REJECTED, "o1:cancel", "key-o1")
    assert world.lane.unanswered == 0


async def test_a_cancel_refused_as_unknown_keeps_an_unanswered_order_from_being_sent(world: World) -> None:
    await world.log_on()
    cancel = a_command(Asks.CANCEL)
    await world.take(a_command(), cancel)

    refused = ChangeRefused(cl_ord_id=cancel.cl_ord_id, orig_cl_ord_id="o1", is_replace=False, refusal="UNKNOWN_ORDER")
    await world.lane.hear([refused])

    assert Kind.CANCEL_REJECTED not in world.reports.kinds
    assert world.lane.unanswered == 2


async def test_a_replace_is_told_with_its_command_and_number(world: World) -> None:
    await world.log_on()
    await world.take(a_command())
    await world.lane.hear([an_execution()])
    await world.take(a_command(Asks.REPLACE, number=1, quantity=7))

    await world.lane.hear([an_execution(ExecType.REPLACED, cl_ord_id="o1-1", orig_cl_ord_id="o1", quantity=7)])

    last = world.reports.told[-1]
    assert (last.kind, last.command_id, last.replace_number, last.new_quantity) == (Kind.REPLACED, "o1:replace", 1, 7)
    assert world.lane.unanswered == 0


async def test_a_refused_repetition_asks_what_became_of_the_order(world: World) -> None:
    await world.log_on()
    await world.take(a_command())

    duplicate = an_execution(ExecType.REJECTED, status=OrdStatus.REJECTED, refusal="DUPLICATE_ORDER")
    await world.lane.hear([duplicate])
    await world.pass_time(0)

    assert Kind.REJECTED not in world.reports.kinds
    assert world.session.said[-1] == "? o1"


async def test_a_message_that_the_venue_cannot_take_rejects_the_order(world: World) -> None:
    await world.log_on()
    await world.take(a_command())

    await world.lane.hear([Unsupported(message_type="D", name="o1", code="FIELD_MISSING", text="tag 44")])

    assert world.reports.kinds[-1] is Kind.REJECTED
    assert world.lane.unanswered == 0


async def test_halted_lets_only_cancels_through(world: World) -> None:
    await world.log_on()
    await world.take(a_command())
    await world.lane.hear([an_execution()])
    await world.trading.set(TradingState.HALTED, actor="olga", reason="a test")

    outcomes = await world.take(
        a_command(order_id="o2"), a_command(Asks.REPLACE, number=1), a_command(Asks.CANCEL, order_id="o3")
    )

    assert outcomes == [Later(at(60)), Later(None), None]
    assert world.session.said[1:] == ["SUBMIT o1"]
    assert world.permission.acts[0].actor == "olga"


async def test_reducing_lets_sells_through(world: World) -> None:
    await world.log_on()
    await world.trading.set(TradingState.REDUCING, actor="olga", reason="a test")

    await world.take(a_command(order_id="o2"), a_command(order_id="o3", side=Side.SELL))

    assert world.session.said[1:] == ["SUBMIT o3"]


async def test_a_change_of_an_order_that_nobody_sent_looks_again_soon(world: World) -> None:
    await world.log_on()

    assert await world.take(a_command(Asks.REPLACE, number=1)) == [Later(at(1))]


async def test_while_the_database_is_away_nothing_is_sent_and_then_it_is_sent_once(world: World) -> None:
    await world.log_on()
    world.journal.away = True

    taking = asyncio.create_task(world.take(a_command()))
    await asyncio.sleep(0.05)
    assert world.session.said == ["? all"]
    world.journal.away = False
    async with asyncio.timeout(5):
        assert await taking == [None]

    assert world.session.said == ["? all", "SUBMIT o1"]


async def test_a_look_into_an_absent_database_gives_all_back(world: World) -> None:
    await world.log_on()
    world.journal.away = True

    with pytest.raises(Unavailable):
        await world.take(a_command(Asks.REPLACE, number=1))


async def test_a_row_whose_writing_is_in_doubt_is_recognised_as_our_own(world: World) -> None:
    await world.log_on()
    insert, tries = world.journal.decide, list[int]()

    async def written_but_not_confirmed(note, group, rows):  # type: ignore[no-untyped-def]  # stands in for the journal's own
        older = await insert(note, group, rows)
        tries.append(1)
        if len(tries) == 1:
            raise Unavailable("no answer")
        return older

    world.journal.decide = written_but_not_confirmed  # type: ignore[method-assign]  # a database that dies after writing

    await world.take(a_command())

    assert len(tries) == 2
    assert world.session.said[1:] == ["SUBMIT o1"]


async def test_what_was_noted_before_a_crash_is_asked_about_and_not_sent_again(world: World) -> None:
    await world.log_on()
    await world.take(a_command())
    reborn = World(world.journal)

    async with running(reborn):
        assert reborn.lane.unanswered == 1
        await reborn.log_on()
        await reborn.take(a_command())
        await reborn.pass_time(0)

    assert reborn.session.said == ["? all", "? o1"]


async def test_a_note_without_a_row_means_that_nothing_was_sent(world: World) -> None:
    await world.journal.decide(Note("b1", ("o1",)), 0, [])
    reborn = World(world.journal)

    async with running(reborn):
        await reborn.log_on()
        await reborn.take(a_command())

    assert reborn.session.said == ["? all", "SUBMIT o1"]


async def test_what_another_gateway_noted_while_it_slept_is_taken_up(world: World) -> None:
    await world.log_on()
    sleeper = World(world.journal)
    async with running(sleeper):
        await sleeper.log_on()
        await world.log_out()
        await sleeper.take(a_command())
    world.journal.logons["ORD-0"] = 10
    await world.log_on()

    await world.pass_time(1.1)
    for _ in range(2):
        await world.lane.hear([an_unknown()])
        await world.pass_time(3)

    assert "SUBMIT o1 again" in world.session.said
    assert world.lane.unanswered == 1


async def test_what_another_gateway_decides_after_it_woke_up_is_taken_up(world: World) -> None:
    await world.journal.decide(Note("sleeper's", ("o1",)), 0, [])
    await world.log_on()
    await world.lane.watch.forget()
    assert "sleeper's" in world.journal.notes
    here = world.talk.standpoint()
    world.journal.rows["o1"] = structs.replace(new_row(a_command(), Plan.CLAIM, here, claim="sleeper's"), logon=0)

    await world.lane.watch.take_up()
    assert world.lane.unanswered == 1
    for _ in range(2):
        await world.lane.hear([an_unknown()])
        await world.pass_time(3)
    await world.lane.hear([an_execution()])
    await world.lane.watch.forget()

    assert "SUBMIT o1 again" in world.session.said
    assert world.journal.notes == {}


async def test_what_another_gateway_has_seen_answered_is_let_go(world: World) -> None:
    await world.log_on()
    await world.take(a_command())
    await world.log_out()
    world.journal.notes.clear()
    world.clock.seconds = 5

    await world.log_on()

    assert world.lane.unanswered == 0


async def test_notes_are_dropped_when_all_is_answered(world: World) -> None:
    await world.log_on()
    await world.take(a_command(), a_command(order_id="o2"))
    await world.lane.hear([an_execution()])
    await world.lane.watch.forget()
    assert world.journal.notes

    await world.lane.hear([an_execution(cl_ord_id="o2")])
    await world.lane.watch.forget()

    assert not world.journal.notes


async def test_the_books_of_the_venue_settle_what_was_unanswered(world: World) -> None:
    await world.log_on()
    await world.take(a_command())
    await world.log_out()
    world.session.books = [a_status()]

    await world.log_on()

    assert world.reports.kinds == [Kind.SUBMITTED, Kind.UNCERTAIN, Kind.PLACED]
    assert world.lane.unanswered == 0


async def test_a_lane_takes_no_commands_while_another_gateway_has_the_session(world: World) -> None:
    assert world.lane.is_wanted
    world.session.standing = Standing.REFUSED
    assert not world.lane.is_wanted


async def test_a_look_up_gets_its_own_answer(world: World) -> None:
    await world.log_on()
    asked: list[str] = []

    async def ask_about(order_id: str, *, request_id: str) -> None:
        asked.append(request_id)

    world.session.ask_about = ask_about  # type: ignore[method-assign]  # to learn the question's id
    for answer in (a_status(OrdStatus.FILLED), an_unknown()):
        looking = asyncio.create_task(world.lane.look_up("o1"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await world.lane.hear([structs.replace(answer, request_id=asked[-1])])
        if answer.is_unknown:
            with pytest.raises(VenueOrderUnknown):
                await looking
        else:
            assert (await looking)[0].status is OrdStatus.FILLED


async def test_nobody_is_looked_up_without_a_session(world: World) -> None:
    with pytest.raises(VenueUnreachable):
        await world.lane.look_up("o1")
    with pytest.raises(VenueUnreachable):
        await world.lane.compare()


async def test_the_place_in_the_reports_is_kept_once_they_are_told(world: World) -> None:
    await world.log_on()
    await world.take(a_command())
    await world.lane.hear([an_execution(time=at(5))])

    await world.lane.watch.keep_place()
    await world.lane.watch.keep_place()

    assert world.journal.heard["ORD-0"] == at(5)


async def test_a_submission_is_told_only_when_the_venue_is_silent_for_a_moment(world: World) -> None:
    await world.log_on()
    await world.take(a_command(), a_command(order_id="o2"))
    await world.lane.hear([an_execution()])

    world.clock.seconds += 0.2
    await world.lane.watch.announce()

    assert [(one.order_id, one.kind) for one in world.reports.told] == [("o1", Kind.PLACED), ("o2", Kind.SUBMITTED)]


async def test_the_first_fact_after_a_submission_carries_its_hops_and_no_other_does(world: World) -> None:
    await world.log_on()
    await world.take(a_command(commit_time=at(-2), publish_time=at(-1)))
    await world.lane.hear([an_execution(), an_execution(ExecType.FILL, exec_id="E2", last_quantity=10)])

    first, second = world.reports.told
    assert first.hops == Hops(at(-2), at(-1), at(0), at(0))
    assert second.hops is None


async def test_an_order_said_to_be_unknown_has_the_session_begun_anew_and_is_then_sent(world: World) -> None:
    await world.log_on()
    await world.take(a_command())
    for _ in range(2):
        await world.lane.hear([an_unknown()])
        await world.pass_time(2.1)
    assert world.session.hung_up == 1

    await world.log_out()
    await world.log_on()
    for _ in range(2):
        await world.lane.hear([an_unknown()])
        await world.pass_time(2.1)

    assert world.session.said[-1] == "SUBMIT o1 again"


async def test_the_session_is_begun_anew_rarely(world: World) -> None:
    await world.log_on()
    await world.take(a_command())
    for _ in range(20):
        await world.lane.hear([an_unknown()])
        await world.pass_time(2.1)
    assert world.session.hung_up == 1

    await world.pass_time(30)
    assert world.session.hung_up == 2


async def test_the_venue_saying_unknown_once_does_not_end_the_session(world: World) -> None:
    await world.log_on()
    await world.take(a_command())
    await world.lane.hear([an_unknown()])
    await world.pass_time(100)
    assert world.session.hung_up == 0


async def test_an_order_halted_while_its_row_was_written_is_not_sent_before_it_may_be(world: World) -> None:
    await world.log_on()
    decide = world.journal.decide

    async def halted_meanwhile(note, group, rows):  # type: ignore[no-untyped-def]  # stands in for the journal's own
        await world.trading.set(TradingState.HALTED, actor="olga", reason="a test")
        return await decide(note, group, rows)

    world.journal.decide = halted_meanwhile  # type: ignore[method-assign]  # a slow database
    await world.take(a_command())
    for _ in range(2):
        await world.lane.hear([an_unknown()])
        await world.pass_time(2.1)
    assert [said for said in world.session.said if said.startswith("SUBMIT")] == []

    await world.trading.set(TradingState.ACTIVE, actor="olga", reason="over")
    await world.pass_time(1)
    assert world.session.said[-1] == "SUBMIT o1 again"


async def test_orders_behind_one_that_fails_are_watched_and_those_before_it_are_not_sent_twice(world: World) -> None:
    await world.log_on()
    send = world.session.send

    async def fail(command, *, again=False):  # type: ignore[no-untyped-def]  # a session that cannot write one of them
        if command.order_id == "o2":
            raise ValueError("cannot be written")
        await send(command, again=again)

    world.session.send = fail  # type: ignore[method-assign]  # see above
    orders = [a_command(order_id=order_id) for order_id in ("o1", "o2", "o3")]
    with pytest.raises(ValueError, match="written"):
        await world.take(*orders)
    await world.lane.hear([an_execution()])
    for order in orders:
        await world.take(order)
    for _ in range(2):
        await world.lane.hear([an_unknown("o1"), an_unknown("o2"), an_unknown("o3")])
        await world.pass_time(2.1)
    await world.pass_time(1)

    sent = [said for said in world.session.said if said.startswith("SUBMIT")]
    assert sent == ["SUBMIT o1", "SUBMIT o3 again"]


async def test_a_key_is_known_again_after_a_restart(world: World) -> None:
    await world.log_on()
    await world.take(a_command())
    await world.lane.hear([an_execution()])
    reborn = World(world.journal)
    async with running(reborn):
        await reborn.log_on()
        await reborn.lane.hear([an_execution(ExecType.FILL, exec_id="E2", account_id="")])

    assert (reborn.reports.told[-1].client_order_id, reborn.reports.told[-1].account_id) == ("key-o1", "demo")


async def test_a_journal_that_is_away_keeps_no_fact_from_being_told(world: World) -> None:
    await world.log_on()
    world.journal.away = True
    await world.lane.hear([an_execution(ExecType.FILL, exec_id="E2", last_quantity=10)])

    assert world.reports.kinds == [Kind.FILL]
