"""A model of JetStream: streams with receipts and duplicate windows, durable consumers that deliver again what nobody answered."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from runtime.receipts import Receipt, WrongLastSequence
from runtime.subjects import STREAMS
from tests.simulation.network import Network, Server
from tests.simulation.trace import Trace
from tests.simulation.world_clock import Process, VirtualLoop

REQUEST_SECONDS = 5.0


@dataclass(frozen=True)
class Stored:
    """One message in a stream."""

    sequence: int
    subject: str
    payload: bytes
    headers: Mapping[str, str]
    event_id: str
    time: datetime


@dataclass
class Reader:
    """A pull request that is open: what is delivered to it while its process is dead comes again after the ack wait."""

    process: Process | None
    arrive: Callable[["Stream", Stored, int], None]
    room: int = 0
    until: float = 0.0


@dataclass
class Consumer:
    """A durable consumer: what it has delivered and nobody has answered, and what is to be delivered again."""

    subjects: tuple[str, ...]
    ack_wait: float
    next: int = 1
    waiting: dict[int, float] = field(default_factory=dict)
    again: deque[int] = field(default_factory=deque)
    deliveries: dict[int, int] = field(default_factory=dict)
    answered: set[int] = field(default_factory=set)
    readers: list[Reader] = field(default_factory=list)


@dataclass
class Stream:
    """One stream; `born` tells its lives apart."""

    name: str
    born: int
    messages: list[Stored] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    consumers: dict[str, Consumer] = field(default_factory=dict)


class Broker:
    """The server. A restart keeps what has a receipt; a wipe loses everything, consumers and duplicate windows included."""

    def __init__(self, loop: VirtualLoop, network: Network, trace: Trace) -> None:
        self._loop, self._network, self._trace = loop, network, trace
        self.lives = 0
        # Streams of former lives, for who looks back.
        self.past: list[dict[str, Stream]] = []
        self.streams: dict[str, Stream] = {}
        self.has_forgotten_ids = False
        self.keys: dict[str, tuple[bytes, int, float]] = {}
        self.key_writes = 0
        self._be_born()

    def _be_born(self) -> None:
        self.lives += 1
        self.streams = {name: Stream(name, self.lives) for name in STREAMS}
        self.keys, self.key_writes = {}, 0

    def wipe(self) -> None:
        """Lose the whole store."""
        self._trace.say("broker", "store wiped")
        self.past.append(self.streams)
        self._be_born()

    def forget_ids(self) -> None:
        """Lose the duplicate windows, as a restart with another retention would, or a window that is too short."""
        self._trace.say("broker", "duplicate windows lost")
        self.has_forgotten_ids = True
        for stream in self.streams.values():
            stream.known.clear()

    def publish(
        self,
        subject: str,
        payload: bytes,
        event_id: str,
        headers: Mapping[str, str],
        expected_last: int | None = None,
    ) -> Receipt:
        """Store a message, once an event id, and return its receipt. Raises WrongLastSequence.

        As nats-server 2.15 does it: the expected sequence is looked at before the event id.
        """
        stream = next(
            self.streams[name] for name, one in STREAMS.items() if any(fits(subject, s) for s in one.subjects)
        )
        last = stream.last.get(subject, 0)
        if expected_last is not None and expected_last != last:
            raise WrongLastSequence(last)
        if event_id in stream.known:
            return Receipt(stream.known[event_id], duplicate=True)
        sequence = len(stream.messages) + 1
        stream.messages.append(Stored(sequence, subject, payload, headers, event_id, self._loop.now()))
        stream.known[event_id] = stream.last[subject] = sequence
        self._trace.say("broker", f"{stream.name} {sequence}: {event_id}")
        for consumer in stream.consumers.values():
            self.pump(stream, consumer)
        return Receipt(sequence, duplicate=False)

    def consumer(self, stream: str, durable: str, subjects: tuple[str, ...], ack_wait: float) -> int:
        """Make a consumer if it is not there; return which life of the broker it lives in."""
        self.streams[stream].consumers.setdefault(durable, Consumer(subjects, ack_wait))
        return self.lives

    def request(self, stream: str, durable: str, reader: Reader, room: int) -> None:
        """Take a request for messages."""
        found = self.streams[stream].consumers.get(durable)
        if found is None:
            return
        reader.room, reader.until = room, self._loop.time() + REQUEST_SECONDS
        if reader not in found.readers:
            found.readers.append(reader)
        self.pump(self.streams[stream], found)

    def pump(self, stream: Stream, consumer: Consumer) -> None:
        """Deliver what can be delivered: first what comes again, then what is new."""
        while True:
            reader = self._free_reader(consumer)
            if reader is None:
                return
            sequence = self._next_for(stream, consumer)
            if sequence is None:
                return
            message = stream.messages[sequence - 1]
            reader.room -= 1
            count = consumer.deliveries[sequence] = consumer.deliveries.get(sequence, 0) + 1
            self._wait_for_answer(stream, consumer, sequence, consumer.ack_wait)
            self._network.push(Server.BROKER, reader.process, partial(reader.arrive, stream, message, count))

    def _free_reader(self, consumer: Consumer) -> Reader | None:
        now = self._loop.time()
        consumer.readers = [reader for reader in consumer.readers if reader.until > now]
        return next((reader for reader in consumer.readers if reader.room > 0), None)

    @staticmethod
    def _next_for(stream: Stream, consumer: Consumer) -> int | None:
        while consumer.again:
            sequence = consumer.again.popleft()
            if sequence not in consumer.answered and sequence not in consumer.waiting:
                return sequence
        while consumer.next <= len(stream.messages):
            message = stream.messages[consumer.next - 1]
            consumer.next += 1
            if any(fits(message.subject, one) for one in consumer.subjects):
                return message.sequence
        return None

    def _wait_for_answer(self, stream: Stream, consumer: Consumer, sequence: int, seconds: float) -> None:
        due = consumer.waiting[sequence] = self._loop.time() + seconds
        self._loop.later(seconds, self._expire, stream, consumer, sequence, due)

    def _expire(self, stream: Stream, consumer: Consumer, sequence: int, due: float) -> None:
        # What was lost with the store is not delivered again.
        if self.streams[stream.name] is stream and consumer.waiting.get(sequence) == due:
            del consumer.waiting[sequence]
            consumer.again.append(sequence)
            self.pump(stream, consumer)

    def answer(self, stream: Stream, durable: str, sequence: int, how: str, seconds: float = 0.0) -> None:
        """Take an answer to a delivery: "ack" and "term" end it, "nak" brings it again later, "progress" gives more time.

        A late one is honoured; one for a former life of the stream is not even understood.
        """
        if self.streams[stream.name] is not stream:
            return
        consumer = stream.consumers[durable]
        if how in ("ack", "term"):
            consumer.waiting.pop(sequence, None)
            consumer.answered.add(sequence)
        elif sequence in consumer.waiting:
            self._wait_for_answer(stream, consumer, sequence, seconds if how == "nak" else consumer.ack_wait)


def fits(subject: str, pattern: str) -> bool:
    """Tell whether a subject matches a pattern with stars."""
    tokens, wanted = subject.split("."), pattern.split(".")
    return len(tokens) == len(wanted) and all(two in ("*", one) for one, two in zip(tokens, wanted, strict=True))
