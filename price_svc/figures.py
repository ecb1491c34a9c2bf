"""What price_svc measures of itself, for /metrics, read whenever somebody looks. Names and meaning: docs/metrics.md."""

from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from price_svc.board import Board
from price_svc.feed import Feed
from price_svc.holdings import Holdings
from price_svc.quote import State
from price_svc.store import MAX_BARS, MAX_TICKS, MongoHistory
from runtime.figures import Queues, shared
from runtime.subjects import TICK_PARTITIONS


def show(
    registry: CollectorRegistry,
    *,
    board: Board,
    feed: Feed,
    holdings: Holdings,
    history: MongoHistory,
    clock_ns: Callable[[], int],
) -> None:
    """Show the figures of one process in its registry."""
    registry.register(_Figures(board, feed, holdings, history, clock_ns))
    queues = shared(registry, Queues)
    queues.watch("history_ticks", lambda: history.waiting_ticks, capacity=MAX_TICKS)
    queues.watch("history_bars", lambda: history.waiting_bars, capacity=MAX_BARS)


class _Figures(Collector):
    """Counted as numbers where it happens and told from here: no tick pays for it. Another thread asks."""

    def __init__(
        self, board: Board, feed: Feed, holdings: Holdings, history: MongoHistory, clock_ns: Callable[[], int]
    ) -> None:
        self._board, self._feed, self._holdings, self._history = board, feed, holdings, history
        self._clock_ns, self._began_ns = clock_ns, clock_ns()

    def collect(self) -> Iterator[Metric]:
        """Return what is so now."""
        feed, history = self._feed, self._history
        yield CounterMetricFamily("ticks_taken", "Ticks that were newer than what was known.", feed.taken_ticks)
        yield CounterMetricFamily("ticks_stale", "Ticks that were not.", feed.stale_ticks)
        yield CounterMetricFamily("ticks_absurd", "Ticks dropped for a number that cannot be.", feed.implausible_ticks)
        yield CounterMetricFamily("history_lost", "Ticks and bars that were given up.", history.lost)
        yield GaugeMetricFamily(
            "history_behind_seconds",
            "Age of the oldest tick or bar that waits for the database.",
            history.behind_seconds,
        )
        yield GaugeMetricFamily("feed_age_seconds", "Time since the newest tick of all.", self._silence_seconds())
        # A copy made at once: the loop goes on meanwhile.
        states = Counter(quote.state for quote in list(self._board.quotes()))
        quotes = GaugeMetricFamily("quotes", "Symbols by the state of their quote.", labels=["state"])
        for state in State:
            quotes.add_metric([state.value], states[state])
        yield quotes
        leases = GaugeMetricFamily(
            "tick_lease_held", "1 while this process owns the partition of ticks.", labels=["partition"]
        )
        for partition in range(TICK_PARTITIONS):
            leases.add_metric([str(partition)], self._holdings.have(partition))
        yield leases

    def _silence_seconds(self) -> float:
        """Return how long nothing has been heard; before the first tick that is as long as we have been there."""
        now_ns = self._clock_ns()
        age_ms = self._board.feed_age_ms(now_ns)
        return (age_ms if age_ms >= 0 else (now_ns - self._began_ns) // 1_000_000) / 1_000
