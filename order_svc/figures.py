"""What order_svc measures of itself, for /metrics."""

import time
from collections import OrderedDict
from typing import Any

from bson import ObjectId
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from order_svc.event import News
from runtime.metrics import FAST_BUCKETS

# Transactions that are remembered until their commands are published, or the other way round.
MAX_COMMITS = 10_000


class Figures:
    """The figures of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._published = Histogram(
            "order_commit_to_receipt_seconds",
            "From the commit of an order to the broker's receipt of its command.",
            buckets=FAST_BUCKETS,
            registry=registry,
        )
        self._commit = Histogram(
            "order_commit_seconds",
            "From the start of a commit to its end.",
            buckets=FAST_BUCKETS,
            registry=registry,
        )
        self.unsettled = Gauge("outbox_unsettled", "Entries of the outbox not settled yet.", registry=registry)
        self.oldest = Gauge("outbox_oldest_seconds", "Age of the oldest of them.", registry=registry)
        self.swept = Counter("outbox_swept", "Entries that the sweeper published.", registry=registry)
        self.uncertain = Counter("orders_uncertain", "Orders that became UNCERTAIN.", registry=registry)
        self.placed = Counter("orders_placed", "Orders stored.", ["type"], registry=registry)
        self.closed = Counter("orders_closed", "Orders that came to an end.", ["state"], registry=registry)
        self.letters = Counter("dead_letters", "Messages buried.", ["stream", "reason"], registry=registry)
        # Orders that are UNCERTAIN as far as this process, while it relays, has heard.
        self._doubtful: set[str] = set()
        doubtful = Gauge("orders_uncertain_open", "Orders that are UNCERTAIN.", registry=registry)
        doubtful.set_function(lambda: len(self._doubtful))
        self.refused = Counter(
            "orders_refused", "Orders refused before they were stored.", ["reason"], registry=registry
        )
        self.queries = Counter("order_queries", "Questions about orders without news.", registry=registry)
        self.lease_held = Gauge("relay_lease_held", "1 while this process relays.", registry=registry)
        # When commits ended: by the monotonic clock, and in microseconds since 1970 until that was used once.
        self._commits: OrderedDict[ObjectId, tuple[float, int]] = OrderedDict()
        # Receipts that came before the commit's own answer.
        self._early: OrderedDict[ObjectId, int] = OrderedDict()

    def count_refusal(self, reason: str) -> None:
        """Count an order that was refused before it was stored."""
        self.refused.labels(reason).inc()

    def hear(self, news: News) -> None:
        """Count what an update says; called for each, once, by the relay."""
        if news.became_uncertain:
            self.uncertain.inc()
        if news.closed:
            self.closed.labels(news.state.value).inc()
        self.judge(news.order_id, is_certain=news.certain)

    def judge(self, order_id: str, *, is_certain: bool) -> None:
        """Take in whether an order is certain."""
        if is_certain:
            self._doubtful.discard(order_id)
        elif len(self._doubtful) < MAX_COMMITS:
            self._doubtful.add(order_id)

    def count_placed(self, kind: str) -> None:
        """Count an order that was stored; `kind` is LIMIT or MARKET."""
        self.placed.labels(kind).inc()

    def count_letter(self, stream: str, reason: str) -> None:
        """Count a dead letter."""
        self.letters.labels(stream, reason).inc()

    def landed(self, news: News) -> None:
        """Nothing: commands are measured."""

    async def run(self) -> None:
        """Begin anew with a reign: what was doubtful before is found by who reads the open orders."""
        self._doubtful.clear()

    def committed(self, entry_id: ObjectId) -> None:
        """Note that the transaction with this outbox entry is committed; called right after it."""
        self._commits[entry_id] = time.monotonic(), time.time_ns() // 1000
        _bound(self._commits)
        for _ in range(self._early.pop(entry_id, 0)):
            self._published.observe(0.0)

    def published(self, entry_id: ObjectId, commit_time_us: int) -> None:
        """Note the receipt of one order's command. What another process committed is not measured.

        `commit_time_us` is when the commit began.
        """
        ended = self._commits.get(entry_id)
        if ended is None:
            self._early[entry_id] = self._early.get(entry_id, 0) + 1
            _bound(self._early)
            return
        moment, wall_us = ended
        self._published.observe(max(time.monotonic() - moment, 0.0))
        if wall_us:
            self._commit.observe(max(wall_us - commit_time_us, 0) / 1_000_000)
            self._commits[entry_id] = moment, 0


def _bound(remembered: OrderedDict[ObjectId, Any]) -> None:
    if len(remembered) > MAX_COMMITS:
        remembered.popitem(last=False)
