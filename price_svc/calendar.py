"""When the venue trades: its sessions and time zone. Times are nanoseconds since 1970, days count from 1970-01-01 UTC."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

from price_svc.quote import DAY_NS, SECOND_NS

DAY_AND_NIGHT = "24/7"
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


class Session(NamedTuple):
    """One session: the day that it belongs to, when it opens and when it closes (exclusive)."""

    day: int
    open_ns: int
    close_ns: int


class Calendar:
    """The sessions of a venue, at most one a day; without any it trades day and night, and each day of UTC is a session.

    Behind its last session a calendar knows nothing, and each day of UTC counts as one.
    """

    def __init__(self, time_zone: str = "UTC", sessions: Sequence[Session] = ()) -> None:
        self.time_zone = time_zone
        self._sessions = sessions
        self._by_day = {session.day: session for session in sessions}
        self._closes = [session.close_ns for session in sessions]
        self._opens = [session.open_ns for session in sessions]
        # The first day without knowledge.
        self._end_day = sessions[-1].day + 1 if sessions else 0

    @property
    def known_until_ns(self) -> int:
        """The end of what is known; 0 where nothing needs to be known."""
        return self._end_day * DAY_NS

    def on(self, day: int) -> Session | None:
        """Return the session of a day; None when the venue stays closed."""
        session = self._by_day.get(day)
        if session is None and (day >= self._end_day):
            return Session(day, day * DAY_NS, (day + 1) * DAY_NS)
        return session

    def begun(self, now_ns: int) -> Session | None:
        """Return the last session that has opened; None before the first one of the calendar."""
        if now_ns >= self._end_day * DAY_NS:
            return self.on(now_ns // DAY_NS)
        place = bisect_right(self._opens, now_ns)
        return self._sessions[place - 1] if place else None

    def coming(self, now_ns: int) -> Session | None:
        """Return the session under way, or else the next one; None when the calendar does not know."""
        if not self._sessions:
            return self.on(now_ns // DAY_NS)
        place = bisect_right(self._closes, now_ns)
        return self._sessions[place] if place < len(self._sessions) else None

    def day_from(self, time_ns: int) -> int:
        """Return the day of the first session that opens then or later, or the day of that time where none is known."""
        place = bisect_left(self._opens, time_ns)
        if self._sessions and self._opens[0] <= time_ns <= self._opens[-1]:
            return self._sessions[place].day
        return -(-time_ns // DAY_NS)


ALWAYS = Calendar()


@lru_cache
def calendar_of(name: str) -> Calendar:
    """Return `24/7`, or the calendar of a venue by its code (ISO 10383). Raises ValueError, which names those that there are."""
    if name == DAY_AND_NIGHT:
        return ALWAYS
    folder = resources.files("price_svc") / "calendars"
    known = sorted(file.name.removesuffix(".csv") for file in folder.iterdir() if file.name.endswith(".csv"))
    if name not in known:
        raise ValueError(f"there is no calendar {name!r}, only {', '.join((DAY_AND_NIGHT, *known))}")
    head, _, *rows = (folder / f"{name}.csv").read_text(encoding="ascii").splitlines()
    return Calendar(head.split()[1], [_session(row) for row in rows])


def day_of(text: str) -> int:
    """Return a date like "2026-03-02" in days since 1970. Raises ValueError."""
    return date.fromisoformat(text).toordinal() - _EPOCH_ORDINAL


def _session(row: str) -> Session:
    day, opens, closes = row.split(",")
    return Session(day_of(day), _time_ns(day, opens), _time_ns(day, closes))


def _time_ns(day: str, time: str) -> int:
    return int(datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=UTC).timestamp()) * SECOND_NS
