from price_svc.bar import DAY, FIVE_MINUTES, HOUR, MINUTE, Bar, BarBook, day_bar
from price_svc.quote import DAY_NS, Quote
from tests.unit.price_svc.examples import NOON_NS, a_bar, at


def trade(book: BarBook, *, price: int, size: int, second: float, venue_now: float | None = None) -> None:
    now = second if venue_now is None else venue_now
    book.add("AAPL", price=price, size=size, time_ns=at(second), venue_now_ns=at(now))


def prices_of(bar: Bar) -> tuple[int, ...]:
    return bar.open_micros, bar.high_micros, bar.low_micros, bar.close_micros, bar.volume


def test_trades_of_a_minute_make_a_bar_in_each_interval() -> None:
    book = BarBook()
    for second, price in ((1, 20), (20, 50), (40, 10), (59, 30)):
        trade(book, price=price, size=2, second=second)

    for interval in (MINUTE, FIVE_MINUTES, HOUR):
        (bar,) = book.open_bars("AAPL", interval)
        assert prices_of(bar) == (20, 50, 10, 30, 8)
        assert bar.start_ns == NOON_NS


def test_a_late_trade_corrects_the_bar_before() -> None:
    book = BarBook()
    trade(book, price=20, size=1, second=59)
    trade(book, price=21, size=1, second=60.5)
    trade(book, price=99, size=1, second=59.5, venue_now=62)

    before, latest = book.open_bars("AAPL", MINUTE)
    assert prices_of(before) == (20, 99, 20, 99, 2)
    assert prices_of(latest) == (21, 21, 21, 21, 1)


def test_a_trade_that_comes_too_late_changes_no_minute() -> None:
    book = BarBook()
    trade(book, price=20, size=1, second=59)
    trade(book, price=21, size=1, second=65.5)
    trade(book, price=99, size=1, second=59.5, venue_now=66)

    before, _ = book.open_bars("AAPL", MINUTE)
    (hour,) = book.open_bars("AAPL", HOUR)
    assert prices_of(before) == (20, 20, 20, 20, 1)
    assert hour.high_micros == 99


def test_a_bar_is_handed_over_once_when_it_is_final() -> None:
    book = BarBook()
    trade(book, price=20, size=1, second=59)

    assert book.take_final(at(64.9)) == []
    (final,) = book.take_final(at(65))
    assert (final.interval, final.start_ns) == (MINUTE, NOON_NS)
    assert book.take_final(at(70)) == []
    assert {bar.interval for bar in book.unsaved()} == {FIVE_MINUTES, HOUR}


def test_nothing_is_lost_of_a_backlog_of_many_minutes() -> None:
    book = BarBook()
    for minute in range(10):
        trade(book, price=20 + minute, size=1, second=60 * minute)

    minutes = [bar for bar in book.take_final(at(3_000)) if bar.interval == MINUTE]
    assert [bar.open_micros for bar in minutes] == list(range(20, 30))


def test_trades_go_on_in_bars_of_an_earlier_life() -> None:
    book = BarBook()
    book.restore([a_bar(open_micros=10, high_micros=40, low_micros=5, close_micros=20, volume=7)])
    trade(book, price=50, size=1, second=30)

    (bar,) = book.open_bars("AAPL", MINUTE)
    assert prices_of(bar) == (10, 50, 5, 50, 8)


def test_a_bar_that_ended_while_nobody_listened_becomes_final() -> None:
    book = BarBook()
    book.restore([a_bar()])
    trade(book, price=50, size=1, second=200)

    assert a_bar() in book.take_final(at(201))


def test_the_day_is_what_the_quote_says() -> None:
    quote = Quote("AAPL", price_micros=4, open_micros=2, high_micros=5, low_micros=1, volume=9, time_ns=at(5))

    bar = day_bar(quote)

    assert bar == Bar("AAPL", DAY, NOON_NS // DAY_NS * DAY_NS, 2, 5, 1, 4, 9)
    assert day_bar(Quote("AAPL")) is None


def test_a_trade_between_two_bars_makes_the_one_that_was_missing() -> None:
    book = BarBook()
    trade(book, price=20, size=1, second=59)
    trade(book, price=21, size=1, second=121)
    trade(book, price=99, size=3, second=119, venue_now=122)

    missing = next(bar for bar in book.take_final(at(126)) if bar.interval == MINUTE and bar.start_ns == at(60))
    assert prices_of(missing) == (99, 99, 99, 99, 3)


def test_a_final_bar_that_was_handed_over_is_not_changed_by_a_late_trade() -> None:
    book = BarBook()
    trade(book, price=20, size=1, second=59)
    book.take_final(at(70))
    trade(book, price=99, size=1, second=58, venue_now=70)

    assert [bar for bar in book.take_final(at(200)) if bar.interval == MINUTE] == []
