"""What one reader of live prices still has to read: the newest quote and state of each symbol, however slow it is."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from stockmesh.errors import Refused, StockmeshError
from stockmesh.models import Degraded, Mode, PriceState, PriceStatus, Quote, Refusal


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


class PriceWatch:
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
        self.symbols = frozenset(symbols)
        self.want = want
        self.refused: dict[str, Refusal] = {}
        """Symbols that the server refused, and why; the others are watched."""
        self.degraded: Degraded | None = None
        """How far the server has slowed this client down; None when it has not."""
        self._opened, self._closed = opened, closed
        self._is_open = False
        self._waiting: dict[tuple[type, str], Quote | PriceStatus] = {}
        self._seen: dict[str, tuple[tuple[int, int], PriceState]] = {}
        self._error: StockmeshError | None = None
        self._something = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __aiter__(self) -> Self:
        self._open()
        return self

    async def __anext__(self) -> Quote | PriceStatus:
        # A silent market is no failure, so this wait has no deadline; the link's pings end it when the connection is dead.
        while not self._waiting:
            if self._error is not None:
                raise self._error
            if not self._is_open:
                raise StopAsyncIteration
            self._something.clear()
            await self._something.wait()
        return self._waiting.pop(next(iter(self._waiting)))

    def close(self) -> None:
        """Stop watching; the iteration ends."""
        if self._is_open:
            self._is_open = False
            self._closed(self)
            self._something.set()

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

    def fail(self, error: StockmeshError) -> None:
        """End the iteration with an error, after what still waits."""
        self._error = error
        self._something.set()

    def _open(self) -> None:
        if not self._is_open and self._error is None:
            self._is_open = True
            self._opened(self)

    def _put(self, item: Quote | PriceStatus) -> None:
        # Newest wins: whoever acts on an old price is worse off than one who missed an update.
        self._waiting[type(item), item.symbol] = item
        self._something.set()
