"""What a bar is, and how trades make bars. Pure: no clock, no network, no storage."""

from collections.abc import Iterable
from typing import NamedTuple

from price_svc.quote import DAY_NS, SECOND_NS, Quote

MINUTE, FIVE_MINUTES, HOUR, DAY = 60, 300, 3_600, 86_400
# The day's bar is not made of the trades that we heard: the venue tells it (`day_bar`).
TRADED_INTERVALS = (MINUTE, FIVE_MINUTES, HOUR)
# A trade may be told this much after the end of its bar and still correct it.
GRACE_NS = 5 * SECOND_NS


class Bar(NamedTuple):
    """Open, high, low, close in micros and volume in shares of one symbol in one interval (in seconds)."""

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

    def is_final(self, venue_now_ns: int) -> bool:
        """Tell whether late trades no longer change it."""
        return venue_now_ns >= self.start_ns + self.interval * SECOND_NS + GRACE_NS

    def with_trade(self, price: int, size: int) -> "Bar":
        """Return the bar with one more trade."""
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


def day_bar(quote: Quote) -> Bar | None:
    """Return the bar of a quote's trading day; None before its first trade."""
    if not quote.open_micros or not quote.price_micros:
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


class BarBook:
    """The bars that trades can still change: of each symbol and interval the latest, and the one before for late trades."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, int], Bar] = {}
        self._before: dict[tuple[str, int], Bar] = {}
        # Not handed over yet, as they are not final.
        self._unsaved: dict[tuple[str, int, int], Bar] = {}

    def add(self, symbol: str, *, price: int, size: int, time_ns: int, venue_now_ns: int) -> None:
        """Count a trade in its bars; one that comes after its bar is final changes nothing."""
        for interval in TRADED_INTERVALS:
            place = symbol, interval
            start_ns = start_of(time_ns, interval)
            latest = self._latest.get(place)
            if latest is not None and latest.start_ns == start_ns:
                bar = self._latest[place] = latest.with_trade(price, size)
            elif latest is None or latest.start_ns < start_ns:
                bar = self._latest[place] = Bar(symbol, interval, start_ns, price, price, price, price, size)
                if latest is not None:
                    self._before[place] = latest
            else:
                before = self._before.get(place)
                if before is None or before.start_ns != start_ns or before.is_final(venue_now_ns):
                    continue
                bar = self._before[place] = before.with_trade(price, size)
            self._unsaved[bar.key] = bar

    def add_day(self, quote: Quote) -> None:
        """Take the day so far as the quote tells it."""
        bar = day_bar(quote)
        if bar is not None:
            self._latest[quote.symbol, DAY] = self._unsaved[bar.key] = bar

    def restore(self, bars: Iterable[Bar]) -> None:
        """Take the bars that were open in an earlier life; trades go on in them. To be done before the first trade."""
        for bar in bars:
            place = bar.symbol, bar.interval
            latest = self._latest.get(place)
            if latest is None or latest.start_ns <= bar.start_ns:
                self._latest[place] = bar
            else:
                self._before[place] = bar
            self._unsaved[bar.key] = bar

    def open_bars(self, symbol: str, interval: int) -> list[Bar]:
        """Return what is in memory of a symbol's bars, oldest first."""
        place = symbol, interval
        return [bar for bar in (self._before.get(place), self._latest.get(place)) if bar]

    def take_final(self, venue_now_ns: int) -> list[Bar]:
        """Return the bars that became final since this was called last."""
        final = [bar for bar in self._unsaved.values() if bar.is_final(venue_now_ns)]
        for bar in final:
            del self._unsaved[bar.key]
        return final

    def unsaved(self) -> list[Bar]:
        """Return the bars that trades still change."""
        return list(self._unsaved.values())
