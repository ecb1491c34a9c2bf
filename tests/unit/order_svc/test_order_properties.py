"""order_svc/order.py and fact.py as a fold: what must hold for any facts, in any order, however often and however grouped."""

import random
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from order_svc.fact import Fact, Kind, Reason, Source
from order_svc.order import Certainty, Order, PendingAction, State
from tests.factories import NOON, a_fact, a_fill, an_order, at

QUANTITY = 10
SECONDS = st.integers(0, 5)
# The later one wins where facts contradict one another, so that is the way forward.
RANK = [
    State.PENDING,
    State.SUBMITTED,
    State.PLACED,
    State.PARTIALLY_FILLED,
    State.REJECTED,
    State.EXPIRED,
    State.CANCELED,
    State.FILLED,
]
ONCE = (Kind.SUBMITTED, Kind.PLACED, Kind.CANCELED, Kind.EXPIRED, Kind.REJECTED)


@st.composite
def fills(draw: st.DrawFn) -> list[Fact]:
    return [
        a_fill(
            f"x{number}",
            draw(st.integers(1, 6)),
            price_micros=draw(st.integers(1, 300)) * 10_000,
            seconds=draw(SECONDS),
        )
        for number in range(draw(st.integers(0, 5)))
    ]


@st.composite
def restatements(draw: st.DrawFn) -> list[Fact]:
    """Executions taken back and corrected; now and then one that we never hear of otherwise."""
    made = []
    for number in draw(st.sets(st.integers(0, 5), max_size=2)):
        kind = draw(st.sampled_from([Kind.BUST, Kind.CORRECTION]))
        about = {"exec_ref_id": f"x{number}", "exec_id": f"y{number}", "time": at(draw(SECONDS))}
        if kind is Kind.CORRECTION:
            about |= {"quantity": draw(st.integers(1, 6)), "price_micros": 190_000_000}
        made.append(a_fact(kind, fact_id=f"{kind}-{number}", **about))
    return made


@st.composite
def changes(draw: st.DrawFn) -> list[Fact]:
    """Requests of the user and the exchange's answers to them; each may be the only one that we hear of."""
    made = []
    for number in range(1, draw(st.integers(1, 4))):
        is_replace, quantity = draw(st.booleans()), draw(st.integers(1, 20))
        asked, done, refused = (
            (Kind.REPLACE_REQUESTED, Kind.REPLACED, Kind.REPLACE_REJECTED)
            if is_replace
            else (Kind.CANCEL_REQUESTED, Kind.CANCELED, Kind.CANCEL_REJECTED)
        )
        kinds = draw(st.lists(st.sampled_from([asked, draw(st.sampled_from([done, refused]))]), unique=True))
        for kind in kinds:
            terms = {"quantity": quantity, "number": number} if is_replace else {}
            name = "once" if kind is Kind.CANCELED else f"{kind}-{number}"
            made.append(a_fact(kind, fact_id=name, command_id=f"c{number}", time=at(draw(SECONDS)), **terms))
    return made


@st.composite
def doubts(draw: st.DrawFn) -> list[Fact]:
    return [
        a_fact(
            Kind.UNCERTAIN,
            fact_id=f"doubt-{number}",
            time=at(draw(SECONDS)),
            command_id=draw(st.sampled_from(["", "c1", "c2"])),
            reason=Reason(f"DOUBT_{number}", Source.GATEWAY),
        )
        for number in range(draw(st.integers(0, 2)))
    ]


@st.composite
def milestones(draw: st.DrawFn) -> list[Fact]:
    return [
        a_fact(kind, time=at(draw(SECONDS)), reason=Reason(f"WHY_{kind}", Source.EXCHANGE))
        for kind in draw(st.lists(st.sampled_from(ONCE), unique=True))
    ]


@st.composite
def arrivals(draw: st.DrawFn, *kinds: st.SearchStrategy[list[Fact]]) -> list[Fact]:
    """Return facts as they may arrive: in any order, some of them twice. One id is one fact."""
    facts = {fact.identity: fact for some in kinds for fact in draw(some)}
    repeated = draw(st.lists(st.sampled_from(sorted(facts)), max_size=4)) if facts else []
    return draw(st.permutations([*facts.values(), *(facts[identity] for identity in repeated)]))


EVERYTHING = arrivals(fills(), restatements(), changes(), doubts(), milestones())
WITHOUT_CHANGES = arrivals(fills(), doubts(), milestones())


def shown(order: Order) -> dict[str, object]:
    """Return all that follows from the facts."""
    names = (
        "state pending_action certainty reason quantity limit_price_micros filled_quantity leaves_quantity overfilled_quantity "
        "average_price_micros exchange_order_id place_time close_time active_number next_number is_terminal facts"
    )
    return {name: getattr(order, name) for name in names.split()}


def lived(facts: Sequence[Fact]) -> list[Order]:
    """Return the order as it was after every fact, one by one."""
    orders = [an_order(quantity=QUANTITY)]
    for fact in facts:
        orders.append(orders[-1].with_facts([fact], now=NOON))
    return orders


