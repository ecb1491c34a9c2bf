"""Who watches what. One rendering per quote and mode, shared by all watchers; symbols that nobody watches cost one look-up."""

import time
from collections.abc import Iterable

from edge.topic import Topic
from gen.trading.v1.price_pb2 import QuoteBatch


class Hub:
    """The symbols that the clients of this process watch."""

    def __init__(self) -> None:
        self._topics: dict[str, Topic] = {}
        self._ticks_sequences: dict[str, int] = {}
        self._heard_at: float | None = None

    @property
    def feed_age_ms(self) -> int:
        """Milliseconds since the last news of any symbol; -1 when none was heard."""
        return -1 if self._heard_at is None else int((time.monotonic() - self._heard_at) * 1000)

    @property
    def watched_symbols(self) -> int:
        """Number of symbols that somebody watches or is about to."""
        return len(self._topics)

    def hear(self, subject: str, batch: QuoteBatch) -> None:
        """Take what the price service says about the symbols of one partition; older news than known is dropped."""
        # Owners repeat every quote within seconds: only a new position in the ticks, or a newer quote, is news.
        is_news = self._ticks_sequences.get(subject) != batch.ticks_sequence
        self._ticks_sequences[subject] = batch.ticks_sequence
        topics = self._topics
        for quote in batch.quotes:
            topic = topics.get(quote.symbol)
            if topic is not None and topic.hear(quote):
                is_news = True
        for status in batch.statuses:
            topic = topics.get(status.symbol)
            if topic is not None:
                topic.hear_status(status)
        if is_news:
            self._heard_at = time.monotonic()

    def hold(self, symbols: Iterable[str]) -> list[Topic]:
        """Listen to symbols from now on; each hold is followed by a `release`."""
        topics = [self._topics.get(symbol) or self._topics.setdefault(symbol, Topic(symbol)) for symbol in symbols]
        for topic in topics:
            topic.holds += 1
        return topics

    def release(self, topics: Iterable[Topic]) -> None:
        """End holds; a symbol that nobody holds is forgotten."""
        for topic in topics:
            topic.holds -= 1
            if not topic.holds:
                del self._topics[topic.symbol]
