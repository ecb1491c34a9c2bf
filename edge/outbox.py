"""What one client still has to read: every response and order update, but only the newest price per symbol. Pure: no clock, no I/O.

Two classes. Lossless frames go first, in order, and are bounded: when they overflow the client is too slow to be told the truth
and has to come again. Prices wait as marks, not as frames: what is sent is the newest at the moment of sending, so a slow client
costs nothing and reads nothing old. A trader acting on an old price is worse off than one who missed a tick.
"""

from collections import deque
from collections.abc import Callable
from math import inf

from edge.replies import notification
from edge.topic import Mode, Topic

# More go into the next frame, so that no frame keeps a response waiting for long.
QUOTES_PER_FRAME = 128
# Timers are good to a millisecond or two.
TIMER_SLACK_SECONDS = 0.002

_QUOTES, _QUOTES_END = notification("prices.update", b'{"quotes":[]}').split(b"]", 1)
_QUOTES_END = b"]" + _QUOTES_END


class Overflow(Exception):
    """The lossless queue is full: the client does not read."""


class Watch:
    """One client's interest in one symbol: how much of each quote, and how often at most (seconds between two updates).

    It stays silent until it is woken, so that nothing is sent before the subscription is answered.
    """

    __slots__ = ("_changes", "_is_marked", "_outbox", "interval", "mode", "next", "topic")

    def __init__(self, outbox: "Outbox", topic: Topic, mode: Mode, interval: float) -> None:
        self._outbox, self.topic, self.mode, self.interval = outbox, topic, mode, interval
        # When the next update may be sent.
        self.next = inf
        self._is_marked = False
        self._changes = 0

    def wake(self) -> None:
        """Send from now on."""
        if self.next == inf:
            self.next = 0.0
            if self._is_marked:
                self._outbox.expect(0.0)

    def offer(self) -> None:
        """Mark the symbol: a newer price is there."""
        outbox = self._outbox
        self._is_marked, self._changes = True, self.topic.changes
        outbox.marked.append(self)
        if self.next < outbox.expected:
            outbox.expect(self.next)

    def tell(self, status: bytes) -> None:
        """Pass on that the symbol became live, stale or halted; a newer word replaces an older one that was not sent."""
        self._outbox.put_newest(f"status {self.topic.symbol}", notification("prices.status", status))

    def sent(self, until: float) -> int:
        """Note that the newest price is on its way, and when the next may follow; return how many older ones it replaces."""
        topic = self.topic
        self._is_marked, self.next = False, until
        topic.await_change(self)
        return topic.changes - self._changes


class Outbox:
    """The frames that one client has still to read.

    `wake_at` is called with the time at which there will be something to take: 0 for at once. `phase` (seconds) shifts the beat
    at which this client's prices are sent, so that not all clients are served in the same millisecond.
    """

    def __init__(
        self, wake_at: Callable[[float], None], *, max_frames: int, max_bytes: int, phase: float = 0.0
    ) -> None:
        self._wake_at, self._max_frames, self._max_bytes, self._phase = wake_at, max_frames, max_bytes, phase
        self._lossless: deque[bytes] = deque()
        self._bytes = 0
        self._newest: dict[str, bytes] = {}
        self.marked: list[Watch] = []
        # When the writer will look next; minus infinity while it is looking.
        self.expected = -inf
        # Price updates that were replaced by newer ones before they were sent.
        self.conflated = 0

    def put(self, frame: bytes) -> None:
        """Add a lossless frame. Raises Overflow when the client has too much to read."""
        if len(self._lossless) >= self._max_frames or self._bytes + len(frame) > self._max_bytes:
            raise Overflow
        self._lossless.append(frame)
        self._bytes += len(frame)
        self.expect(0.0)

    def put_newest(self, kind: str, frame: bytes) -> None:
        """Add a frame that replaces an earlier one of its kind, if that was not sent yet."""
        self._newest[kind] = frame
        self.expect(0.0)

    @property
    def is_empty(self) -> bool:
        """Tell whether everything lossless has been taken."""
        return not self._lossless

    def expect(self, when: float) -> None:
        """Make sure that the writer looks at this time, or earlier."""
        if when < self.expected:
            self.expected = -inf if when <= 0.0 else when
            self._wake_at(when)

    def take(self, now: float) -> bytes | None:
        """Return the next frame; None when nothing may be sent now, and then `wake_at` says when."""
        self.expected = -inf
        if self._lossless:
            frame = self._lossless.popleft()
            self._bytes -= len(frame)
            return frame
        if self._newest:
            return self._newest.pop(next(iter(self._newest)))
        if self.marked:
            return self._take_prices(now + TIMER_SLACK_SECONDS)
        self._sleep(inf)
        return None

    def _take_prices(self, now: float) -> bytes | None:
        texts: list[bytes] = []
        later: list[Watch] = []
        earliest, interval, until = inf, -1.0, 0.0
        for watch in self.marked:
            if watch.next > now or len(texts) == QUOTES_PER_FRAME:
                later.append(watch)
                earliest = min(earliest, watch.next)
                continue
            if watch.interval != interval:
                interval = watch.interval
                until = self._end_of_beat(now, interval)
            self.conflated += watch.sent(until)
            texts.append(watch.topic.text(watch.mode))
        self.marked = later
        if not texts:
            self._sleep(earliest)
            return None
        return b"%b%b%b" % (_QUOTES, b",".join(texts), _QUOTES_END)

    def _end_of_beat(self, now: float, interval: float) -> float:
        """Return when the next update of a symbol that is sent now may follow.

        Time is cut into beats, and a symbol is sent once in a beat; all symbols of a client share the beat, so that busy ones go
        together in one frame.
        """
        if interval <= 0.0:
            return 0.0
        return (int((now + self._phase) / interval) + 1) * interval - self._phase

    def _sleep(self, until: float) -> None:
        self.expected = until
        if until < inf:
            self._wake_at(until)

    def drop(self, watch: Watch) -> None:
        """Forget a mark, because the client no longer watches the symbol."""
        if watch in self.marked:
            self.marked.remove(watch)

    def clear(self) -> None:
        """Forget everything: the client is gone."""
        self._lossless.clear()
        self._newest.clear()
        self.marked.clear()
        self._bytes = 0
