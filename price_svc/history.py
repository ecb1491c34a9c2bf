"""Which bars answer which question, and how stored, loaded and open ones are joined. Pure: no clock, no network, no storage."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from price_svc.bar import DAY, FIVE_MINUTES, GRACE_NS, HOUR, INTERVALS, KEPT_DAYS, MINUTE, Bar, start_of
from price_svc.calendar import Calendar
from price_svc.page import key_in, page_size_of, token_after
from price_svc.quote import DAY_NS
from runtime.errors import InvalidArgument

MAX_BARS, DEFAULT_BARS = 2_000, 500
# With such a range and such bars a chart has some hundreds of points.
_FINEST_DAYS = ((1, MINUTE), (7, FIVE_MINUTES), (31, HOUR))


class InvalidTimerange(InvalidArgument):
    """There is no such time range, or it ends before it begins, or it is told twice."""

    reason = "INVALID_TIMERANGE"


class InvalidInterval(InvalidArgument):
    """There are no bars of such an interval."""

    reason = "INVALID_INTERVAL"


@dataclass(frozen=True, slots=True)
class Timerange:
    """So many days back from now, in bars of `interval` seconds."""

    interval: int
    days: int

    def first_start_ns(self, venue_now_ns: int, calendar: Calendar | None = None) -> int:
        """Return the start of the first bar in the range; one day is that of the last session while the venue is closed."""
        if self.days == 1 and calendar is not None and calendar.known_until_ns > venue_now_ns:
            session = calendar.begun(venue_now_ns)
            if session is not None:
                return session.open_ns
        return start_of(venue_now_ns - self.days * DAY_NS, self.interval)


# Bars get coarser with the range, so that a chart of any of them has some hundreds of points, at most 2,016.
TIMERANGES = {
    "1d": Timerange(MINUTE, 1),
    "1w": Timerange(FIVE_MINUTES, 7),
    "1m": Timerange(HOUR, 31),
    "3m": Timerange(DAY, 92),
    "1y": Timerange(DAY, 366),
}


class Past(NamedTuple):
    """Stored bars of one symbol and interval, oldest first, and the names of those sources that were loaded and not heard."""

    bars: Sequence[Bar]
    sources: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Span:
    """Bars of `interval` seconds that start from `from_ns` on and before `to_ns`, at most `limit` of them (0: all)."""

    interval: int
    from_ns: int
    to_ns: int
    limit: int = 0
    # What a page token of this question is bound to.
    question: str = ""

    def holds(self, bar: Bar) -> bool:
        """Tell whether a bar starts in it."""
        return self.from_ns <= bar.start_ns < self.to_ns

    def cut(self, bars: Sequence[Bar]) -> tuple[Sequence[Bar], str]:
        """Return the bars of this page and the token of the next one, empty on the last."""
        if not self.limit or len(bars) <= self.limit:
            return bars, ""
        page = bars[: self.limit]
        # Behind the last bar's start, whatever is made or corrected meanwhile.
        return page, token_after(self.question, (self.interval, page[-1].start_ns))


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asks for of the past; 0 and empty mean not said."""

    timerange: str = ""
    interval: str = ""
    from_ns: int = 0
    to_ns: int = 0

    @property
    def wants_bars(self) -> bool:
        """Tell whether bars are asked for at all."""
        return bool(self.timerange) or self.is_explicit

    @property
    def is_explicit(self) -> bool:
        """Tell whether bars are to come page by page: an interval, a beginning or an end is said."""
        return bool(self.interval or self.from_ns or self.to_ns)

    def check(self) -> None:
        """Raise InvalidTimerange or InvalidInterval for what can never be answered."""
        if self.timerange:
            timerange_of(self.timerange)
        if self.interval and self.interval not in INTERVALS:
            known = ", ".join(INTERVALS)
            message = f"interval must be one of {known}, got {self.interval[:20]!r}"
            raise InvalidInterval(message, field="interval", known=known)
        if self.timerange and (self.from_ns or self.to_ns):
            raise InvalidTimerange("a timerange has no from_time and no to_time", field="timerange")
        if self.from_ns and self.to_ns and self.from_ns >= self.to_ns:
            raise InvalidTimerange("from_time must be before to_time", field="from_time")

    def span(self, symbol: str, venue_now_ns: int, calendar: Calendar, *, page_size: int, page_token: str) -> Span:
        """Return which bars of a symbol answer it. Raises InvalidPageToken and InvalidPageSize."""
        timerange = TIMERANGES.get(self.timerange)
        # The bar that is open now belongs to it.
        end_ns = venue_now_ns + 1
        if timerange is not None and not self.is_explicit:
            return Span(timerange.interval, timerange.first_start_ns(venue_now_ns, calendar), end_ns)
        to_ns = self.to_ns or end_ns
        from_ns = timerange.first_start_ns(venue_now_ns, calendar) if timerange else self.from_ns
        interval = INTERVALS.get(self.interval) or _fitting(from_ns, self.to_ns or venue_now_ns, venue_now_ns)
        question = f"bars {symbol} {self}"
        last_ns = -1
        if page_token:
            # What fits is what fitted when the first page was made.
            interval, last_ns = map(int, key_in(question, page_token, int, int))
        if interval == DAY:
            # Sessions that open in the range; ours are told apart by their day.
            from_ns, to_ns = calendar.day_from(from_ns) * DAY_NS, calendar.day_from(to_ns) * DAY_NS
        from_ns = max(from_ns, last_ns + 1)
        limit = page_size_of(page_size, default=DEFAULT_BARS, limit=MAX_BARS)
        return Span(interval, from_ns, to_ns, limit, question)


def timerange_of(text: str) -> Timerange:
    """Return what a client means by "1d", "1w", "1m" (a month), "3m" or "1y". Raises InvalidTimerange."""
    timerange = TIMERANGES.get(text)
    if timerange is None:
        known = ", ".join(TIMERANGES)
        raise InvalidTimerange(f"timerange must be one of {known}, got {text[:20]!r}", field="timerange", known=known)
    return timerange


def joined(stored: Iterable[Bar], in_memory: Iterable[Bar]) -> list[Bar]:
    """Return the bars of one symbol and interval, oldest first; what is in memory is newer than what was stored."""
    by_start = {bar.start_ns: bar for bar in stored}
    by_start.update((bar.start_ns, bar) for bar in in_memory)
    return [by_start[start_ns] for start_ns in sorted(by_start)]


def told(bar: Bar, venue_now_ns: int, calendar: Calendar) -> tuple[int, bool]:
    """Return a bar's start as clients see it, and whether late trades no longer change it."""
    session = calendar.on(bar.start_ns // DAY_NS) if bar.interval == DAY else None
    if session is None:
        return bar.start_ns, bar.is_final(venue_now_ns)
    return session.open_ns, venue_now_ns >= session.close_ns + GRACE_NS


def _fitting(from_ns: int, to_ns: int, venue_now_ns: int) -> int:
    """Return the finest interval with some hundreds of bars in the range that is still kept from its beginning on."""
    for days, interval in _FINEST_DAYS:
        if from_ns and to_ns - from_ns <= days * DAY_NS and venue_now_ns - from_ns <= KEPT_DAYS[interval] * DAY_NS:
            return interval
    return DAY
