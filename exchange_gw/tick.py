"""What the venue says of the market: ticks, phases, instruments, and how two ticks of a symbol become one. Pure."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class Tick(Struct, gc=False):
    """What was heard about a symbol at once. Prices are micros, sizes shares; 0 means not said. (epoch, seq) is its version."""

    symbol: str
    epoch: int
    seq: int
    # Milliseconds since 1970, by the venue's clock.
    time_ms: int
    price_micros: int = 0
    size: int = 0
    bid_micros: int = 0
    ask_micros: int = 0
    open_micros: int = 0
    high_micros: int = 0
    low_micros: int = 0
    previous_close_micros: int = 0
    volume: int = 0
    snapshot: bool = False

    def overtakes(self, older: "Tick") -> "Tick":
        """Return one tick that says what both say, the newer one where both say it. Both are of the same symbol."""
        if self.snapshot or self.epoch != older.epoch:
            return self
        return Tick(
            symbol=self.symbol,
            epoch=self.epoch,
            seq=self.seq,
            time_ms=self.time_ms,
            price_micros=self.price_micros or older.price_micros,
            size=self.size if self.price_micros else older.size,
            bid_micros=self.bid_micros or older.bid_micros,
            ask_micros=self.ask_micros or older.ask_micros,
            open_micros=self.open_micros or older.open_micros,
            high_micros=max(self.high_micros, older.high_micros),
            low_micros=min(self.low_micros or older.low_micros, older.low_micros or self.low_micros),
            previous_close_micros=self.previous_close_micros or older.previous_close_micros,
            volume=self.volume or older.volume,
            snapshot=older.snapshot,
        )


class MarketState(StrEnum):
    """Phases of trading, in a symbol or in the whole venue."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"
    HALTED = "HALTED"


class Phase(Struct, frozen=True):
    """Trading stopped or resumed in a symbol; without a symbol, in the whole venue."""

    symbol: str
    state: MarketState
    reason: str
    time: datetime
    epoch: int


class Instrument(Struct, frozen=True):
    """What can be traded, and in which steps."""

    symbol: str
    name: str
    exchange: str
    currency: str
    tick_size_micros: int
    lot_size: int
    max_quantity: int
    tradable: bool = True