@given(EVERYTHING, st.randoms(use_true_random=False))
def test_any_permutation_repetition_and_grouping_give_the_same_order(facts: list[Fact], chance: random.Random) -> None:
    at_once = an_order(quantity=QUANTITY, facts=facts)

    shuffled = facts + chance.sample(facts, len(facts) // 2)
    chance.shuffle(shuffled)
    order = an_order(quantity=QUANTITY)
    while shuffled:
        size = chance.randint(1, len(shuffled))
        order = order.with_facts(shuffled[:size], now=NOON)
        del shuffled[:size]

    assert shown(order) == shown(at_once)


@given(EVERYTHING)
def test_every_fact_is_kept_once_and_the_revision_counts_the_news(facts: list[Fact]) -> None:
    for before, after, fact in zip((orders := lived(facts)), orders[1:], facts, strict=False):
        known = {one.identity for one in before.facts}
        assert {one.identity for one in after.facts} == known | {fact.identity}
        assert len(after.facts) == len(known | {fact.identity})
        assert after.revision == before.revision + (fact.identity not in known)
        assert (after is before) == (fact.identity in known)


@given(EVERYTHING)
def test_shares_are_never_lost_never_doubled_and_an_overfill_is_told(facts: list[Fact]) -> None:
    order = an_order(quantity=QUANTITY, facts=facts)

    undone = {fact.exec_ref_id for fact in facts if fact.kind in (Kind.BUST, Kind.CORRECTION)}
    counted = {
        fact.exec_id: fact.quantity
        for fact in facts
        if fact.kind in (Kind.FILL, Kind.CORRECTION) and fact.exec_id not in undone
    }
    assert order.filled_quantity == sum(counted.values())
    assert order.overfilled_quantity == max(0, order.filled_quantity - order.quantity)
    assert order.leaves_quantity == (0 if order.is_terminal else order.quantity - order.filled_quantity)
    assert order.leaves_quantity >= 0
    assert order.is_terminal or order.filled_quantity < order.quantity


@given(EVERYTHING)
def test_the_average_lies_between_the_cheapest_and_the_dearest_fill(facts: list[Fact]) -> None:
    order = an_order(quantity=QUANTITY, facts=facts)

    prices = [fill.price_micros for fill in order.fills] or [0]
    assert min(prices) <= order.average_price_micros <= max(prices)


@given(arrivals(fills(), changes(), doubts(), milestones()))
def test_without_a_restatement_no_share_is_taken_back(facts: list[Fact]) -> None:
    counts = [order.filled_quantity for order in lived(facts)]

    assert counts == sorted(counts)


@given(WITHOUT_CHANGES)
def test_no_state_goes_back(facts: list[Fact]) -> None:
    ranks = [RANK.index(order.state) for order in lived(facts)]

    assert ranks == sorted(ranks)


@given(arrivals(fills(), changes(), doubts(), milestones()))
def test_only_a_change_that_the_exchange_made_opens_an_order_again(facts: list[Fact]) -> None:
    for (before, after), fact in zip(pairwise(lived(facts)), facts, strict=True):
        if before.is_terminal and not after.is_terminal:
            assert fact.kind is Kind.REPLACED
            assert (before.state, after.quantity > before.quantity) == (State.FILLED, True)


@given(EVERYTHING, st.integers(1, 5))
def test_a_late_fill_counts_whatever_the_order_is(facts: list[Fact], quantity: int) -> None:
    order = an_order(quantity=QUANTITY, facts=facts)

    late = order.with_facts([a_fill("late", quantity)], now=NOON)

    assert late.filled_quantity == order.filled_quantity + quantity
    # Unless the fill completes it, the state is what it was; a fill is a proof that the exchange had the order.
    open_before = order.state in (State.PENDING, State.SUBMITTED, State.PLACED)
    assert late.state in {State.FILLED, State.PARTIALLY_FILLED if open_before else order.state}


@given(EVERYTHING)
def test_an_order_that_has_ended_waits_for_nothing_and_doubts_nothing(facts: list[Fact]) -> None:
    order = an_order(quantity=QUANTITY, facts=facts)

    if order.is_terminal:
        assert (order.pending_action, order.certainty) == (PendingAction.NONE, Certainty.CONFIRMED)
        assert order.close_time is not None
    assert (order.close_time is not None) == order.is_terminal


@given(EVERYTHING)
def test_a_request_is_pending_until_it_is_answered(facts: list[Fact]) -> None:
    order = an_order(quantity=QUANTITY, facts=facts)

    asked = {f.command_id for f in facts if f.kind in (Kind.CANCEL_REQUESTED, Kind.REPLACE_REQUESTED)}
    answers = (Kind.CANCEL_REJECTED, Kind.REPLACED, Kind.REPLACE_REJECTED)
    undecided = asked - {f.command_id for f in facts if f.kind in answers}
    assert (order.pending_action is not PendingAction.NONE) == (bool(undecided) and not order.is_terminal)
