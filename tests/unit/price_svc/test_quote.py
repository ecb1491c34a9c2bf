from hypothesis import given
from hypothesis import strategies as st

from price_svc.board import Board
from price_svc.quote import DAY_NS, Quote, State, Tick
from runtime.money import MICROS
from tests.unit.price_svc.examples import NOON_NS, a_tick, at

MIDNIGHT = 43_200


def after(*ticks: Tick) -> Quote:
    quote = Quote("AAPL")
    for tick in ticks:
        quote = quote.after(tick, state=State.LIVE, since_ns=1, reason="")
    return quote


def test_the_day_is_reckoned_from_trades() -> None:
    quote = after(
        a_tick(seq=1, price_micros=10, size=5),
        a_tick(seq=2, price_micros=30, size=1),
        a_tick(seq=3, price_micros=20, size=2),
    )

    assert (quote.open_micros, quote.high_micros, quote.low_micros, quote.price_micros) == (10, 30, 10, 20)
    assert quote.volume == 8


def test_what_the_venue_says_of_the_day_holds() -> None:
    quote = after(
        a_tick(seq=1, price_micros=10, size=5),
        a_tick(seq=2, snapshot=True, price_micros=12, open_micros=9, high_micros=15, low_micros=8, volume=700),
        a_tick(seq=3, price_micros=13, size=10),
    )

    assert (quote.open_micros, quote.high_micros, quote.low_micros, quote.price_micros) == (9, 15, 8, 13)
    assert quote.volume == 710


def test_a_change_of_one_side_keeps_the_other() -> None:
    quote = after(a_tick(seq=1, bid_micros=5, ask_micros=7), a_tick(seq=2, price_micros=0, size=0, bid_micros=6))

    assert (quote.bid_micros, quote.ask_micros, quote.price_micros) == (6, 7, 190 * MICROS)


def test_a_snapshot_without_bid_means_that_there_is_none() -> None:
    quote = after(a_tick(seq=1, bid_micros=5, ask_micros=7), a_tick(seq=2, snapshot=True, ask_micros=8))

    assert (quote.bid_micros, quote.ask_micros) == (0, 8)


def test_the_day_rolls_at_midnight_of_the_venue() -> None:
    quote = after(a_tick(seq=1, price_micros=10, size=5), a_tick(seq=2, price_micros=20, size=3, time_ns=at(MIDNIGHT)))

    assert quote.previous_close_micros == 10
    assert (quote.open_micros, quote.high_micros, quote.low_micros, quote.volume) == (20, 20, 20, 3)
    assert quote.day == NOON_NS // DAY_NS + 1


def test_a_trade_told_after_midnight_does_not_roll_the_day_back() -> None:
    quote = after(
        a_tick(seq=1, price_micros=10, size=5),
        a_tick(seq=2, price_micros=20, size=3, time_ns=at(MIDNIGHT)),
        a_tick(seq=3, price_micros=99, size=1, time_ns=at(MIDNIGHT - 1)),
        a_tick(seq=4, price_micros=21, size=1, time_ns=at(MIDNIGHT + 1)),
    )

    assert (quote.previous_close_micros, quote.open_micros, quote.high_micros, quote.volume) == (10, 20, 21, 4)


def test_a_new_epoch_is_newer_whatever_the_number() -> None:
    quote = after(a_tick(epoch=2, seq=900))

    assert quote.is_older_than(3, 1)
    assert quote.is_older_than(2, 901)
    assert not quote.is_older_than(2, 900)
    assert not quote.is_older_than(1, 5000)


def test_absurd_ticks_are_known() -> None:
    assert a_tick().is_plausible(at(1))
    assert not a_tick(symbol="").is_plausible(at(1))
    assert not a_tick(price_micros=-1).is_plausible(at(1))
    assert not a_tick(time_ns=at(4000)).is_plausible(at(1))


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 9)), max_size=30))
def test_a_version_never_goes_back(versions: list[tuple[int, int]]) -> None:
    board, seen = Board(), [(0, 0)]
    for epoch, seq in versions:
        board.apply(a_tick(epoch=epoch, seq=seq), at(2))
        quote = board.quote("AAPL")
        assert quote is not None
        seen.append((quote.epoch, quote.seq))

    assert seen == sorted(seen)
    assert seen[-1] == max([(0, 0), *versions])
