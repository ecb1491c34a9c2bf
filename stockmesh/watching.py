"""What one reader of live prices still has to read: the newest quote and state of each symbol, however slow it is."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from stockmesh.errors import Refused
from stockmesh.models import Degraded, Mode, PriceState, PriceStatus, Quote, Refusal
from stockmesh.reading import Reader


@dataclass(frozen=True, slots=True)
class Want:
    """How a symbol is to be sent: the mode, and the most updates a second (0: as fast as they come)."""

    mode: Mode
    max_hz: float

    def joined(self, other: "Want") -> "Want":
        """Return what satisfies both."""
        mode = Mode.QUOTE if Mode.QUOTE in {self.mode, other.mode} else self.mode
        fastest = 0.0 if 0.0 in {self.max_hz, other.max_hz} else max(self.max_hz, other.max_hz)
        return Want(mode, fastest)


class PriceWatch(Reader[Quote | PriceStatus]):
    """Live prices of some symbols: `async with client.watch([...]) as prices: async for item in prices: ...`.

    Gives a Quote for each change and a PriceStatus when a symbol becomes live, stale or halted (also when the connection is
    lost). A slow reader gets the newest of each symbol and never an older one after a newer. Watches of one client that share a
    symbol share its subscription: the fuller mode and the higher rate hold for both.
    """

    def __init__(
        self,
        symbols: Iterable[str],
        want: Want,
        *,
        opened: Callable[["PriceWatch"], None],
        closed: Callable[["PriceWatch"], None],
    ) -> None:
        super().__init__(opened=lambda: opened(self), closed=lambda: closed(self))
        self.symbols = frozenset(symbols)
        self.want = want
        self.refused: dict[str, Refusal] = {}
        """Symbols that the server refused, and why; the others are watched."""
        self.degraded: Degraded | None = None
        """How far the server has slowed this client down; None when it has not."""
        self._waiting: dict[tuple[type, str], Quote | PriceStatus] = {}
        self._seen: dict[str, tuple[tuple[int, int], PriceState]] = {}

    def offer(self, quote: Quote) -> None:
        """Take a quote unless it is older than what was given, or says nothing new."""
        version, state = self._seen.get(quote.symbol, ((-1, -1), None))
        if quote.version < version or (quote.version == version and quote.state is state):
            return
        self._seen[quote.symbol] = (quote.version, quote.state)
        self._put(quote)

    def offer_status(self, status: PriceStatus) -> None:
        """Take a change of state."""
        version, _ = self._seen.get(status.symbol, ((-1, -1), None))
        self._seen[status.symbol] = (version, status.state)
        self._put(status)

    def refuse(self, refusals: dict[str, Refusal], error: Refused | None) -> None:
        """Learn which symbols the server does not send; when none is left, the iteration fails."""
        self.refused.update({symbol: refusal for symbol, refusal in refusals.items() if symbol in self.symbols})
        if self.symbols and self.symbols <= self.refused.keys():
            first = next(iter(self.refused.values()))
            self.fail(error or Refused(first.message or "every symbol was refused", reason=first.reason or None))

    def _waits(self) -> bool:
        return bool(self._waiting)

    def _take(self) -> Quote | PriceStatus:
        return self._waiting.pop(next(iter(self._waiting)))

    def _put(self, item: Quote | PriceStatus) -> None:
        # Newest wins: whoever acts on an old price is worse off than one who missed an update.
        self._waiting[type(item), item.symbol] = item
        self._something.set()
