"""Which bars answer which time range, and how stored and open ones are joined. Pure: no clock, no network, no storage."""

from collections.abc import Iterable
from dataclasses import dataclass

from price_svc.bar import DAY, FIVE_MINUTES, HOUR, MINUTE, Bar, start_of
from price_svc.quote import DAY_NS
from runtime.errors import InvalidArgument


class InvalidTimerange(InvalidArgument):
    """There is no such time range."""

    reason = "INVALID_TIMERANGE"


@dataclass(frozen=True, slots=True)
class Timerange:
    """So many days back from now, in bars of `interval` seconds."""

    interval: int
    days: int

    def first_start_ns(self, venue_now_ns: int) -> int:
        """Return the start of the first bar in the range."""
        return start_of(venue_now_ns - self.days * DAY_NS, self.interval)


# Bars get coarser with the range, so that a chart of any of them has some hundreds of points, at most 2,016.
TIMERANGES = {
    "1d": Timerange(MINUTE, 1),
    "1w": Timerange(FIVE_MINUTES, 7),
    "1m": Timerange(HOUR, 31),
    "3m": Timerange(DAY, 92),
    "1y": Timerange(DAY, 366),
}


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
