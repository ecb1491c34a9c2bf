"""Tests of infra/exchange_sim/matching.py and the arithmetic in trades.py."""

import pytest

from infra.exchange_sim.facts import OrderType, Rejected, Side, TimeInForce
from infra.exchange_sim.order import State
from infra.exchange_sim.requests import CancelRejectReason, Refused, RejectReason
from tests.unit.infra.exchange_sim.factories import Floor, kinds, micros, trades

# The floor's price is 190.00, bid 189.99, ask 190.01, with 300 shares at each.


def test_a_small_market_order_is_filled_at_the_ask() -> None:
    floor = Floor()

    changes = floor.place(quantity=100)

    assert kinds(changes) == ["Accepted", "Filled"]
    assert trades(changes) == [(100, micros("190.01"))]
    assert floor.order().state is State.FILLED


def test_a_large_market_order_is_filled_in_parts_ever_further_from_the_ask() -> None:
    floor = Floor()

    changes = floor.place(quantity=1000)

    assert trades(changes) == [(300, micros("190.01")), (600, micros("190.02")), (100, micros("190.03"))]
    assert floor.order().paid_micros == sum(quantity * price for quantity, price in trades(changes))


def test_a_sale_walks_down_from_the_bid() -> None:
    assert trades(Floor().place(quantity=400, side=Side.SELL)) == [(300, micros("189.99")), (100, micros("189.98"))]


def test_a_market_order_stops_at_its_protection_price_and_the_rest_is_canceled() -> None:
    floor = Floor()

    changes = floor.place(quantity=2000, price_micros=micros("190.02"))

    assert kinds(changes) == ["Accepted", "Filled", "Filled", "Canceled"]
    assert trades(changes) == [(300, micros("190.01")), (600, micros("190.02"))]
    assert (floor.order().state, floor.order().filled, floor.order().leaves) == (State.CANCELED, 900, 0)


def test_a_market_order_whose_protection_price_is_passed_already_is_canceled_whole() -> None:
    assert kinds(Floor().place(price_micros=micros("189.00"))) == ["Accepted", "Canceled"]


def test_a_limit_order_away_from_the_market_rests() -> None:
    floor = Floor()

    assert kinds(floor.place(price="189.50")) == ["Accepted"]
    assert floor.move("189.51") == []
    assert floor.order().is_open


@pytest.mark.parametrize("last", ["189.50", "189.20"])
def test_a_resting_order_is_filled_at_its_limit_when_the_price_touches_or_crosses_it(last: str) -> None:
    floor = Floor()
    floor.place(price="189.50")

    assert trades(floor.move(last)) == [(100, micros("189.50"))]
    assert floor.order().state is State.FILLED


def test_a_large_resting_order_is_filled_over_several_moves() -> None:
    floor = Floor()
    floor.place(price="189.50", quantity=700)

    filled = [trades(floor.move("189.40"))[0][0] for _ in range(3)]

    assert filled == [300, 300, 100]
    assert [type(change.order) and change.order.state for change in floor.changes if change.order] == [
        State.NEW, State.PARTIALLY_FILLED, State.PARTIALLY_FILLED, State.FILLED,
    ]  # fmt: skip


def test_a_limit_order_that_crosses_takes_the_better_price_and_rests_with_what_is_left() -> None:
    floor = Floor()

    changes = floor.place(price="190.01", quantity=500)

    assert trades(changes) == [(300, micros("190.01"))]
    assert (floor.order().state, floor.order().leaves) == (State.PARTIALLY_FILLED, 200)


def test_the_best_price_trades_first_then_the_oldest() -> None:
    floor = Floor()
    floor.place("old", price="189.50", quantity=200)
    floor.place("young", price="189.50", quantity=200)
    floor.place("better", price="189.60", quantity=200)

    changes = floor.move("189.50")

    assert [(change.fact.cl_ord_id, quantity) for change, (quantity, _) in zip(changes, trades(changes), strict=True)] == [
        ("better", 200), ("old", 100),
    ]  # fmt: skip


def test_what_an_immediate_order_cannot_trade_is_canceled() -> None:
    floor = Floor()

    changes = floor.place(price="190.01", quantity=500, time_in_force=TimeInForce.IOC)

    assert kinds(changes) == ["Accepted", "Filled", "Canceled"]
    assert (floor.order().state, floor.order().filled) == (State.CANCELED, 300)


def test_fill_or_kill_trades_all_or_nothing() -> None:
    floor = Floor()

    killed = floor.place("killed", price="190.01", quantity=301, time_in_force=TimeInForce.FOK)
    filled = floor.place("filled", price="190.01", quantity=300, time_in_force=TimeInForce.FOK)

    assert kinds(killed) == ["Accepted", "Canceled"]
    assert kinds(filled) == ["Accepted", "Filled"]


def test_a_cancel_takes_the_rest_out_of_the_book() -> None:
    floor = Floor()
    floor.place(price="190.01", quantity=500)

    (change,) = floor.cancel()

    assert (change.fact.cl_ord_id, change.order and change.order.state) == ("cancel", State.CANCELED)
    assert floor.order().filled == 300
    assert floor.move("180.00") == []


@pytest.mark.parametrize(
    ("orig", "reason"), [("never", CancelRejectReason.UNKNOWN_ORDER), ("filled", CancelRejectReason.TOO_LATE)]
)
def test_a_cancel_is_refused_when_there_is_nothing_to_cancel(orig: str, reason: CancelRejectReason) -> None:
    floor = Floor()
    floor.place("filled")

    with pytest.raises(Refused) as refused:
        floor.cancel(orig)

    assert refused.value.reason is reason


