"""Tests of infra/exchange_sim/trade_wire.py."""

from datetime import UTC, datetime

import pytest
from fixcore.message import Group, Message

from infra.exchange_sim.requests import TradesOfOrder, TradesOfTime
from infra.exchange_sim.trade_wire import NoAnswer, request_names, wanted_trades
from infra.exchange_sim.wire import BadMessage


def a_question(*dates: dict[int, str], **fields: str) -> Message:
    message = Message()
    for tag, value in ({"t568": "q", "t569": "1"} | fields).items():
        message.set_field(int(tag[1:]), value)
    for fields_of_date in dates:
        entry = Group()
        for number, value in fields_of_date.items():
            entry.set_field(number, value)
        message.add_group(580, entry)
    return message


def micros(*moment: int, micro: int = 0) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * 1_000_000 + micro  # type: ignore[arg-type, misc]  # a date


@pytest.mark.parametrize(
    ("time", "first", "last"),
    [
        ("20250102-03:04:05", 0, 999_999),
        ("20250102-03:04:05.678", 678_000, 678_999),
        ("20250102-03:04:05.678901", 678_901, 678_901),
    ],
)
def test_a_time_means_all_moments_that_are_written_like_it(time: str, first: int, last: int) -> None:
    date = {75: "20250102", 60: time}

    wanted = wanted_trades(a_question(date, date))

    second = micros(2025, 1, 2, 3, 4, 5)
    assert wanted == TradesOfTime(second + first, second + last)


def test_dates_alone_mean_whole_days() -> None:
    wanted = wanted_trades(a_question({75: "20250102"}, {75: "20250103"}))

    assert wanted == TradesOfTime(micros(2025, 1, 2), micros(2025, 1, 4) - 1)


def test_one_time_means_since_and_none_everything() -> None:
    since = wanted_trades(a_question({75: "20250102"}))
    everything = wanted_trades(a_question())

    assert isinstance(since, TradesOfTime)
    assert isinstance(everything, TradesOfTime)
    assert (since.since_us, everything.since_us) == (micros(2025, 1, 2), 0)
    assert since.until_us == everything.until_us > micros(9999, 1, 1)


def test_an_order_is_asked_for_by_any_of_its_names() -> None:
    assert wanted_trades(a_question(t11="key", t37="O1")) == TradesOfOrder("key", "O1")


@pytest.mark.parametrize("date", ["", "2025", "20250230", "20250102-03:04:05.x", "20250102-03:04:05.1234567"])
def test_a_time_that_is_none_is_refused(date: str) -> None:
    with pytest.raises(NoAnswer):
        wanted_trades(a_question({75: "x", 60: date}))


def test_a_question_has_a_name() -> None:
    assert request_names(a_question()) == ("q", "1")
    with pytest.raises(BadMessage):
        request_names(a_question(t568=""))
