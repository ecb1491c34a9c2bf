"""The phases of the venue and of single symbols: open, closed, halted. Pure: no clock, no network, no storage."""

from dataclasses import dataclass
from enum import Enum

from price_svc.quote import Tick


class Phase(Enum):
    """Phase of a venue's day, or of one symbol's."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"
    HALTED = "HALTED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class PhaseChange:
    """A phase began. An empty symbol means the whole venue, and UNKNOWN for it that the feed is lost."""

    symbol: str
    phase: Phase
    reason: str
    time_ns: int
    epoch: int


class Market:
    """In which phase the venue is, which symbols do not trade, and whether the feed was said to be lost."""

    def __init__(self) -> None:
        self.phase = Phase.UNKNOWN
        # 0 while it is not known when the phase began.
        self.since_ns = 0
        self._halts: dict[str, PhaseChange] = {}
        self._venue_halt: PhaseChange | None = None
        self._lost: PhaseChange | None = None

    def change(self, change: PhaseChange) -> None:
        """Take a phase as the venue or the gateway says it."""
        if change.symbol:
            if change.phase is Phase.OPEN:
                self._halts.pop(change.symbol, None)
            elif change.phase is not Phase.UNKNOWN:
                self._halts[change.symbol] = change
            return
        self._lost = change if change.phase is Phase.UNKNOWN else None
        if change.phase is not self.phase or not self.since_ns:
            self.phase, self.since_ns = change.phase, change.time_ns
            self._venue_halt = change if change.phase is Phase.HALTED else None

    def lift(self, symbol: str) -> None:
        """Forget the halt of a symbol."""
        self._halts.pop(symbol, None)

    def hear(self, tick: Tick) -> None:
        """Learn from a tick what was not said: the feed is back, or a halted symbol trades again."""
        if self._lost and (tick.epoch > self._lost.epoch or tick.time_ns > self._lost.time_ns):
            self._lost = None
        halt = self._halts.get(tick.symbol)
        # Of another life of the feed, so that a trade reported late does not lift the halt that followed it.
        if halt and tick.is_trade and tick.epoch > halt.epoch:
            del self._halts[tick.symbol]

    def halt_of(self, symbol: str) -> PhaseChange | None:
        """Return why a symbol does not trade; None when it does."""
        return self._venue_halt or self._halts.get(symbol)

    @property
    def is_feed_lost(self) -> bool:
        """Tell whether the gateway said that it has lost the venue."""
        return self._lost is not None

    @property
    def is_quiet(self) -> bool:
        """Tell whether silence is what one expects."""
        return self.phase is Phase.CLOSED
