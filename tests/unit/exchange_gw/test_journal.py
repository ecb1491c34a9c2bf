"""What the journal decides: a table, line by line."""

import pytest

from exchange_gw.command import Asks
from exchange_gw.journal import Decision, Deed, Plan, Row, Standpoint, deed_for, new_row, plan_for, waves
from exchange_gw.report import Verdict
from tests.unit.exchange_gw.factories import NOON, a_command, at

OPEN, CLOSED = Standpoint(NOON, 7, True), Standpoint(NOON, 7, False)
LATE = Standpoint(at(61), 7, True)
KNOWN = {"exchange_order_id": "X1"}


@pytest.mark.parametrize(
    ("asks", "here", "allowed", "sent", "plan"),
    [
        (Asks.SUBMIT, OPEN, True, False, Plan.CLAIM),
        (Asks.SUBMIT, OPEN, False, False, Plan.WAIT),
        (Asks.SUBMIT, CLOSED, True, False, Plan.WAIT),
        (Asks.SUBMIT, LATE, True, False, Plan.BURY),
        (Asks.SUBMIT, LATE, False, False, Plan.BURY),
        (Asks.CANCEL, OPEN, True, False, Plan.BURY),
        (Asks.CANCEL, CLOSED, True, False, Plan.BURY),
        (Asks.CANCEL, OPEN, True, True, Plan.PASS),
        (Asks.REPLACE, OPEN, True, False, Plan.LOOK),
        (Asks.QUERY, CLOSED, True, False, Plan.LOOK),
        (Asks.QUERY, OPEN, True, True, Plan.PASS),
    ],
)
def test_what_a_command_needs_from_the_journal(
    asks: Asks, here: Standpoint, allowed: bool, sent: bool, plan: Plan
) -> None:
    assert plan_for(a_command(asks), here, allowed=allowed, sent=sent) is plan


@pytest.mark.parametrize("asks", [Asks.CANCEL, Asks.REPLACE, Asks.QUERY])
def test_an_order_with_an_id_of_the_venue_was_sent(asks: Asks) -> None:
    assert plan_for(a_command(asks, **KNOWN), OPEN, allowed=True, sent=False) is Plan.PASS


def a_row(verdict: Verdict | None = None) -> Row:
    decision = Decision.NEVER_SEND if verdict else Decision.SEND
    return Row(command=a_command(), decision=decision, decide_time=NOON, logon=7, verdict=verdict)


@pytest.mark.parametrize(
    ("asks", "row", "here", "inserted", "deed"),
    [
        (Asks.SUBMIT, a_row(), OPEN, True, Deed.SEND),
        (Asks.SUBMIT, a_row(), OPEN, False, Deed.ASK),
        (Asks.SUBMIT, a_row(Verdict.CANCELED_UNSENT), OPEN, False, Deed.TELL),
        (Asks.SUBMIT, a_row(Verdict.EXPIRED_UNSENT), OPEN, True, Deed.TELL),
        (Asks.CANCEL, a_row(Verdict.CANCELED_UNSENT), CLOSED, True, Deed.TELL),
        (Asks.CANCEL, a_row(), OPEN, False, Deed.SEND),
        (Asks.CANCEL, a_row(), CLOSED, False, Deed.WAIT),
        (Asks.REPLACE, a_row(), OPEN, False, Deed.SEND),
        (Asks.REPLACE, a_row(), CLOSED, False, Deed.WAIT),
        (Asks.REPLACE, None, OPEN, False, Deed.WAIT),
        (Asks.REPLACE, a_row(Verdict.CANCELED_UNSENT), OPEN, False, Deed.TELL),
        (Asks.QUERY, None, OPEN, False, Deed.ASK),
        (Asks.QUERY, a_row(Verdict.EXPIRED_UNSENT), OPEN, False, Deed.TELL),
    ],
)
def test_what_follows_from_the_row(asks: Asks, row: Row | None, here: Standpoint, inserted: bool, deed: Deed) -> None:
    assert deed_for(a_command(asks), row, here, plan=Plan.LOOK, inserted=inserted, allowed=True) is deed


def test_a_change_that_is_not_allowed_waits() -> None:
    command = a_command(Asks.REPLACE)
    assert deed_for(command, a_row(), OPEN, plan=Plan.PASS, inserted=False, allowed=False) is Deed.WAIT


@pytest.mark.parametrize("asks", [Asks.CANCEL, Asks.REPLACE])
def test_a_change_of_an_order_that_is_known_to_be_sent_needs_no_row(asks: Asks) -> None:
    assert deed_for(a_command(asks), None, OPEN, plan=Plan.PASS, inserted=False, allowed=True) is Deed.SEND
    assert deed_for(a_command(asks), None, CLOSED, plan=Plan.PASS, inserted=False, allowed=True) is Deed.WAIT


def test_the_row_says_why_an_order_is_never_sent() -> None:
    canceled = new_row(a_command(Asks.CANCEL), Plan.BURY, OPEN, claim="b1")
    late = new_row(a_command(), Plan.BURY, LATE, claim="b1")
    sent = new_row(a_command(), Plan.CLAIM, OPEN, claim="b1")

    assert (canceled.decision, canceled.verdict) == (Decision.NEVER_SEND, Verdict.CANCELED_UNSENT)
    assert (late.decision, late.verdict) == (Decision.NEVER_SEND, Verdict.EXPIRED_UNSENT)
    assert (sent.decision, sent.verdict, sent.logon) == (Decision.SEND, None, 7)


def test_commands_of_one_order_keep_their_order_in_different_waves() -> None:
    commands = [
        a_command(order_id="a"),
        a_command(order_id="b"),
        a_command(Asks.CANCEL, order_id="a"),
        a_command(Asks.QUERY, order_id="a"),
        a_command(Asks.CANCEL, order_id="b"),
    ]

    assert waves(commands) == [[0, 1], [2, 4], [3]]
    assert waves([]) == []
