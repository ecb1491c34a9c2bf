"""What the edge measures of itself, for /metrics (docs/metrics.md)."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from edge.tally import Tally
from runtime.metrics import FAST_BUCKETS

HOP_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
# What the connection says when it broke without a close frame.
BROKEN_CODE = 1006

_Count: TypeAlias = Callable[[], int]


class Figures:
    """The figures of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self.tally = Tally()
        self._requests = Counter("edge_requests", "JSON-RPC requests answered.", ["method", "code"], registry=registry)
        self._seconds = Histogram(
            "edge_request_seconds",
            "From a request's frame to its answer's.",
            ["method"],
            buckets=FAST_BUCKETS,
            registry=registry,
        )
        self._closed = Counter("edge_sockets_closed", "Sockets closed, by close code.", ["code"], registry=registry)
        subscriptions = Gauge("edge_subscriptions", "Symbols watched, summed over sockets.", registry=registry)
        subscriptions.set_function(lambda: self.tally.subscriptions)
        tick = Histogram(
            "tick_to_client_seconds",
            "From the exchange's time of a tick until a client's socket has taken the quote.",
            buckets=HOP_BUCKETS,
            registry=registry,
        )
        report = Histogram(
            "order_report_to_pushed_seconds",
            "From hearing a report until the client's socket has taken the update.",
            buckets=HOP_BUCKETS,
            registry=registry,
        )
        self.tally.tick_to_client, self.tally.report_to_pushed = tick.observe, report.observe
        registry.register(_Tallied(self.tally))
        # A look-up by labels costs more than the counting.
        self._answered: dict[tuple[str, int], Callable[[], None]] = {}
        self._timed: dict[str, Callable[[float], None]] = {}

    def count_sockets(self, sockets: _Count) -> None:
        """Show how many sockets are open."""
        Gauge("edge_sockets", "Open sockets.", registry=self._registry).set_function(sockets)

    def answered(self, method: str, code: int, seconds: float) -> None:
        """Count an answered request; `method` is one of the protocol's, or a word for all others, `code` 0 or the error's."""
        key = method, code
        count = self._answered.get(key)
        if count is None:
            count = self._answered[key] = self._requests.labels(method, str(code)).inc
            self._timed[method] = self._seconds.labels(method).observe
        count()
        self._timed[method](seconds)

    def closed(self, code: int | None) -> None:
        """Count a socket that is closed."""
        self._closed.labels(str(code or BROKEN_CODE)).inc()


class _Tallied(Collector):
    """Shows what was only counted."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def collect(self) -> Iterator[Metric]:
        tally = self._tally
        for name, words, value in (
            ("edge_updates_sent", "Quotes written to sockets.", tally.updates_sent),
            (
                "edge_updates_conflated",
                "Quotes that a newer one of their symbol replaced before they were sent.",
                tally.updates_conflated,
            ),
            (
                "edge_updates_dropped",
                "Order updates that were not sent because their socket was let go.",
                tally.updates_dropped,
            ),
        ):
            yield CounterMetricFamily(name, words, value=value)
