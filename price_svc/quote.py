"""What a quote is and how a tick changes it. Pure: no clock, no network, no storage.

Money is in whole micros and 0 means unknown; times are nanoseconds since 1970 and 0 means never. Named tuples, as they are made
for every tick: a frozen dataclass takes five times as long.
"""

from enum import Enum
from typing import NamedTuple

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
# A tick from further in the future would stop its symbol's day from ever rolling again.
FARTHEST_AHEAD_NS = 3_600 * SECOND_NS
NEVER_HEARD = "no price was heard yet"


class State(Enum):
    """How far a price can be trusted."""

    LIVE = "LIVE"
    STALE = "STALE"
    HALTED = "HALTED"


class Tick(NamedTuple):
    """What the venue said about one symbol: a trade, better bids and offers, or (`snapshot`) the whole of it."""

    symbol: str
    price_micros: int
    size: int
    bid_micros: int
    ask_micros: int
    epoch: int
    seq: int
    time_ns: int
    open_micros: int = 0
    high_micros: int = 0
    low_micros: int = 0
    previous_close_micros: int = 0
    volume: int = 0
    snapshot: bool = False

    @property
    def is_trade(self) -> bool:
        """Tell whether shares changed hands now; a snapshot repeats a trade of before."""
        return self.price_micros > 0 and not self.snapshot

    def is_plausible(self, now_ns: int) -> bool:
        """Tell whether no number of it is absurd; a feed that sends absurd ones must not spoil a quote."""
        return (
            bool(self.symbol)
            and min(self.price_micros, self.size, self.bid_micros, self.ask_micros, self.seq, self.volume) >= 0
            and min(self.open_micros, self.high_micros, self.low_micros, self.previous_close_micros) >= 0
            and 0 < self.time_ns <= now_ns + FARTHEST_AHEAD_NS
        )


class Quote(NamedTuple):
    """What a symbol costs now and did today. The pair (epoch, seq) is its version; times are no version."""

    symbol: str
    price_micros: int = 0
    bid_micros: int = 0
    ask_micros: int = 0
    open_micros: int = 0
    high_micros: int = 0
    low_micros: int = 0
    previous_close_micros: int = 0
    volume: int = 0
    epoch: int = 0
    seq: int = 0
    time_ns: int = 0
    state: State = State.STALE
    since_ns: int = 0
    reason: str = NEVER_HEARD

    @property
    def day(self) -> int:
        """The trading day it speaks of: days since 1970, rolled at 00:00 UTC of the venue's clock."""
        return self.time_ns // DAY_NS

    def is_older_than(self, epoch: int, seq: int) -> bool:
        """Tell whether that version is newer than this one."""
        return epoch > self.epoch or (epoch == self.epoch and seq > self.seq)

    def in_state(self, state: State, *, since_ns: int, reason: str) -> "Quote":
        """Return the same price, trusted otherwise."""
        return self._replace(state=state, since_ns=since_ns, reason=reason)

    def after(self, tick: Tick, *, state: State, since_ns: int, reason: str) -> "Quote":
        """Return the quote as it is after a newer tick. What the venue says of the day holds; the rest is reckoned from trades."""
        day = self._day_at(tick)
        price, bid, ask = tick.price_micros, tick.bid_micros, tick.ask_micros
        if not tick.snapshot:
            # A change tells what changed; a snapshot is the whole truth, and no bid in it means that there is none.
            bid, ask = bid or self.bid_micros, ask or self.ask_micros
        return Quote(
            symbol=self.symbol,
            price_micros=price or self.price_micros,
            bid_micros=bid,
            ask_micros=ask,
            open_micros=tick.open_micros or day.open,
            high_micros=tick.high_micros or day.high,
            low_micros=tick.low_micros or day.low,
            previous_close_micros=tick.previous_close_micros or day.previous_close,
            volume=tick.volume or day.volume,
            epoch=tick.epoch,
            seq=tick.seq,
            # Never back over midnight, or the day would roll twice.
            time_ns=max(tick.time_ns, self.time_ns),
            state=state,
            since_ns=since_ns,
            reason=reason,
        )

    def _day_at(self, tick: Tick) -> "_Day":
        tick_day, own_day = tick.time_ns // DAY_NS, self.day
        if self.time_ns and tick_day > own_day:
            day = _Day(0, 0, 0, self.price_micros or self.previous_close_micros, 0)
        else:
            day = _Day(self.open_micros, self.high_micros, self.low_micros, self.previous_close_micros, self.volume)
        if tick.is_trade and tick_day >= own_day:
            return day.with_trade(tick.price_micros, tick.size)
        return day


class _Day(NamedTuple):
    open: int
    high: int
    low: int
    previous_close: int
    volume: int

    def with_trade(self, price: int, size: int) -> "_Day":
        return _Day(
            self.open or price,
            price if price > self.high else self.high,
            price if not self.low or price < self.low else self.low,
            self.previous_close,
            self.volume + size,
        )
