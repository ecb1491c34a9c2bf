"""order_svc/order.py: an order is a fold over a set of facts."""

import random

from hypothesis import given
from hypothesis import strategies as st

from order_svc.fact import Fact, Kind
from order_svc.identity import fingerprint_of, order_id_of
from order_svc.order import Certainty, Order, PendingAction, State
from tests.factories import NOON, a_fact, a_fill, an_order, at, some_terms

_SIMPLE = [
    kind for kind in Kind if kind not in (Kind.FILL, Kind.BUST, Kind.CORRECTION, Kind.REPLACED, Kind.REPLACE_REQUESTED)
]


@st.composite
def some_facts(draw: st.DrawFn) -> list[Fact]:
    fills = [
        a_fill(f"x{number}", draw(st.integers(1, 6)), seconds=draw(st.integers(0, 5)))
        for number in range(draw(st.integers(0, 4)))
    ]
    others = [
        a_fact(kind, fact_id=f"{kind}-{number}", time=at(draw(st.integers(0, 5))), command_id=f"c{number % 2}")
        for number, kind in enumerate(draw(st.lists(st.sampled_from(_SIMPLE), max_size=6)))
    ]
    replaces = [
        a_fact(
            Kind.REPLACED,
            fact_id=f"r{number}",
            number=number,
            quantity=draw(st.integers(1, 20)),
            command_id=f"r{number}",
        )
        for number in range(1, draw(st.integers(1, 3)))
    ]
    return fills + others + replaces


def shown(order: Order) -> tuple[object, ...]:
    """Return all that a client sees, but for the times at which we heard of it."""
    return (
        order.state,
        order.pending_action,
        order.certainty,
        order.reason,
        order.quantity,
        order.limit_price_micros,
        order.filled_quantity,
        order.leaves_quantity,
        order.average_price_micros,
        order.exchange_order_id,
        order.place_time,
        order.close_time,
        order.facts,
    )