def test_a_replaced_order_has_its_new_terms_and_answers_to_every_key() -> None:
    floor = Floor()
    floor.place(price="189.00")

    floor.replace(150, "189.10")
    floor.replace(160, "189.20", orig="replace", cl_ord_id="again")

    order = floor.order("key")
    assert order == floor.order("replace") == floor.order("again")
    assert (order.quantity, order.price_micros, order.cl_ord_id, order.orig_cl_ord_id) == (
        160, micros("189.20"), "again", "replace",
    )  # fmt: skip
    assert kinds(floor.cancel("key")) == ["Canceled"]


def test_a_replacement_that_crosses_trades_at_once() -> None:
    floor = Floor()
    floor.place(price="189.00")

    assert kinds(floor.replace(100, "191.00")) == ["Replaced", "Filled"]


def test_fewer_shares_than_are_filled_already_means_filled() -> None:
    floor = Floor()
    floor.place(price="190.01", quantity=500)

    (change,) = floor.replace(200, "190.01")

    assert change.fact.quantity == 300
    assert floor.order().state is State.FILLED


def test_a_replacement_loses_its_place_unless_only_shares_are_given_up() -> None:
    floor = Floor()
    floor.place("first", price="189.00")
    floor.place("second", price="189.00")
    rank = floor.order("first").rank

    floor.replace(50, "189.00", orig="first", cl_ord_id="fewer")
    assert floor.order("first").rank == rank
    floor.replace(60, "189.00", orig="fewer", cl_ord_id="more")
    assert floor.order("first").rank > floor.order("second").rank


@pytest.mark.parametrize(("quantity", "price"), [(0, "189.00"), (100_001, "189.00"), (100, "189.005")])
def test_a_replacement_with_odd_terms_is_refused(quantity: int, price: str) -> None:
    floor = Floor()
    floor.place(price="189.00")

    with pytest.raises(Refused) as refused:
        floor.replace(quantity, price)

    assert refused.value.reason is CancelRejectReason.OTHER
    assert floor.order().quantity == 100


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"symbol": "NOPE"}, RejectReason.UNKNOWN_SYMBOL),
        ({"quantity": 0}, RejectReason.INCORRECT_QUANTITY),
        ({"quantity": 100_001}, RejectReason.INCORRECT_QUANTITY),
        ({"type": OrderType.LIMIT}, RejectReason.OTHER),
        ({"type": OrderType.LIMIT, "price_micros": 190_005_000}, RejectReason.OTHER),
    ],
)
def test_an_order_that_cannot_be_traded_is_rejected(changes: dict[str, object], reason: RejectReason) -> None:
    floor = Floor()

    (change,) = floor.place(**changes)  # type: ignore[arg-type]  # each case names its own fields

    assert isinstance(change.fact, Rejected)
    assert change.fact.reason == reason
    assert floor.order().state is State.REJECTED


def test_a_halted_symbol_takes_no_orders_and_trades_none_but_cancels() -> None:
    floor = Floor()
    floor.place(price="189.00")
    floor.halted.add("AAPL")

    (rejected,) = floor.place("late")
    replaced = floor.replace(100, "195.00")

    assert isinstance(rejected.fact, Rejected)
    assert rejected.fact.reason == RejectReason.EXCHANGE_CLOSED
    assert kinds(replaced) == ["Replaced"]
    assert kinds(floor.cancel()) == ["Canceled"]


def test_a_key_that_is_taken_is_rejected_and_changes_nothing() -> None:
    floor = Floor()
    floor.place(price="189.00")
    before = floor.order()

    (change,) = floor.place(price="189.00")

    assert isinstance(change.fact, Rejected)
    assert (change.fact.reason, change.fact.order_id, change.order) == (RejectReason.DUPLICATE, "", None)
    assert floor.order() == before


def test_a_key_is_taken_per_firm() -> None:
    floor = Floor()
    floor.place(price="189.00")

    assert kinds(floor.place(price="189.00", session="OTHER-ORD-0")) == ["Accepted"]
    assert not isinstance(floor.place(price="189.00", session="STOCKMESH-ORD-1")[0].fact, type(None))
    assert isinstance(floor.changes[-1].fact, Rejected)


def test_without_duplicate_detection_a_double_send_is_a_double_fill() -> None:
    floor = Floor(duplicate_detection=False)

    first, second = floor.place(), floor.place()

    assert kinds(first) == kinds(second) == ["Accepted", "Filled"]
    assert first[0].fact.order_id != second[0].fact.order_id
    assert not floor.matching.is_known("STOCKMESH-ORD-0", "key")


def test_day_orders_of_earlier_days_expire_and_others_stay() -> None:
    floor = Floor()
    floor.place("day", price="189.00", time_in_force=TimeInForce.DAY)
    floor.place("gtc", price="189.00")
    floor.now_us += 1000
    floor.place("today", price="189.00", time_in_force=TimeInForce.DAY)

    expired = floor.matching.expire_day_orders(floor.now_us, floor.now_us)

    assert [(change.fact.cl_ord_id, change.order and change.order.state) for change in expired] == [
        ("day", State.EXPIRED)
    ]
    assert floor.order("gtc").is_open
    assert floor.order("today").is_open


def test_every_fact_has_a_number_and_an_id_of_its_own() -> None:
    floor = Floor()
    floor.place("a", quantity=1000)
    floor.place("a")
    floor.place("b", price="189.00")
    floor.replace(50, "189.00", orig="b")
    floor.cancel("b")

    assert [change.fact.seq for change in floor.changes] == list(range(1, len(floor.changes) + 1))
    assert len({change.fact.exec_id for change in floor.changes}) == len(floor.changes)
