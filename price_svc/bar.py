"""What a bar is, and how trades make bars. Pure: no clock, no network, no storage."""

from collections.abc import Iterable
from typing import NamedTuple

from price_svc.calendar import ALWAYS, Calendar
from price_svc.quote import DAY_NS, SECOND_NS, Quote

MINUTE, FIVE_MINUTES, HOUR, DAY = 60, 300, 3_600, 86_400
INTERVALS = {"1min": MINUTE, "5min": FIVE_MINUTES, "1h": HOUR, "1d": DAY}
NAME_OF = {interval: name for name, interval in INTERVALS.items()}
# Bars are kept three times as long as the range that is drawn of them; those of days for ever.
KEPT_DAYS = {MINUTE: 3, FIVE_MINUTES: 21, HOUR: 93}
# The day's bar is not made of the trades that we heard: the venue tells it (`day_bar`).
TRADED_INTERVALS = (MINUTE, FIVE_MINUTES, HOUR)
# A trade may be told this much after the end of its bar and still correct it.
GRACE_NS = 5 * SECOND_NS
_SPANS_NS = tuple((interval, interval * SECOND_NS) for interval in TRADED_INTERVALS)


class Bar(NamedTuple):
    """Open, high, low, close in micros and volume in shares of one symbol in one interval (in seconds).

    The bar of a day starts at 00:00 UTC of the session's day here, whatever the calendar; clients see when the session opened.
    """

    symbol: str
    interval: int
    start_ns: int
    open_micros: int
    high_micros: int
    low_micros: int
    close_micros: int
    volume: int

    @property
    def key(self) -> tuple[str, int, int]:
        """What makes it one bar and not another."""
        return self.symbol, self.interval, self.start_ns

    @property
    def end_ns(self) -> int:
        """When its interval ends."""
        return self.start_ns + self.interval * SECOND_NS

    def is_final(self, venue_now_ns: int) -> bool:
        """Tell whether late trades no longer change it."""
        return venue_now_ns >= self.end_ns + GRACE_NS

    def with_trade(self, price: int, size: int) -> "Bar":
        """Return the bar with one more trade, later than all others in it."""
        return Bar(
            self.symbol,
            self.interval,
            self.start_ns,
            self.open_micros,
            price if price > self.high_micros else self.high_micros,
            price if price < self.low_micros else self.low_micros,
            price,
            self.volume + size,
        )


def start_of(time_ns: int, interval: int) -> int:
    """Return where the interval (in seconds) begins that a time lies in."""
    return time_ns - time_ns % (interval * SECOND_NS)


def day_bar(quote: Quote, calendar: Calendar = ALWAYS) -> Bar | None:
    """Return the bar of a quote's trading day; None before its first trade, and outside of the venue's sessions."""
    if not quote.open_micros or not quote.price_micros:
        return None
    session = calendar.on(quote.day)
    if session is None or not session.open_ns <= quote.time_ns < session.close_ns + GRACE_NS:
        return None
    return Bar(
        quote.symbol,
        DAY,
        quote.day * DAY_NS,
        quote.open_micros,
        quote.high_micros,
        quote.low_micros,
        quote.price_micros,
        quote.volume,
    )


class _Growing:
    """A bar in the making, with the venue's times of the trades that opened and closed it so far."""

    __slots__ = ("bar", "first_ns", "is_unsaved", "last_ns")

    def __init__(self, bar: Bar, first_ns: int, last_ns: int) -> None:
        self.bar, self.first_ns, self.last_ns = bar, first_ns, last_ns
        self.is_unsaved = False

    def add(self, price: int, size: int, time_ns: int) -> None:
        """Count a trade; whatever the order in which trades come, the earliest opens the bar and the latest closes it."""
        bar = self.bar
        grown = bar.with_trade(price, size)
        if time_ns >= self.last_ns:
            self.bar, self.last_ns = grown, time_ns
        elif time_ns < self.first_ns:
            self.bar, self.first_ns = grown._replace(open_micros=price, close_micros=bar.close_micros), time_ns
        else:
            self.bar = grown._replace(close_micros=bar.close_micros)


