"""The newest price of one symbol and its JSON text, made at most once per change and shared by all who watch it. Pure."""

from enum import Enum
from typing import Protocol

from edge.rendering import json_of, renderer
from gen.trading.v1.price_pb2 import PriceStatus, Quote

_ltp = renderer(Quote.DESCRIPTOR, only=("symbol", "price", "epoch", "seq", "state", "quote_time"))


class Mode(Enum):
    """How much of a quote a watcher gets."""

    LTP = "LTP"
    QUOTE = "QUOTE"


class Watcher(Protocol):
    """Someone who wants to hear of one symbol."""

    def offer(self) -> None:
        """A newer price is there. Said once; `Topic.await_change` asks for the next time."""

    def tell(self, status: bytes) -> None:
        """The symbol became live, stale or halted; the argument is the JSON text of a PriceStatus."""


class Topic:
    """One symbol that somebody watches. `quote` is None until the first is heard."""

    __slots__ = ("_ltp", "_quote_text", "_waiting", "changes", "holds", "quote", "symbol", "watchers")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.quote: Quote | None = None
        self.watchers: set[Watcher] = set()
        # Those of them that do not know yet that there is news: a busy symbol costs nothing for clients that are slower than it.
        self._waiting: set[Watcher] = set()
        self.changes = 0
        # Subscriptions, and those that listen already and still wait for their snapshot.
        self.holds = 0
        self._ltp = self._quote_text = b""

    def hear(self, quote: Quote) -> bool:
        """Take a quote that was said if it is newer, or tells another state of the same version. Return whether it was taken."""
        held = self.quote
        if held is not None:
            version, known = (quote.epoch, quote.seq), (held.epoch, held.seq)
            if version < known or (version == known and quote.state == held.state):
                return False
        self._take(quote)
        return True

    def catch_up(self, quote: Quote) -> None:
        """Take a quote that was asked for, if it is newer than what was heard; of the same version the heard one knows better."""
        held = self.quote
        if held is None or (quote.epoch, quote.seq) > (held.epoch, held.seq):
            self._take(quote)

    def _take(self, quote: Quote) -> None:
        # A copy: the original holds on to the whole batch that it came in, and others read it too.
        self.quote = Quote()
        self.quote.CopyFrom(quote)
        self._ltp = self._quote_text = b""
        self.changes += 1
        if self._waiting:
            waiting, self._waiting = self._waiting, set()
            for watcher in waiting:
                watcher.offer()

    def await_change(self, watcher: Watcher) -> None:
        """Offer the next newer price to a watcher."""
        self._waiting.add(watcher)

    def join(self, watcher: Watcher) -> None:
        """Let a watcher hear of the symbol."""
        self.watchers.add(watcher)
        self._waiting.add(watcher)

    def leave(self, watcher: Watcher) -> None:
        """Let a watcher hear no more."""
        self.watchers.discard(watcher)
        self._waiting.discard(watcher)

    def hear_status(self, status: PriceStatus) -> None:
        """Take a change of state, and tell it."""
        if self.quote is not None and self.quote.state != status.state:
            self.quote.state = status.state
            self._ltp = self._quote_text = b""
        text = json_of(status)
        for watcher in self.watchers:
            watcher.tell(text)

    def text(self, mode: Mode) -> bytes:
        """Return the JSON text of the newest quote; only for a topic that has one."""
        if mode is Mode.QUOTE:
            if not self._quote_text and self.quote is not None:
                self._quote_text = json_of(self.quote)
            return self._quote_text
        if not self._ltp and self.quote is not None:
            self._ltp = _ltp(self.quote)
        return self._ltp
