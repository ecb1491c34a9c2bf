"""The checker finds each broken promise in a story made for it, and finds nothing in a good one."""

import pytest

from tests.faults import stories
from tests.faults.checker import check
from tests.faults.evidence import DEAD_LETTERED, Evidence, Letter, venue_orders
from tests.faults.history import History, Kind
from tests.faults.stories import KEY, ORDER, VENUE, A, Spoil, a_good_story, a_row, called, order
from tests.faults.violation import Harm, Violation


def test_a_good_story_breaks_no_promise() -> None:
    assert check(a_good_story()) == []


def spoiled(spoil: Spoil) -> list[Violation]:
    evidence, history = a_good_story(), History()
    history.events = list(evidence.history)
    evidence.history = history.events
    spoil(evidence, history)
    return check(evidence)


@pytest.mark.parametrize(
    ("spoil", "invariant", "harm"),
    [
        (stories.lose_the_row, "I3", Harm.LOST),
        (stories.lose_at_both, "I1", Harm.LOST),
        (stories.nobody_asked, "I1", Harm.OTHER),
        (stories.refused_and_there, "I1", Harm.OTHER),
        (stories.sent_twice, "I2", Harm.DOUBLED),
        (stories.two_orders_for_a_key, "I4", Harm.DOUBLED),
        (stories.another_id_answered, "I4", Harm.DOUBLED),
        (stories.other_terms_answered, "I4", Harm.OTHER),
        (stories.other_price_at_the_exchange, "I3", Harm.OTHER),
        (stories.a_fill_missing, "I6", Harm.LOST),
        (stories.a_fill_too_many, "I6", Harm.DOUBLED),
        (stories.another_state, "I6", Harm.OTHER),
        (stories.filled_at_nobody, "I6", Harm.OTHER),
        (stories.never_sent, "I6", Harm.STUCK),
        (stories.never_sent, "I7", Harm.STUCK),
        (stories.uncertain_for_ever, "I7", Harm.STUCK),
        (stories.outbox_left, "I7", Harm.STUCK),
        (stories.state_goes_back, "I5", Harm.OTHER),
        (stories.two_faces, "I5", Harm.OTHER),
        (stories.read_goes_back, "I8", Harm.OTHER),
        (stories.read_forgets, "I8", Harm.LOST),
        (stories.list_forgets, "I8", Harm.LOST),
        (stories.foreign_order, "I9", Harm.OTHER),
        (stories.probe_found_something, "I9", Harm.OTHER),
        (stories.canary_heard, "I9", Harm.OTHER),
        (stories.dead_letter_not_shown, "I11", Harm.OTHER),
        (stories.dead_letter_missing, "I11", Harm.OTHER),
        (stories.push_lost, "I12", Harm.OTHER),
        (stories.push_doubled, "I12", Harm.OTHER),
        (stories.last_push_never_came, "I12", Harm.LOST),
        (stories.resumed_elsewhere, "I12", Harm.OTHER),
        (stories.no_snapshot, "I12", Harm.OTHER),
        (stories.stream_goes_back, "I12", Harm.OTHER),
        (stories.act_not_audited, "I14", Harm.OTHER),
        (stories.case_failed, "case", Harm.OTHER),
    ],
)
def test_a_broken_promise_is_found(spoil: Spoil, invariant: str, harm: Harm) -> None:
    found = spoiled(spoil)

    assert (invariant, harm) in {(one.invariant, one.harm) for one in found}, list(map(str, found))


def test_an_unknown_outcome_is_no_failure_and_a_recovered_order_no_phantom() -> None:
    def never_answered(evidence: Evidence, history: History) -> None:
        called(history, "place", Kind.INFO, {}, key="fa.0-2")
        stories.nobody_asked(evidence, history)
        history.add("socket-a", Kind.TOLD, "began", account=A, value={"recovered": False, "position": "9-5"})
        mine = [order("FILLED", revision=2, filled=7, order_id=one, client_order_id=key) for one, key in BOTH]
        history.add("socket-a", Kind.TOLD, "snapshot", account=A, value={"orders": mine})

    assert spoiled(never_answered) == []


BOTH = ((ORDER, KEY), ("order-2", "fa.0-2"))


def test_an_order_that_was_dead_lettered_may_stay_uncertain() -> None:
    def poisoned(evidence: Evidence, history: History) -> None:
        evidence.letters, evidence.expected_letters = [Letter("ORDER_COMMANDS", "MALFORMED", ORDER)], 1
        evidence.rows = [a_row(certainty="UNCERTAIN", reason=DEAD_LETTERED, state="PENDING", fills={})]
        evidence.venue = []

    assert spoiled(poisoned) == []


def test_a_late_fill_may_complete_a_canceled_order() -> None:
    def filled_late(evidence: Evidence, history: History) -> None:
        canceled = order("CANCELED", revision=2, filled=0)
        history.events[:] = []
        called(history, "place", Kind.OK, {"order": order(), "replayed": False})
        called(history, "get", Kind.OK, {"order": canceled})
        called(history, "get", Kind.OK, {"order": order("FILLED", revision=3, filled=7)})
        evidence.updates, evidence.rows = [], [a_row(revision=3)]

    assert spoiled(filled_late) == []


def test_the_ledger_is_read_as_orders() -> None:
    line = {
        "order_id": VENUE,
        "cl_ord_id": ORDER,
        "account": A,
        "symbol": "AAPL",
        "side": "buy",
        "quantity": 7,
        "price_micros": 10_000_000,
    }
    ledger = [
        {"fact": "accepted", "exec_id": "e0", **line},
        {"fact": "replaced", "exec_id": "e1", **line, "cl_ord_id": f"{ORDER}-1", "quantity": 9},
        {"fact": "fill", "exec_id": "e2", **line, "last_quantity": 4, "last_price_micros": 10_000_000},
        {"fact": "canceled", "exec_id": "e3", **line},
        {"fact": "rejected", "exec_id": "e4", **line, "order_id": ""},
    ]

    (found,) = venue_orders(ledger)

    assert (found.root, found.quantity, found.filled, found.state) == (ORDER, 9, 4, "CANCELED")
    (whole,) = venue_orders([ledger[0], {**ledger[2], "last_quantity": 7}])
    assert whole.state == "FILLED"
