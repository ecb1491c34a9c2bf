"""The seeded past of the market, in bars that end where its first price begins. Pure: the same seed and end give the same bars.

Prices are whole ticks and times are seconds since 1970. Each day is a walk of its own, tied to its first and last price; near the
end it has fine bars, before that coarse ones, and a coarse bar is always what its fine ones add up to.
"""

from collections.abc import Iterator, Sequence
from math import sqrt
from random import Random
from statistics import NormalDist
from typing import NamedTuple

from infra.exchange_sim.instruments import Instrument
from infra.exchange_sim.market import DAILY_VOLATILITY, FARTHEST

MINUTE, FIVE_MINUTES, HOUR, DAY = 60, 300, 3_600, 86_400
NAMES = {MINUTE: "1min", FIVE_MINUTES: "5min", HOUR: "1h", DAY: "1d"}
# A chart of a day, a week, a month and a year, each a little more than full: whole days before the one that is under way.
FINEST_DAYS = ((1, MINUTE), (7, FIVE_MINUTES), (31, HOUR))
DAYS = 366
# How far the price runs past the ends of a bar, against what it moves between them.
_WICK = 0.5
_MEAN_SIZE = 500
_NORMAL = tuple(NormalDist().inv_cdf((place + 0.5) / 1024) for place in range(1024))


class PastBar(NamedTuple):
    """One bar: its start, prices in ticks, volume in shares."""

    start: int
    open: int
    high: int
    low: int
    close: int
    volume: int


class Past:
    """The past of one instrument until `end` (a minute): its price was `opened` ticks at 00:00 UTC of that day, is `last` now."""

    def __init__(
        self, item: Instrument, moves_per_second: float, *, seed: int, end: int, opened: int, last: int
    ) -> None:
        self._start_ticks = item.start_micros // item.tick_micros
        self._shares_per_second = moves_per_second * _MEAN_SIZE * item.lot_size
        self._symbol, self._seed = item.symbol, seed
        self._end, self._today = end - end % MINUTE, end // DAY
        self._opened, self._last = opened, last

    def bars(self) -> dict[int, list[PastBar]]:
        """Return the bars of each interval (in seconds), oldest first: of fine ones as many as a chart of them shows."""
        made: dict[int, list[PastBar]] = {interval: [] for interval in NAMES}
        closes = self._closes()
        for back in range(DAYS - 1, -1, -1):
            day = self._today - back
            finest = next((interval for days, interval in FINEST_DAYS if back <= days), DAY)
            end = self._end if back == 0 else (day + 1) * DAY
            bars = list(self._walk(day, finest, opens=closes[back + 1], closes=closes[back], end=end))
            for interval in NAMES:
                if interval > finest:
                    bars = list(_together(bars, interval))
                # A day under way has no bar here: the venue tells it itself.
                if interval >= finest and (back or interval < DAY):
                    made[interval] += bars
        for days, interval in FINEST_DAYS:
            first = self._end - days * DAY
            made[interval] = [bar for bar in made[interval] if bar.start + interval > first]
        return made

    def _closes(self) -> list[int]:
        """Return the price now, at the end of yesterday, of the day before, and so on."""
        # Drawn by the day alone, backwards from today's first price.
        closes = [self._last, self._opened]
        random = self._random(self._today, "days")
        lowest, highest = max(self._start_ticks // FARTHEST, 1), self._start_ticks * FARTHEST
        for drawn in random.choices(_NORMAL, k=DAYS - 1):
            price = closes[-1]
            step = round(drawn * DAILY_VOLATILITY * price)
            closes.append(price + step if lowest <= price + step <= highest else price)
        return closes

    def _walk(self, day: int, interval: int, *, opens: int, closes: int, end: int) -> Iterator[PastBar]:
        """Return the bars of a day until `end`; they begin with its first price and end with its last."""
        begin = day * DAY
        count = -(-(end - begin) // interval)
        if count <= 0:
            return
        random = self._random(day, str(interval))
        deviation = DAILY_VOLATILITY * opens * sqrt(interval / DAY)
        drawn = random.choices(_NORMAL, k=4 * count)
        steps, ups, downs, sizes = (drawn[count * nth : count * (nth + 1)] for nth in range(4))
        # What the walk misses its end by is spread over all steps.
        drift = (closes - opens) / count - deviation * sum(steps) / count
        shares = self._shares_per_second * interval
        at, price = float(opens), opens
        for nth in range(count):
            at += deviation * steps[nth] + drift
            last = max(round(at), 1) if nth < count - 1 else closes
            high = (price if price > last else last) + int(abs(ups[nth]) * deviation * _WICK)
            low = (last if price > last else price) - int(abs(downs[nth]) * deviation * _WICK)
            volume = max(int(shares * (1 + sizes[nth] / 4)), 1)
            yield PastBar(begin + nth * interval, price, high, low if low > 0 else 1, last, volume)
            price = last

    def _random(self, day: int, what: str) -> Random:
        return Random(f"{self._seed}:{self._symbol}:{day}:{what}")  # noqa: S311 - prices to play with, not secrets


def _together(bars: Sequence[PastBar], interval: int) -> Iterator[PastBar]:
    """Return the bars of a coarser interval that finer ones of the same day add up to."""
    first = 0
    while first < len(bars):
        start = bars[first].start - bars[first].start % interval
        behind = first + 1
        while behind < len(bars) and bars[behind].start < start + interval:
            behind += 1
        several = bars[first:behind]
        yield PastBar(
            start,
            several[0].open,
            max(bar.high for bar in several),
            min(bar.low for bar in several),
            several[-1].close,
            sum(bar.volume for bar in several),
        )
        first = behind