class BarBook:
    """The bars that trades can still change: of each symbol and interval the latest, and the one before for late trades."""

    def __init__(self, calendar: Calendar = ALWAYS) -> None:
        self._calendar = calendar
        self._latest: dict[tuple[str, int], _Growing] = {}
        self._before: dict[tuple[str, int], _Growing] = {}
        # Not handed over yet, as they are not final.
        self._unsaved: dict[tuple[str, int, int], _Growing] = {}

    def add(self, symbol: str, *, price: int, size: int, time_ns: int, venue_now_ns: int) -> None:
        """Count a trade in its bars; one that is later than others and comes after its bar is final changes nothing."""
        for interval, span_ns in _SPANS_NS:
            start_ns = time_ns - time_ns % span_ns
            latest = self._latest.get((symbol, interval))
            if latest is not None and latest.bar.start_ns == start_ns and time_ns >= latest.last_ns:
                latest.add(price, size, time_ns)
                if not latest.is_unsaved:
                    self._keep(latest)
                continue
            single = Bar(symbol, interval, start_ns, price, price, price, price, size)
            if latest is None or latest.bar.start_ns < start_ns:
                self._begin(_Growing(single, time_ns, time_ns))
            elif not single.is_final(venue_now_ns):
                self._correct(single, time_ns)

    def add_day(self, quote: Quote) -> None:
        """Take the day so far as the quote tells it."""
        bar = day_bar(quote, self._calendar)
        if bar is None:
            return
        latest = self._latest.get((quote.symbol, DAY))
        if latest is not None and latest.bar.start_ns == bar.start_ns:
            latest.bar = bar
            if not latest.is_unsaved:
                self._keep(latest)
        else:
            self._begin(_Growing(bar, 0, 0))

    def restore(self, bars: Iterable[Bar]) -> None:
        """Take the bars that were open in an earlier life; trades go on in them. To be done before the first trade."""
        for bar in bars:
            # Its opening trade was the first one, and each that comes now is later than those in it.
            growing = _Growing(bar, 0, 0)
            latest = self._latest.get((bar.symbol, bar.interval))
            if latest is None or latest.bar.start_ns <= bar.start_ns:
                self._begin(growing)
            else:
                self._before[bar.symbol, bar.interval] = growing
                self._keep(growing)

    def open_bars(self, symbol: str, interval: int) -> list[Bar]:
        """Return what is in memory of a symbol's bars, oldest first."""
        place = symbol, interval
        return [growing.bar for growing in (self._before.get(place), self._latest.get(place)) if growing]

    def take_final(self, venue_now_ns: int) -> list[Bar]:
        """Return the bars that became final since this was called last."""
        final = [growing for growing in self._unsaved.values() if growing.bar.is_final(venue_now_ns)]
        for growing in final:
            growing.is_unsaved = False
            del self._unsaved[growing.bar.key]
        return [growing.bar for growing in final]

    def unsaved(self) -> list[Bar]:
        """Return the bars that trades still change."""
        return [growing.bar for growing in self._unsaved.values()]

    def _begin(self, growing: _Growing) -> None:
        place = growing.bar.symbol, growing.bar.interval
        before = self._latest.get(place)
        if before is not None and before.bar.start_ns < growing.bar.start_ns:
            self._before[place] = before
        self._latest[place] = growing
        self._keep(growing)

    def _correct(self, single: Bar, time_ns: int) -> None:
        """Count a trade, told as a bar of its own, that others have overtaken."""
        place = single.symbol, single.interval
        for recent in (self._latest.get(place), self._before.get(place), self._unsaved.get(single.key)):
            if recent is not None and recent.bar.start_ns == single.start_ns:
                recent.add(single.close_micros, single.volume, time_ns)
                self._keep(recent)
                return
        growing = _Growing(single, time_ns, time_ns)
        before = self._before.get(place)
        if before is None or before.bar.start_ns < single.start_ns:
            self._before[place] = growing
        self._keep(growing)

    def _keep(self, growing: _Growing) -> None:
        growing.is_unsaved = True
        self._unsaved[growing.bar.key] = growing
