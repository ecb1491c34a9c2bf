"""What every process measures, whatever its service: calls, the bus, queues, connections. Names and meaning: docs/metrics.md."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from runtime.metrics import FAST_BUCKETS
from runtime.subjects import STREAMS

F = TypeVar("F")
_SHARED: WeakKeyDictionary[CollectorRegistry, dict[type[Any], Any]] = WeakKeyDictionary()
# Beginnings of subjects, by which a message's stream is known.
_STEMS = tuple((subject.partition("*")[0], stream.name) for stream in STREAMS.values() for subject in stream.subjects)


def shared(registry: CollectorRegistry, kind: type[F]) -> F:
    """Return a registry's only set of figures of a kind: several parts of a process count in the same ones."""
    kinds = _SHARED.setdefault(registry, {})
    if kind not in kinds:
        # The type of a class here is a way to call it with a registry.
        kinds[kind] = kind(registry)  # type: ignore[call-arg]
    found: F = kinds[kind]
    return found


class Reconnects:
    """Connections that were made again."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._made = Counter("reconnects", "Connections made again.", ["peer"], registry=registry)

    def of(self, peer: str) -> Counter:
        """Return the counter of a peer: `nats`, `mongo` or `fix`; it shows from now on."""
        return self._made.labels(peer)


class Queues:
    """Queues that hold only so much."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._depth = Gauge("queue_depth", "What waits in a bounded queue.", ["queue"], registry=registry)
        self._capacity = Gauge("queue_capacity", "How much it may hold.", ["queue"], registry=registry)

    def watch(self, name: str, depth: Callable[[], int], *, capacity: int) -> None:
        """Show how much waits in a queue; `depth` is called from another thread whenever somebody looks."""
        self._depth.labels(name).set_function(depth)
        self._capacity.labels(name).set(capacity)


class Calls:
    """The calls of one method."""

    def __init__(self, requests: Counter, seconds: Histogram, streams: Gauge, method: str) -> None:
        self._requests, self._seconds, self._streams, self._method = requests, seconds, streams, method
        self._of_code: dict[str, Counter] = {}
        self._time: Histogram | None = None

    def answered(self, code: str, seconds: float | None = None) -> None:
        """Count an answer with its status code; `seconds` is how long it took, None for a stream."""
        counter = self._of_code.get(code)
        if counter is None:
            counter = self._of_code[code] = self._requests.labels(self._method, code)
        counter.inc()
        if seconds is not None:
            if self._time is None:
                self._time = self._seconds.labels(self._method)
            self._time.observe(seconds)

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Count a stream as open inside the block."""
        streams = self._streams.labels(self._method)
        streams.inc()
        try:
            yield
        finally:
            streams.dec()


class RpcFigures:
    """Calls that a gRPC server answered, by method."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter("rpc_requests", "gRPC calls answered.", ["method", "code"], registry=registry)
        self._seconds = Histogram(
            "rpc_request_seconds",
            "From a call's arrival to its answer; streams are not counted.",
            ["method"],
            buckets=FAST_BUCKETS,
            registry=registry,
        )
        self._streams = Gauge("rpc_streams", "Open streams.", ["method"], registry=registry)

    def of(self, method: str) -> Calls:
        """Return the figures of a method, `/package.Service/Method`; to be looked up once."""
        return Calls(self._requests, self._seconds, self._streams, method.removeprefix("/"))


class Reading:
    """One reader of a stream."""

    def __init__(self, pending: Gauge, redelivered: Counter) -> None:
        self._pending, self._redelivered = pending, redelivered

    def waits(self, pending: int) -> None:
        """Take in how many messages were not delivered yet."""
        self._pending.set(pending)

    def delivered(self, reply: str) -> None:
        """Take in a delivery, by the address that it is to be answered to; it tells how often it came (ADR-15)."""
        # $JS.ACK.<stream>.<consumer>.<deliveries>.… as nine parts, or with a domain and an account in front.
        parts = reply.split(".", 7)
        if len(parts) > 7 and parts[4 if reply.count(".") == 8 else 6] != "1":  # noqa: PLR2004 - as the comment says
            self._redelivered.inc()


class Measured(Protocol):
    """A reader that can be asked."""

    async def measure(self) -> None:
        """Find out how much waits for it. Raises what the broker's client raises."""


class BusFigures:
    """What goes to the broker and what waits there. `readers` are those of this process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "bus_publish_seconds",
            "From publishing a message to the broker's receipt.",
            ["stream"],
            buckets=FAST_BUCKETS,
            registry=registry,
        )
        self._pending = Gauge(
            "bus_consumer_pending",
            "Messages of a consumer that were not delivered yet.",
            ["stream", "consumer"],
            registry=registry,
        )
        self._redelivered = Counter(
            "bus_redelivered",
            "Deliveries that were not a message's first.",
            ["stream", "consumer"],
            registry=registry,
        )
        self._of_stream: dict[str, Histogram] = {}
        self.readers: set[Measured] = set()

    def published(self, subject: str, seconds: float) -> None:
        """Take in the receipt of a message that was published so long ago."""
        stream = next((name for stem, name in _STEMS if subject.startswith(stem)), "")
        if not stream:
            return
        histogram = self._of_stream.get(stream)
        if histogram is None:
            histogram = self._of_stream[stream] = self._seconds.labels(stream)
        histogram.observe(seconds)

    def reading(self, stream: str, consumer: str) -> Reading:
        """Return the figures of one reader; `consumer` is a name that stays the same over restarts."""
        return Reading(self._pending.labels(stream, consumer), self._redelivered.labels(stream, consumer))

    def forget(self, stream: str, consumer: str) -> None:
        """Show no longer how much waits for a reader that has gone."""
        self._pending.remove(stream, consumer)