@given(some_facts(), st.randoms(use_true_random=False))
def test_any_order_of_arrival_and_any_repetition_give_the_same_order(facts: list[Fact], chance: random.Random) -> None:
    at_once = an_order().with_facts(facts, now=NOON)

    shuffled = facts + chance.sample(facts, len(facts) // 2)
    chance.shuffle(shuffled)
    one_by_one = an_order()
    for fact in shuffled:
        one_by_one = one_by_one.with_facts([fact], now=NOON)

    assert shown(one_by_one) == shown(at_once)


@given(some_facts())
def test_nothing_is_lost_and_nothing_is_counted_twice(facts: list[Fact]) -> None:
    order = an_order().with_facts(facts, now=NOON).with_facts(facts, now=NOON)

    filled = sum({fact.exec_id: fact.quantity for fact in facts if fact.kind is Kind.FILL}.values())
    assert order.filled_quantity == filled
    assert order.overfilled_quantity == max(0, filled - order.quantity)
    assert order.leaves_quantity == (0 if order.is_terminal else order.quantity - filled)


@given(some_facts())
def test_facts_that_are_known_change_nothing_at_all(facts: list[Fact]) -> None:
    order = an_order().with_facts(facts, now=NOON)

    assert order.with_facts(facts, now=at(99)) is order


@given(some_facts())
def test_a_terminal_order_never_opens_again(facts: list[Fact]) -> None:
    order = an_order()
    for fact in facts:
        before = order
        order = order.with_facts([fact], now=NOON)
        assert order.is_terminal or not before.is_terminal or fact.kind is Kind.REPLACED


def test_an_acknowledgement_after_the_fill_does_not_take_the_order_back() -> None:
    order = an_order(facts=[a_fill("x1", 10)])

    late = order.with_facts([a_fact(Kind.PLACED, exchange_order_id="E1")], now=NOON)

    assert late.state is State.FILLED
    assert late.exchange_order_id == "E1"


def test_a_fill_that_arrives_after_the_cancel_counts_and_completes() -> None:
    canceled = an_order(facts=[a_fill("x1", 4), a_fact(Kind.CANCELED)])
    assert canceled.state is State.CANCELED
    assert canceled.leaves_quantity == 0

    late = canceled.with_facts([a_fill("x2", 6)], now=NOON)

    assert late.state is State.FILLED


def test_an_overfill_is_kept_and_told() -> None:
    order = an_order(facts=[a_fill("x1", 8), a_fill("x2", 8)])

    assert (order.state, order.filled_quantity, order.overfilled_quantity) == (State.FILLED, 16, 6)


def test_a_requested_cancel_is_pending_until_it_is_answered() -> None:
    asked = an_order(facts=[a_fact(Kind.PLACED), a_fact(Kind.CANCEL_REQUESTED, command_id="c1")])
    assert (asked.state, asked.pending_action) == (State.PLACED, PendingAction.CANCEL)

    refused = asked.with_facts([a_fact(Kind.CANCEL_REJECTED, command_id="c1")], now=NOON)

    assert (refused.state, refused.pending_action) == (State.PLACED, PendingAction.NONE)


def test_a_doubt_lasts_until_the_exchange_says_something() -> None:
    doubted = an_order(facts=[a_fact(Kind.SUBMITTED), a_fact(Kind.UNCERTAIN)])
    assert (doubted.state, doubted.certainty) == (State.SUBMITTED, Certainty.UNCERTAIN)

    assert doubted.with_facts([a_fact(Kind.PLACED)], now=NOON).certainty is Certainty.CONFIRMED


def test_a_fill_that_is_taken_back_no_longer_counts() -> None:
    order = an_order(facts=[a_fill("x1", 10), a_fact(Kind.BUST, exec_ref_id="x1")])

    assert (order.filled_quantity, order.state) == (0, State.PENDING)


def test_the_average_price_is_rounded_half_to_even() -> None:
    order = an_order(facts=[a_fill("x1", 1, price_micros=1), a_fill("x2", 1, price_micros=2)])

    assert order.average_price_micros == 2


def test_a_replace_below_what_is_filled_ends_at_what_is_filled() -> None:
    order = an_order(facts=[a_fill("x1", 6), a_fact(Kind.REPLACED, number=1, quantity=4)])

    assert (order.quantity, order.state) == (6, State.FILLED)


def test_the_id_is_a_function_of_account_and_key_and_fits_a_clordid() -> None:
    assert order_id_of("demo", "k1") == order_id_of("demo", "k1") != order_id_of("demo", "k2")
    assert order_id_of("a", "bc") != order_id_of("ab", "c")
    assert len(order_id_of("demo", "k1")) == 26


def test_the_fingerprint_tells_terms_apart_but_not_what_we_add_to_them() -> None:
    plain = fingerprint_of(some_terms(), submit_by_given=False)

    assert plain == fingerprint_of(some_terms(submit_by=at(1), collar_price_micros=5), submit_by_given=False)
    assert plain != fingerprint_of(some_terms(quantity=11), submit_by_given=False)
    assert plain != fingerprint_of(some_terms(), submit_by_given=True)


def test_a_replacement_that_is_learnt_from_the_exchanges_books_answers_the_request_by_its_number() -> None:
    asked = a_fact(Kind.REPLACE_REQUESTED, command_id="r1", number=1, quantity=12)
    replaced = a_fact(Kind.REPLACED, number=1, quantity=12)
    again = a_fact(Kind.REPLACE_REQUESTED, fact_id="r2", command_id="r2", number=2, quantity=14, time=at(3))

    assert an_order(facts=[a_fact(Kind.PLACED), asked]).pending_action is PendingAction.REPLACE
    assert an_order(facts=[a_fact(Kind.PLACED), asked, replaced]).pending_action is PendingAction.NONE
    assert an_order(facts=[a_fact(Kind.PLACED), asked, replaced, again]).pending == again
