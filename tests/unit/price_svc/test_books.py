from itertools import pairwise

from price_svc.books import Books, Unfinished
from price_svc.quote import Quote
from price_svc.shelf import unfinished_from, unfinished_to
from runtime.subjects import TICK_PARTITIONS, partition_of
from tests.unit.price_svc.examples import a_bar, a_tick, at


def of(symbol: str) -> int:
    return partition_of(symbol, TICK_PARTITIONS)


def test_what_is_left_survives_its_document() -> None:
    left = Unfinished([a_bar(), a_bar(symbol="F", interval=3_600)], {"AAPL": (1, 2), "F": (1, 9)}, 77)

    assert unfinished_from(unfinished_to(3, left)) == left


def test_what_an_older_release_left_has_bars_and_no_place() -> None:
    assert unfinished_from({"_id": 3, "bars": [list(a_bar())]}) == Unfinished([a_bar()], {}, None)


def test_a_tick_is_counted_once_however_often_it_is_read() -> None:
    books = Books(of)
    for seq in (1, 2, 1, 2):
        books.count(a_tick(seq=seq), venue_now_ns=at(1))

    assert books.open_bars("AAPL", 60)[0].volume == 200


def test_a_final_bar_is_left_to_the_next_owner_until_it_is_surely_written() -> None:
    books = Books(of)
    books.count(a_tick(), venue_now_ns=at(1))
    assert [bar.interval for bar in books.take_final(of("AAPL"), at(66))] == [60]

    def left() -> list[int]:
        return sorted(bar.interval for bar in books.leave(of("AAPL"), 0).bars)

    assert [left(), left(), left()] == [[60, 300, 3_600], [60, 300, 3_600], [300, 3_600]]


def test_bars_made_of_quotes_are_not_shown_once_their_owner_has_written_them() -> None:
    books = Books(of)
    quotes = [
        Quote("AAPL", price_micros=5, volume=100 * seq, epoch=1, seq=seq, time_ns=at(60 * seq)) for seq in range(6)
    ]
    for before, told in pairwise(quotes):
        books.count_told(before, told, venue_now_ns=told.time_ns)

    assert [bar.start_ns for bar in books.open_bars("AAPL", 60)] == [at(240), at(300)]
    books.count_told(quotes[-1], quotes[-1]._replace(volume=900, seq=9, time_ns=at(900)), venue_now_ns=at(900))
    assert [bar.start_ns for bar in books.open_bars("AAPL", 60)] == [at(900)]
