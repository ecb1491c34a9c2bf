"""What exchange_gw measures of itself, for /metrics. Names and meaning: docs/metrics.md."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from exchange_gw.report import Hops, Kind, Report
from exchange_gw.trading import TradingState
from runtime.errors import Unavailable
from runtime.figures import Queues, Reconnects, shared
from runtime.metrics import FAST_BUCKETS

COUNT_SECONDS = 15.0


class Figures:
    """The figures of one process. What stands still is read when somebody asks; what happens is counted."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._sent = Histogram(
            "order_receipt_to_sent_seconds",
            "From the broker's receipt of a command until its message to the exchange has left.",
            buckets=FAST_BUCKETS,
            registry=registry,
        )
        self._answered = Histogram(
            "order_sent_to_report_seconds",
            "From sending an order to the exchange's first answer.",
            buckets=FAST_BUCKETS,
            registry=registry,
        )
        self.ticks = Counter("ticks", "Ticks heard from the exchange.", registry=registry)
        self.breaks = Counter(
            "breaks", "What did not fit in a comparison with the exchange.", ["kind"], registry=registry
        )
        self.letters = Counter("dead_letters", "Messages buried.", ["stream", "reason"], registry=registry)
        self._session_up = Gauge("fix_session_up", "1 while this process is logged on.", ["session"], registry=registry)
        self._trading = Gauge("trading_state", "1 for the state that holds.", ["state"], registry=registry)
        self._waiting_letters = Gauge(
            "dead_letters_waiting", "Dead letters that nobody has replayed or discarded.", registry=registry
        )
        self._parked = Gauge("commands_parked", "Commands that wait in the database.", registry=registry)
        self._queues, self._reconnects = shared(registry, Queues), shared(registry, Reconnects).of("fix")
        self._held = Gauge("commands_held", "Commands that wait in this process.", ["lane"], registry=registry)
        self._unanswered = Gauge(
            "orders_unanswered", "Requests that the exchange has not answered.", ["lane"], registry=registry
        )

    def sent(self, hops: Hops) -> None:
        """Take in that an order has left, with the times of its way until now."""
        if hops.publish_time and hops.send_time:
            self._sent.observe(_seconds(hops.publish_time, hops.send_time))

    def told(self, report: Report, hops: Hops, now: datetime) -> None:
        """Take in the first fact after an order was sent; that it was sent is no answer of the exchange."""
        if hops.send_time and report.kind is not Kind.SUBMITTED:
            self._answered.observe(_seconds(hops.send_time, now))

    def count_break(self, kind: str) -> None:
        """Count a new break."""
        self.breaks.labels(kind).inc()

    def count_letter(self, stream: str, reason: str) -> None:
        """Count a dead letter."""
        self.letters.labels(stream, reason).inc()

    def watch_session(self, name: str, is_up: Callable[[], bool]) -> None:
        """Show whether a session is logged on."""
        self._session_up.labels(name).set_function(is_up)

    def watch_trading(self, state: Callable[[], TradingState]) -> None:
        """Show which trading state holds."""
        for one in TradingState:
            self._trading.labels(one.value).set_function(partial(_holds, state, one))

    def watch_queue(self, name: str, depth: Callable[[], int], *, capacity: int) -> None:
        """Show how much waits in a queue."""
        self._queues.watch(name, depth, capacity=capacity)

    async def keep_counting(
        self, *, letters: Callable[[], Awaitable[int]], parked: Callable[[], Awaitable[int]], logons: Callable[[], int]
    ) -> None:
        """Ask now and then, for ever, how much waits in the broker and in the database, and how often we logged on again."""
        counted = 0
        while True:
            for gauge, count in ((self._waiting_letters, letters), (self._parked, parked)):
                with suppress(Unavailable):
                    gauge.set(await count())
            counted, before = logons(), counted
            self._reconnects.inc(counted - before)
            await asyncio.sleep(COUNT_SECONDS)

    def watch_lane(self, group: int, *, unanswered: Callable[[], int], held: Callable[[], int]) -> None:
        """Show what waits in a lane."""
        self._unanswered.labels(str(group)).set_function(unanswered)
        self._held.labels(str(group)).set_function(held)


def _holds(state: Callable[[], TradingState], one: TradingState) -> bool:
    return state() is one


def _seconds(start: datetime, end: datetime) -> float:
    # The broker's clock and ours may differ.
    return max((end - start).total_seconds(), 0.0)
