"""The price process: a seeded random walk of every instrument on its tick grid. Pure: no clock, no network, no storage."""

from collections.abc import Mapping
from itertools import accumulate
from math import sqrt
from random import Random
from statistics import NormalDist

from msgspec import Struct
from msgspec.structs import replace

from infra.exchange_sim.instruments import Instrument

DAILY_VOLATILITY = 0.025
DAY_SECONDS = 86_400
DRAWS = 64
# A walk is turned back where it would leave its instrument's neighbourhood, so that weeks of it still look like a market.
FARTHEST = 5


class Quote(Struct, frozen=True, kw_only=True):
    """What a symbol costs now and did today; prices in micros, sizes and volume in shares. `seq` grows by 1 with each change."""

    symbol: str
    last: int
    size: int
    bid: int
    bid_size: int
    ask: int
    ask_size: int
    open: int
    high: int
    low: int
    previous_close: int
    volume: int
    seq: int


class Memory(Struct, frozen=True):
    """What the market has to remember to go on where it was: the trading day (days since 1970), steps made, quotes.

    `began` is when its first price was made, in seconds since 1970; 0 means before that was written down.
    """

    day: int
    steps: int
    quotes: tuple[Quote, ...]
    began: int = 0


class Market:
    """All quotes of a trading day, and how they move. The same seed and the same calls give the same prices.

    `now`, in seconds since 1970, is kept as the market's beginning unless it goes on from a memory.
    """

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        *,
        seed: int,
        day: int,
        ticks_per_second: float,
        memory: Memory | None = None,
        now: int = 0,
    ) -> None:
        self.day = day if memory is None else memory.day
        self.halted: set[str] = set()
        self._began = now if memory is None else memory.began
        self._steps = 0 if memory is None else memory.steps
        # Not the same moves again after a restart.
        self._random = Random(f"{seed}:{self._steps}")  # noqa: S311 - prices to play with, not secrets
        self._walks = [_Walk(item, share) for item, share in with_shares(instruments, ticks_per_second)]
        self._cumulative = list(accumulate(item.popularity for item in instruments.values()))
        self.quotes = {symbol: self._first_quote(item) for symbol, item in instruments.items()}
        if memory is not None:
            self.quotes |= {quote.symbol: quote for quote in memory.quotes if quote.symbol in self.quotes}

    def memory(self) -> Memory:
        """Return what a later market needs to go on from here."""
        return Memory(self.day, self._steps, tuple(self.quotes.values()), self._began)

    def step(self, moves: int) -> list[Quote]:
        """Make that many moves, popular symbols more often; return the new quotes, one a symbol. Halted symbols stay."""
        self._steps += moves
        moved: dict[str, Quote] = {}
        for walk in self._random.choices(self._walks, cum_weights=self._cumulative, k=moves):
            if walk.symbol not in self.halted:
                moved[walk.symbol] = self.quotes[walk.symbol] = walk.move(self.quotes[walk.symbol], self._random)
        return list(moved.values())

    def roll(self, day: int) -> list[Quote]:
        """Begin another trading day: the last price becomes the previous close; return all quotes."""
        self.day = day
        for symbol, quote in self.quotes.items():
            last = quote.last
            self.quotes[symbol] = replace(
                quote, open=last, high=last, low=last, previous_close=last, volume=0, seq=quote.seq + 1
            )
        return list(self.quotes.values())

    def _first_quote(self, item: Instrument) -> Quote:
        price, tick = item.start_micros, item.tick_micros
        size, bid_size, ask_size = (_drawn_size(self._random, item.lot_size) for _ in range(3))
        return Quote(
            symbol=item.symbol, last=price, size=size, bid=price - tick, bid_size=bid_size, ask=price + tick,
            ask_size=ask_size, open=price, high=price, low=price, previous_close=price, volume=0, seq=1,
        )  # fmt: skip


class _Walk:
    """How one symbol moves."""

    def __init__(self, item: Instrument, moves_per_second: float) -> None:
        self.symbol, self._tick, self._lot = item.symbol, item.tick_micros, item.lot_size
        ticks = item.start_micros // item.tick_micros
        self._steps = [step * item.tick_micros for step in _steps(ticks, moves_per_second)]
        self._widest = max(1, ticks // 8000)
        self._lowest, self._highest = item.start_micros // FARTHEST, item.start_micros * FARTHEST

    def move(self, quote: Quote, random: Random) -> Quote:
        chance = random.random
        step = self._steps[int(chance() * DRAWS)]
        last = quote.last + step
        if not self._lowest <= last <= self._highest:
            last = quote.last - step
        size = _drawn_size(random, self._lot)
        return Quote(
            symbol=quote.symbol,
            last=last,
            size=size,
            bid=last - self._tick * (1 + int(chance() * self._widest)),
            bid_size=_drawn_size(random, self._lot),
            ask=last + self._tick * (1 + int(chance() * self._widest)),
            ask_size=_drawn_size(random, self._lot),
            open=quote.open,
            high=max(quote.high, last),
            low=min(quote.low, last),
            previous_close=quote.previous_close,
            volume=quote.volume + size,
            seq=quote.seq + 1,
        )


def _drawn_size(random: Random, lot_size: int) -> int:
    return 100 * lot_size * (1 + int(random.random() * 9))


def with_shares(instruments: Mapping[str, Instrument], ticks_per_second: float) -> list[tuple[Instrument, float]]:
    """Return each instrument with the moves a second that its popularity gets."""
    total = sum(item.popularity for item in instruments.values())
    return [(item, ticks_per_second * item.popularity / total) for item in instruments.values()]


def _steps(price_ticks: int, moves_per_second: float) -> list[int]:
    """Return equally likely steps in ticks whose spread over a day is the market's usual one."""
    deviation = DAILY_VOLATILITY * price_ticks / sqrt(DAY_SECONDS * max(moves_per_second, 0.01))
    if deviation >= 1:
        normal = NormalDist(0, deviation)
        upper = [round(normal.inv_cdf((DRAWS / 2 + place + 0.5) / DRAWS)) for place in range(DRAWS // 2)]
    else:
        # Finer than a tick: a step of one tick, so much the rarer.
        ones = max(1, round(deviation**2 * DRAWS / 2))
        upper = [1] * ones + [0] * (DRAWS // 2 - ones)
    return upper + [-step for step in upper]
