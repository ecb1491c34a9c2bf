"""Whatever the order in which the trades of a minute come, its bars are the same."""

from hypothesis import given, settings
from hypothesis import strategies as st

from price_svc.bar import TRADED_INTERVALS, Bar, BarBook
from price_svc.calendar import calendar_of
from price_svc.quote import DAY_NS, Quote
from tests.unit.price_svc.examples import at

# Second, price, size: all within five seconds around the end of a minute, so that none comes after its bar is final.
TRADES = st.lists(
    st.tuples(st.integers(58_000, 62_900), st.integers(1, 99), st.integers(1, 9)),
    min_size=1,
    max_size=8,
    unique_by=lambda t: t[0],
)


def bars_of(trades: list[tuple[int, int, int]]) -> dict[tuple[str, int, int], Bar]:
    book = BarBook()
    for milliseconds, price, size in trades:
        book.add("A", price=price, size=size, time_ns=at(milliseconds / 1_000), venue_now_ns=at(62.9))
    return {bar.key: bar for bar in book.take_final(at(100_000))}


@settings(max_examples=60, deadline=None)
@given(trades=TRADES.flatmap(lambda trades: st.tuples(st.just(trades), st.permutations(trades))))
def test_any_order_of_the_same_trades_gives_the_same_bars(
    trades: tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]],
) -> None:
    told, shuffled = trades
    in_order = bars_of(sorted(told))

    assert bars_of(shuffled) == in_order
    assert sum(bar.volume for bar in in_order.values()) == len(TRADED_INTERVALS) * sum(size for _, _, size in told)


@settings(max_examples=40, deadline=None)
@given(trades=TRADES, cut=st.integers(0, 8))
def test_bars_that_went_through_a_restart_have_the_same_extremes_and_volume(
    trades: list[tuple[int, int, int]], cut: int
) -> None:
    before = BarBook()
    for milliseconds, price, size in sorted(trades)[:cut]:
        before.add("A", price=price, size=size, time_ns=at(milliseconds / 1_000), venue_now_ns=at(62.9))
    after = BarBook()
    after.restore(before.unsaved())
    for milliseconds, price, size in sorted(trades)[cut:]:
        after.add("A", price=price, size=size, time_ns=at(milliseconds / 1_000), venue_now_ns=at(62.9))

    assert {bar.key: bar for bar in after.take_final(at(100_000))} == bars_of(sorted(trades))


def test_a_venues_day_has_no_bar_outside_of_its_sessions() -> None:
    calendar = calendar_of("XNYS")
    monday, sunday = calendar.on(20_514), 20_513 * DAY_NS
    assert monday is not None
    book = BarBook(calendar)
    quote = Quote("A", price_micros=4, open_micros=2, high_micros=5, low_micros=1, volume=9)
    for time_ns in (sunday, monday.open_ns - 1, monday.close_ns + 3_600 * 10**9):
        book.add_day(quote._replace(time_ns=time_ns))
    assert book.open_bars("A", 86_400) == []

    book.add_day(quote._replace(time_ns=monday.open_ns))
    (day,) = book.open_bars("A", 86_400)
    assert day.start_ns == monday.day * DAY_NS
