"""order_svc/standing.py: whose turn it is to speak, and fills that the exchange counts and we do not know."""

import pytest

from order_svc.fact import Fact, Kind
from order_svc.standing import Standing, standing_of
from tests.factories import a_fact, a_fill, an_order, at

ASKED = a_fact(Kind.CANCEL_REQUESTED, command_id="c1")


@pytest.mark.parametrize(
    ("facts", "standing"),
    [
        ([], Standing.NEW),
        ([a_fact(Kind.UNCERTAIN)], Standing.WAITING),
        ([a_fact(Kind.SUBMITTED)], Standing.WAITING),
        ([a_fact(Kind.PLACED)], Standing.RESTING),
        ([a_fact(Kind.PLACED), ASKED], Standing.WAITING),
        ([a_fact(Kind.PLACED), a_fill("x1", 4)], Standing.RESTING),
        ([a_fact(Kind.PLACED, cumulative=4)], Standing.WAITING),
        ([a_fact(Kind.PLACED, cumulative=4), a_fill("x1", 4)], Standing.RESTING),
        ([a_fill("x1", 10)], Standing.CLOSED),
        ([a_fact(Kind.CANCELED)], Standing.CLOSED),
        ([a_fact(Kind.CANCELED, cumulative=3)], Standing.WAITING),
        ([a_fact(Kind.REJECTED)], Standing.CLOSED),
    ],
)
def test_who_has_to_speak_next_follows_from_the_facts(facts: list[Fact], standing: Standing) -> None:
    assert standing_of(an_order(facts=facts)) is standing


def test_the_exchanges_highest_count_holds_whatever_arrived_last() -> None:
    later, earlier = a_fact(Kind.PLACED, cumulative=7), a_fact(Kind.SUBMITTED, cumulative=2, time=at(9))

    assert an_order(facts=[later, earlier, a_fill("x1", 2)]).missing_quantity == 5


def test_a_fill_taken_back_is_not_missed() -> None:
    fill = a_fact(Kind.FILL, fact_id="f1", exec_id="x1", quantity=4, cumulative=4, price_micros=1)
    bust = a_fact(Kind.BUST, exec_id="x2", exec_ref_id="x1", time=at(5))

    assert an_order(facts=[fill]).missing_quantity == 0
    assert an_order(facts=[fill, a_fact(Kind.PLACED, cumulative=0), bust]).missing_quantity in {0, 4}
