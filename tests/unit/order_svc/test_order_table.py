"""The life of an order as one table: what is known of it, what happens, and where it is then (a row a case)."""

from dataclasses import dataclass

import pytest

from order_svc.fact import Fact, Kind, Reason, Source
from order_svc.order import TERMINAL, Certainty, PendingAction, State
from tests.factories import NOON, a_fact, a_fill, an_order, at

QUANTITY = 10


@dataclass(frozen=True)
class Row:
    """One row of the table of transitions: what has happened, what happens, and where the order is then."""

    event: str
    known: tuple[Fact, ...]
    news: Fact
    state: State
    before: State
    pending: PendingAction = PendingAction.NONE
    certainty: Certainty = Certainty.CONFIRMED
    filled: int = 0
    overfilled: int = 0
    reason: str = ""


def why(code: str, source: Source = Source.EXCHANGE) -> Reason:
    return Reason(code, source)


SUBMITTED, PLACED = a_fact(Kind.SUBMITTED), a_fact(Kind.PLACED)
CANCELED, EXPIRED = a_fact(Kind.CANCELED, reason=why("BY_USER")), a_fact(Kind.EXPIRED, reason=why("DAY_OVER"))
REJECTED = a_fact(Kind.REJECTED, reason=why("NO_CASH"))
CANCEL = a_fact(Kind.CANCEL_REQUESTED, command_id="c1")
REPLACE = a_fact(Kind.REPLACE_REQUESTED, command_id="c1", number=1, quantity=20)
SILENT = a_fact(Kind.UNCERTAIN, reason=why("SILENT", Source.GATEWAY))
SILENT_CANCEL = a_fact(Kind.UNCERTAIN, command_id="c1", reason=why("SILENT", Source.GATEWAY))
NONE, ASKED, CHANGING = PendingAction.NONE, PendingAction.CANCEL, PendingAction.REPLACE
S, UNCERTAIN = State, Certainty.UNCERTAIN
FOUR, SIX, TEN = a_fill("x4", 4), a_fill("x6", 6), a_fill("x10", 10)


def replaced(quantity: int) -> Fact:
    return a_fact(Kind.REPLACED, command_id="c1", number=1, quantity=quantity)


