import pytest

from price_svc.bar import DAY, FIVE_MINUTES, HOUR, MINUTE
from price_svc.calendar import ALWAYS, calendar_of
from price_svc.history import Asked, InvalidInterval, InvalidTimerange, Span, joined, timerange_of, told
from price_svc.page import InvalidPageToken
from price_svc.quote import DAY_NS, SECOND_NS
from tests.unit.price_svc.examples import NOON_NS, a_bar, at


@pytest.mark.parametrize(
    ("text", "interval", "bars"),
    [("1d", MINUTE, 1_440), ("1w", FIVE_MINUTES, 2_016), ("1m", HOUR, 744), ("3m", DAY, 92), ("1y", DAY, 366)],
)
def test_a_range_has_bars_that_fit_it(text: str, interval: int, bars: int) -> None:
    timerange = timerange_of(text)

    first = timerange.first_start_ns(at(0))

    assert timerange.interval == interval
    assert first % interval == 0
    assert bars <= (NOON_NS - first) // (interval * 1_000_000_000) <= bars + 1


@pytest.mark.parametrize("text", ["1D", "2d", "1min", "d", " 1d"])
def test_another_range_is_refused(text: str) -> None:
    with pytest.raises(InvalidTimerange) as refusal:
        timerange_of(text)
    assert refusal.value.metadata["known"] == "1d, 1w, 1m, 3m, 1y"


def test_what_is_in_memory_is_newer() -> None:
    old, newer = a_bar(volume=1), a_bar(volume=2)
    later = a_bar(start_ns=at(60))

    assert joined([later, old], [newer]) == [newer, later]


XNYS = calendar_of("XNYS")
SUNDAY_NS = NOON_NS - DAY_NS


def span_of(asked: Asked, *, size: int = 0, token: str = "", now_ns: int = NOON_NS) -> Span:
    return asked.span("AAPL", now_ns, ALWAYS, page_size=size, page_token=token)


def test_on_a_weekend_a_day_is_that_of_the_last_session() -> None:
    friday = XNYS.on(20_511)
    assert friday is not None

    span = Asked("1d").span("AAPL", SUNDAY_NS, XNYS, page_size=0, page_token="")

    assert span == Span(MINUTE, friday.open_ns, SUNDAY_NS + 1)


@pytest.mark.parametrize(
    ("days_back", "days", "interval"),
    [
        (1, 1, MINUTE),
        (7, 7, FIVE_MINUTES),
        (31, 31, HOUR),
        (32, 32, DAY),
        (10, 1, FIVE_MINUTES),
        (60, 1, HOUR),
        (400, 1, DAY),
    ],
)
def test_the_interval_fits_the_range_and_what_is_still_kept_of_it(days_back: int, days: int, interval: int) -> None:
    first = NOON_NS - days_back * DAY_NS

    assert span_of(Asked(from_ns=first, to_ns=first + days * DAY_NS)).interval == interval


def test_pages_go_on_behind_the_last_bar_while_new_ones_are_made() -> None:
    asked = Asked(interval="1min", from_ns=NOON_NS - 600 * SECOND_NS)
    bars = [a_bar(start_ns=at(-600 + 60 * nth)) for nth in range(10)]

    first, token = span_of(asked, size=4).cut(bars)
    behind = span_of(asked, size=100, token=token, now_ns=NOON_NS + 60 * SECOND_NS)
    rest, end = behind.cut([bar for bar in [*bars, a_bar(start_ns=at(0))] if behind.holds(bar)])

    assert [*first, *rest] == [*bars, a_bar(start_ns=at(0))]
    assert end == ""


def test_a_page_token_keeps_the_interval_that_fitted_first() -> None:
    asked = Asked(from_ns=NOON_NS - DAY_NS)
    _, token = span_of(asked, size=1).cut([a_bar(start_ns=at(-120)), a_bar(start_ns=at(-60))])

    assert span_of(asked, token=token, now_ns=NOON_NS + DAY_NS).interval == MINUTE
    with pytest.raises(InvalidPageToken):
        span_of(Asked(interval="1h"), token=token)


def test_sessions_of_days_are_those_that_open_in_the_range() -> None:
    monday = XNYS.on(20_514)
    assert monday is not None
    at_open = Asked(interval="1d", from_ns=monday.open_ns, to_ns=monday.open_ns + 1)
    behind = Asked(interval="1d", from_ns=monday.open_ns + 1, to_ns=monday.open_ns + DAY_NS)

    spans = [asked.span("A", at(9_999), XNYS, page_size=0, page_token="") for asked in (at_open, behind)]

    assert [span.holds(a_bar(interval=DAY, start_ns=monday.day * DAY_NS)) for span in spans] == [True, False]


@pytest.mark.parametrize(
    "asked",
    [Asked("1d", from_ns=1), Asked("1d", to_ns=1), Asked(from_ns=2, to_ns=2), Asked("2d"), Asked(interval="1m")],
)
def test_what_can_never_be_answered_is_refused(asked: Asked) -> None:
    with pytest.raises((InvalidTimerange, InvalidInterval)):
        asked.check()


def test_a_day_is_told_with_its_session_and_is_final_after_its_close() -> None:
    monday = XNYS.on(20_514)
    assert monday is not None
    day = a_bar(interval=DAY, start_ns=monday.day * DAY_NS)

    assert told(day, monday.close_ns, XNYS) == (monday.open_ns, False)
    assert told(day, monday.close_ns + 5 * SECOND_NS, XNYS) == (monday.open_ns, True)
    assert told(day, monday.close_ns, ALWAYS) == (day.start_ns, False)
