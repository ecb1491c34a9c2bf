"""What one price stream still has to be told: of each symbol only the newest, so that a slow reader is late but never behind."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from price_svc.quote import Quote, State
from runtime.errors import InvalidArgument, ResourceExhausted, Unavailable

HEARTBEAT_SECONDS = 5.0
MAX_HZ = 50.0


class TooManyStreams(ResourceExhausted):
    """The server carries no more price streams."""

    reason = "TOO_MANY_STREAMS"


class InvalidMaxHz(InvalidArgument):
    """No such rate of updates."""

    reason = "INVALID_MAX_HZ"


class ShuttingDown(Unavailable):
    """This server is about to stop; ask again, another one answers."""

    reason = "SHUTTING_DOWN"


@dataclass(frozen=True, slots=True)
class Update:
    """What a stream is told at once: newest quotes, or quotes whose state turned, or (both empty) that the line lives."""

    quotes: Sequence[Quote] = ()
    turned: Sequence[Quote] = ()


class Watch:
    """One stream: newest wins per symbol, at most `max_hz` updates a second (0: as fast as they come)."""

    def __init__(self, snapshot: Iterable[Quote], *, max_hz: float) -> None:
        self._quotes = {quote.symbol: quote for quote in snapshot}
        self.symbols = tuple(self._quotes)
        self._turned = {quote.symbol: quote for quote in self._quotes.values() if quote.state is not State.LIVE}
        self._pause_seconds = 1 / max_hz if max_hz else 0.0
        self._due = 0.0
        self._closed = False
        self._woken = asyncio.Event()

    def put(self, quote: Quote) -> None:
        """Replace what was still to be told about the symbol."""
        self._quotes[quote.symbol] = quote
        self._woken.set()

    def put_turned(self, quote: Quote) -> None:
        """Tell that the symbol's state turned; that is not held back by the rate."""
        self._turned[quote.symbol] = quote
        self._woken.set()

    def close(self) -> None:
        """End the stream."""
        self._closed = True
        self._woken.set()

    async def next(self) -> Update:
        """Wait for what is next: the snapshot first, an empty update after some silent seconds. Raises ShuttingDown."""
        loop = asyncio.get_running_loop()
        silent_at = loop.time() + HEARTBEAT_SECONDS
        while True:
            now = loop.time()
            if self._closed:
                raise ShuttingDown("this server stops", retry_after_seconds=0.5)
            if self._quotes and now >= self._due:
                self._due = now + self._pause_seconds
                quotes, self._quotes = self._quotes, {}
                return Update(quotes=tuple(quotes.values()))
            if self._turned and not self._is_first:
                turned, self._turned = self._turned, {}
                return Update(turned=tuple(turned.values()))
            if now >= silent_at:
                return Update()
            self._woken.clear()
            await self._sleep_until(min(silent_at, self._due) if self._quotes else silent_at)

    @property
    def _is_first(self) -> bool:
        return self._due == 0.0

    async def _sleep_until(self, when: float) -> None:
        try:
            async with asyncio.timeout_at(when):
                await self._woken.wait()
        except TimeoutError:
            return


class Watches:
    """All streams of this process, by symbol."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._all: set[Watch] = set()
        self._by_symbol: dict[str, set[Watch]] = {}
        self._closed = False

    @contextmanager
    def open(
        self, symbols: Sequence[str], snapshot: Callable[[Sequence[str]], list[Quote]], *, max_hz: float
    ) -> Iterator[Watch]:
        """Open a stream for the block. Raises TooManyStreams, InvalidMaxHz, ShuttingDown."""
        if not 0 <= max_hz <= MAX_HZ:
            raise InvalidMaxHz(f"max_hz must be from 0 to {MAX_HZ:g}", field="max_hz", limit=MAX_HZ, actual=max_hz)
        if self._closed:
            raise ShuttingDown("this server stops", retry_after_seconds=0.5)
        if len(self._all) >= self._limit:
            raise TooManyStreams("this server carries no more streams", retry_after_seconds=5.0, limit=self._limit)
        # No await between the snapshot and the registration: nothing falls between them.
        watch = Watch(snapshot(symbols), max_hz=max_hz)
        self._all.add(watch)
        for symbol in watch.symbols:
            self._by_symbol.setdefault(symbol, set()).add(watch)
        try:
            yield watch
        finally:
            self._forget(watch)

    def _forget(self, watch: Watch) -> None:
        self._all.discard(watch)
        for symbol in watch.symbols:
            watching = self._by_symbol[symbol]
            watching.discard(watch)
            if not watching:
                del self._by_symbol[symbol]

    def tell(self, changed: Iterable[Quote], turned: Iterable[Quote]) -> None:
        """Tell every stream what concerns it."""
        if not self._all:
            return
        for quote in changed:
            for watch in self._by_symbol.get(quote.symbol, ()):
                watch.put(quote)
        for quote in turned:
            for watch in self._by_symbol.get(quote.symbol, ()):
                watch.put_turned(quote)

    def close(self) -> None:
        """End all streams and take no more."""
        self._closed = True
        for watch in self._all:
            watch.close()
