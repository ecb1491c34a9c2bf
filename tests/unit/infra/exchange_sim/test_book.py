"""Tests of infra/exchange_sim/book.py and fills.py: how orders and trades are found."""

from infra.exchange_sim.book import DAY_US, firm_of
from tests.unit.infra.exchange_sim.factories import SESSION, Floor

FIRM = firm_of(SESSION)


def closed_and_open(floor: Floor) -> list[str]:
    """Place an order that is filled at once and one that rests; return their ids."""
    now = floor.now_us
    floor.place(f"filled-{now}")
    floor.place(f"resting-{now}", price="1.00")
    return [floor.order(f"{kind}-{now}").order_id for kind in ("filled", "resting")]


def test_open_orders_of_any_age_are_found_and_closed_ones_since_a_day() -> None:
    floor = Floor()
    _, old_open = closed_and_open(floor)
    floor.now_us += 2 * DAY_US
    new_closed, new_open = closed_and_open(floor)

    found = floor.book.ids_of(FIRM, since_day=floor.now_us // DAY_US - 1)

    assert found == [old_open, new_open, new_closed]


def test_an_order_counts_by_the_day_on_which_it_closed() -> None:
    floor = Floor()
    floor.place(price="1.00")
    floor.now_us += 2 * DAY_US
    floor.cancel()

    assert floor.book.ids_of(FIRM, since_day=floor.now_us // DAY_US) == [floor.order().order_id]


def test_trades_are_found_by_their_time_both_ends_included() -> None:
    floor = Floor()
    times = []
    for key in "abc":
        floor.now_us += 10
        times.append(floor.now_us)
        floor.place(key)
    fills = floor.book.fills(FIRM)

    assert [fills[place].fact.cl_ord_id for place in fills.between(times[1], times[2])] == ["b", "c"]
    assert [fills[place].fact.cl_ord_id for place in fills.between(times[1], times[1])] == ["b"]
    assert not fills.between(times[2] + 1, times[2] + 9)


def test_a_trade_of_a_clock_that_was_set_back_is_not_missed() -> None:
    floor = Floor()
    floor.place("before")
    since = floor.now_us
    floor.now_us -= 1000
    floor.place("after")
    fills = floor.book.fills(FIRM)

    assert [fills[place].fact.cl_ord_id for place in fills.between(since, since)] == ["before", "after"]


def test_orders_of_one_key_are_all_found() -> None:
    floor = Floor(duplicate_detection=False)
    floor.place("same")
    floor.place("same")

    orders = floor.book.namesakes(FIRM, "same")

    assert len({order.order_id for order in orders}) == 2
    assert [len(floor.book.fills_of(order.order_id)) for order in orders] == [1, 1]
    assert floor.book.namesakes("OTHER", "same") == []
