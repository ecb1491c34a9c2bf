import pytest

from price_svc.bar import DAY, FIVE_MINUTES, HOUR, MINUTE
from price_svc.history import InvalidTimerange, joined, timerange_of
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
