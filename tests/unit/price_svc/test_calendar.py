from datetime import UTC, datetime

import pytest

from price_svc.calendar import ALWAYS, calendar_of, day_of
from price_svc.quote import DAY_NS, SECOND_NS

XNYS = calendar_of("XNYS")


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND_NS


def test_a_venue_has_its_time_zone_and_its_hours_follow_summer_time() -> None:
    assert XNYS.time_zone == "America/New_York"
    winter, summer = XNYS.on(day_of("2026-01-05")), XNYS.on(day_of("2026-07-06"))
    assert winter is not None
    assert summer is not None
    assert (winter.open_ns, winter.close_ns) == (utc("2026-01-05T14:30"), utc("2026-01-05T21:00"))
    assert (summer.open_ns, summer.close_ns) == (utc("2026-07-06T13:30"), utc("2026-07-06T20:00"))


def test_a_half_day_is_short_and_a_holiday_is_none() -> None:
    half = XNYS.on(day_of("2026-11-27"))
    assert half is not None
    assert half.close_ns == utc("2026-11-27T18:00")
    assert XNYS.on(day_of("2026-12-25")) is None
    assert XNYS.on(day_of("2026-11-22")) is None


def test_on_a_weekend_fridays_session_was_the_last_and_mondays_is_next() -> None:
    sunday = utc("2026-11-22T12:00")
    last, coming = XNYS.begun(sunday), XNYS.coming(sunday)
    assert last is not None
    assert coming is not None
    assert (last.day, coming.day) == (day_of("2026-11-20"), day_of("2026-11-23"))


def test_a_session_under_way_is_the_last_and_the_coming_one() -> None:
    trading = utc("2026-11-20T15:00")
    assert XNYS.begun(trading) == XNYS.coming(trading) == XNYS.on(day_of("2026-11-20"))
    assert XNYS.begun(utc("2026-11-20T14:29")) == XNYS.on(day_of("2026-11-19"))


def test_before_and_behind_what_it_knows_a_calendar_guesses_nothing_wrong() -> None:
    assert XNYS.begun(utc("1999-06-01T12:00")) is None
    assert XNYS.day_from(utc("1990-01-02T10:00")) == day_of("1990-01-03")
    later = XNYS.known_until_ns + 5 * DAY_NS
    assert XNYS.coming(later) is None
    session = XNYS.begun(later)
    assert session is not None
    assert (session.open_ns, session.close_ns) == (later, later + DAY_NS)


def test_day_and_night_each_day_of_utc_is_a_session() -> None:
    noon = utc("2026-11-22T12:00")
    session = ALWAYS.coming(noon)
    assert session is not None
    assert session == ALWAYS.begun(noon)
    assert (session.open_ns, session.close_ns) == (utc("2026-11-22T00:00"), utc("2026-11-23T00:00"))
    assert calendar_of("24/7") is ALWAYS
    assert ALWAYS.known_until_ns == 0


def test_an_unknown_calendar_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"24/7, XNYS"):
        calendar_of("XMARS")