TABLE = [
    Row("gateway claim", (), SUBMITTED, S.SUBMITTED, S.PENDING),
    Row("cancel of an order never sent", (CANCEL,), CANCELED, S.CANCELED, S.PENDING, reason="BY_USER"),
    Row("submit_by passed", (), EXPIRED, S.EXPIRED, S.PENDING, reason="DAY_OVER"),
    Row("venue ack", (SUBMITTED,), PLACED, S.PLACED, S.SUBMITTED),
    Row("venue ack overtook the claim", (PLACED,), SUBMITTED, S.PLACED, S.PLACED),
    Row("venue ack after a fill", (SUBMITTED, FOUR), PLACED, S.PARTIALLY_FILLED, S.PARTIALLY_FILLED, filled=4),
    Row("venue ack after the end", (SUBMITTED, TEN), PLACED, S.FILLED, S.FILLED, filled=10),
    Row("venue reject", (SUBMITTED,), REJECTED, S.REJECTED, S.SUBMITTED, reason="NO_CASH"),
    Row("venue reject after its ack", (SUBMITTED, PLACED), REJECTED, S.REJECTED, S.PLACED, reason="NO_CASH"),
    Row("fill of a claimed order", (SUBMITTED,), FOUR, S.PARTIALLY_FILLED, S.SUBMITTED, filled=4),
    Row("fill of an order nobody claimed", (), FOUR, S.PARTIALLY_FILLED, S.PENDING, filled=4),
    Row("fill of a placed order", (PLACED,), FOUR, S.PARTIALLY_FILLED, S.PLACED, filled=4),
    Row("last fill", (PLACED, FOUR), SIX, S.FILLED, S.PARTIALLY_FILLED, filled=10),
    Row("the same fill again", (PLACED, FOUR), FOUR, S.PARTIALLY_FILLED, S.PARTIALLY_FILLED, filled=4),
    Row("too much", (PLACED, FOUR), TEN, S.FILLED, S.PARTIALLY_FILLED, filled=14, overfilled=4),
    Row("late fill of a canceled order", (CANCELED,), FOUR, S.CANCELED, S.CANCELED, filled=4, reason="BY_USER"),
    Row("late fill of an expired order", (EXPIRED,), FOUR, S.EXPIRED, S.EXPIRED, filled=4, reason="DAY_OVER"),
    Row("late fill of a rejected order", (REJECTED,), FOUR, S.REJECTED, S.REJECTED, filled=4, reason="NO_CASH"),
    Row("late fill completes a canceled order", (FOUR, CANCELED), SIX, S.FILLED, S.CANCELED, filled=10),
    Row("late fill completes an expired order", (EXPIRED,), TEN, S.FILLED, S.EXPIRED, filled=10),
    Row("late fill completes a rejected order", (REJECTED,), TEN, S.FILLED, S.REJECTED, filled=10),
    Row("cancel requested before the ack", (SUBMITTED,), CANCEL, S.SUBMITTED, S.SUBMITTED, ASKED),
    Row("cancel requested", (PLACED,), CANCEL, S.PLACED, S.PLACED, ASKED),
    Row(
        "cancel requested after a fill",
        (FOUR,),
        CANCEL,
        S.PARTIALLY_FILLED,
        S.PARTIALLY_FILLED,
        ASKED,
        filled=4,
    ),
    Row("cancel ack", (PLACED, CANCEL), CANCELED, S.CANCELED, S.PLACED, reason="BY_USER"),
    Row(
        "cancel ack keeps the fills",
        (FOUR, CANCEL),
        CANCELED,
        S.CANCELED,
        S.PARTIALLY_FILLED,
        filled=4,
        reason="BY_USER",
    ),
    Row("canceled without being asked", (PLACED,), CANCELED, S.CANCELED, S.PLACED, reason="BY_USER"),
    Row("fill overtakes the cancel", (PLACED, CANCEL), TEN, S.FILLED, S.PLACED, filled=10),
    Row("cancel reject", (PLACED, CANCEL), a_fact(Kind.CANCEL_REJECTED, command_id="c1"), S.PLACED, S.PLACED),
    Row(
        "cancel reject of another cancel",
        (PLACED, CANCEL),
        a_fact(Kind.CANCEL_REJECTED, command_id="c0"),
        S.PLACED,
        S.PLACED,
        ASKED,
    ),
    Row("replace requested", (PLACED,), REPLACE, S.PLACED, S.PLACED, CHANGING),
    Row("replace ack", (PLACED, REPLACE), replaced(20), S.PLACED, S.PLACED),
    Row("replace reject", (PLACED, REPLACE), a_fact(Kind.REPLACE_REJECTED, command_id="c1"), S.PLACED, S.PLACED),
    Row("replace below what is filled", (SIX, REPLACE), replaced(4), S.FILLED, S.PARTIALLY_FILLED, filled=6),
    Row("rest of an IOC", (FOUR,), EXPIRED, S.EXPIRED, S.PARTIALLY_FILLED, filled=4, reason="DAY_OVER"),
    Row("time-out", (SUBMITTED,), SILENT, S.SUBMITTED, S.SUBMITTED, certainty=UNCERTAIN, reason="SILENT"),
    Row("time-out after the ack", (SUBMITTED, PLACED), SILENT, S.PLACED, S.PLACED),
    Row(
        "time-out of a cancel",
        (PLACED, CANCEL),
        SILENT_CANCEL,
        S.PLACED,
        S.PLACED,
        ASKED,
        UNCERTAIN,
        reason="SILENT",
    ),
    Row("reconcile: found", (SUBMITTED, SILENT), PLACED, S.PLACED, S.SUBMITTED),
    Row("reconcile: filled", (SUBMITTED, SILENT), TEN, S.FILLED, S.SUBMITTED, filled=10),
    Row("reconcile: proven absent", (SUBMITTED, SILENT), REJECTED, S.REJECTED, S.SUBMITTED, reason="NO_CASH"),
    Row(
        "budget spent, no proof",
        (SUBMITTED, SILENT),
        a_fact(Kind.UNCERTAIN, fact_id="dead", time=at(9), reason=why("DEAD_LETTERED", Source.GATEWAY)),
        S.SUBMITTED,
        S.SUBMITTED,
        certainty=UNCERTAIN,
        reason="DEAD_LETTERED",
    ),
    Row("bust", (PLACED, TEN), a_fact(Kind.BUST, exec_ref_id="x10"), S.PLACED, S.FILLED),
    Row(
        "correction",
        (PLACED, TEN),
        a_fact(Kind.CORRECTION, exec_ref_id="x10", exec_id="y10", quantity=7),
        S.PARTIALLY_FILLED,
        S.FILLED,
        filled=7,
    ),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.event.replace(" ", "-"))
def test_the_table_of_transitions(row: Row) -> None:
    before = an_order(quantity=QUANTITY, facts=row.known)
    assert before.state is row.before

    after = before.with_facts([row.news], now=NOON)

    assert (after.state, after.pending_action, after.certainty) == (row.state, row.pending, row.certainty)
    assert (after.filled_quantity, after.overfilled_quantity) == (row.filled, row.overfilled)
    assert (after.reason.code if after.reason else "") == row.reason


def test_the_table_has_every_way_out_of_every_open_state() -> None:
    ways = {(row.before, row.state) for row in TABLE if row.before is not row.state}

    assert {before for before, _ in ways} >= set(State) - {State.FILLED}
    assert {after for before, after in ways if before not in TERMINAL} >= set(State) - {State.PENDING}
