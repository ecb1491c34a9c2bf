"""Clients that watch the same symbols, in the same mode, at the same pace: what they read is made once and handed to each.

A tick costs one mark for each audience, whatever its size; a frame costs one join of ready texts, and then one write a client.
Pure: time comes from the caller, writing is the outbox's.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Protocol

from edge.beats import Due
from edge.framing import framed
from edge.params import MAX_HZ
from edge.replies import notification
from edge.tally import Tally
from edge.topic import Mode, Topic

# More go into the next frame, so that no frame keeps a response waiting for long.
QUOTES_PER_FRAME = 128
# Nobody gets frames faster than this, however many symbols tick; what comes in between goes together.
GAP_SECONDS = 1.0 / MAX_HZ
# A beat that is this near counts as reached: slots and timers are good to some milliseconds.
SLACK_SECONDS = 0.001

_QUOTES, _QUOTES_END = notification("prices.update", b'{"quotes":[]}').split(b"]", 1)
_QUOTES_END = b"]" + _QUOTES_END


class Outlet(Protocol):
    """Where one client's frames go."""

    is_ready: bool
    write: Callable[[bytes], None]

    def put_newest(self, kind: str, frame: bytes) -> None:
        """Send a frame that replaces an earlier one of its kind, if that was not sent yet."""


class Clock(Protocol):
    """Who calls an audience when it is due."""

    def soon(self, due: Due) -> None:
        """Call in the next turn."""

    def at(self, when: float, due: Due) -> None:
        """Call at this time."""

    def now(self) -> float:
        """Return the time, in seconds."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How a client wants a symbol: how much of each quote, and how often at most (seconds between two updates)."""

    mode: Mode
    interval: float


@dataclass(slots=True)
class Subscription:
    """One client's interest in a symbol; silent until its snapshot is on its way, so that no update comes before it."""

    topic: Topic
    wish: Wish
    is_silent: bool = True


class Seat:
    """One client's place in an audience.

    `told` is None while the client has got every frame of the audience. Else the client is out of step, because it just came or
    did not read: then `told` is the change of each symbol that it has, and it gets frames of its own until it is in step again.
    """

    __slots__ = ("audience", "missed", "outlet", "told")

    def __init__(self, outlet: Outlet, audience: "Audience", told: dict[Topic, int]) -> None:
        self.outlet, self.audience = outlet, audience
        self.told: dict[Topic, int] | None = told
        # Quotes of frames that the client did not take.
        self.missed = 0

    def note(self, told: dict[Topic, int]) -> None:
        """Go on from what the client has been told by other means."""
        self.told = told
        self.catch_up()

    def catch_up(self) -> int:
        """Send the newest of all that the client does not have; return how many older ones it replaces. Stops when it must wait."""
        told, outlet = self.told, self.outlet
        if told is None:
            return 0
        owed = [topic for topic, change in told.items() if change != topic.changes]
        for at in range(0, len(owed), QUOTES_PER_FRAME):
            if not outlet.is_ready:
                return 0
            part = owed[at : at + QUOTES_PER_FRAME]
            outlet.write(_frame([topic.text(self.audience.mode) for topic in part]))
            tally = self.audience.tally
            tally.updates_sent += len(part)
            tally.updates_conflated += sum(topic.changes - told[topic] - 1 for topic in part)
            told.update((topic, topic.changes) for topic in part)
            self.missed -= len(part)
        replaced, self.missed = max(self.missed, 0), 0
        self.audience.settle(self)
        return replaced


class Watch:
    """An audience's ear at one symbol."""

    __slots__ = ("audience", "next", "sent", "topic")

    def __init__(self, audience: "Audience", topic: Topic) -> None:
        self.audience, self.topic = audience, topic
        # When the next update may be sent, and the change that was sent last.
        self.next, self.sent = 0.0, topic.changes

    def offer(self) -> None:
        """Note that a newer price is there."""
        audience = self.audience
        audience.marked.append(self)
        if self.next < audience.expected:
            audience.expect(self.next)

    def tell(self, status: bytes) -> None:
        """Pass on that the symbol became live, stale or halted; a newer word replaces an older one that was not sent."""
        frame = notification("prices.status", status)
        for seat in self.audience.seats:
            seat.outlet.put_newest(f"status {self.topic.symbol}", frame)


class Audience:
    """Clients with the same wish for the same symbols. `phase` shifts its beat against that of others."""

    def __init__(
        self,
        topics: Iterable[Topic],
        wish: Wish,
        clock: Clock,
        *,
        phase: float | None = None,
        tally: Tally | None = None,
    ) -> None:
        self.tally = tally or Tally()
        self.wish, self.mode, self._interval, self._clock = wish, wish.mode, wish.interval, clock
        # Not for secrets: it only spreads the audiences over the beat.
        self._phase = random.random() if phase is None else phase  # noqa: S311
        self.seats: dict[Seat, None] = {}
        self.marked: list[Watch] = []
        # When the clock will call; the time before which no frame follows the last.
        self.expected, self._next_frame = inf, 0.0
        self._watches = {topic: Watch(self, topic) for topic in topics}
        for topic, watch in self._watches.items():
            topic.join(watch)

    def join(self, outlet: Outlet, told: dict[Topic, int]) -> Seat:
        """Let a client in that has these changes of the symbols; what is newer it gets at once."""
        seat = Seat(outlet, self, told)
        self.seats[seat] = None
        seat.catch_up()
        return seat

    def leave(self, seat: Seat) -> None:
        """Let a client go."""
        del self.seats[seat]

    def end(self) -> None:
        """Listen no more: nobody is left."""
        for topic, watch in self._watches.items():
            topic.leave(watch)
        # The clock may still hold on to this for a while.
        self.marked, self._watches = [], {}

    @property
    def topics(self) -> frozenset[Topic]:
        """The symbols that are watched here."""
        return frozenset(self._watches)

    def told(self, seat: Seat) -> dict[Topic, int]:
        """Return the change of each symbol that a client has."""
        return self._told() if seat.told is None else dict(seat.told)

    def _told(self) -> dict[Topic, int]:
        return {topic: watch.sent for topic, watch in self._watches.items()}

    def settle(self, seat: Seat) -> None:
        """Serve a client with the others again if it has what they have."""
        if seat.told is not None and all(seat.told[topic] == watch.sent for topic, watch in self._watches.items()):
            seat.told = None

    def expect(self, when: float) -> None:
        """Be called at this time, or when the next frame may follow."""
        when = max(when, self._next_frame)
        if when >= self.expected:
            return
        if when <= self._clock.now():
            self.expected = -inf
            self._clock.soon(self)
        else:
            self.expected = when
            self._clock.at(when, self)

    def flush(self, now: float) -> int:
        """Send the newest price of every symbol whose time has come; return for how many clients."""
        now += SLACK_SECONDS
        # An earlier call may have been asked for after this one; then this one finds nothing to do.
        if self.expected > now:
            return 0
        self.expected = inf
        due: list[Watch] = []
        later: list[Watch] = []
        for watch in self.marked:
            (due if watch.next <= now else later).append(watch)
        self.marked = later
        if due:
            self._next_frame = self._end_of_beat(now, GAP_SECONDS)
            self._send(due, self._end_of_beat(now, self._interval))
        if later:
            self.expect(min(watch.next for watch in later))
        return len(self.seats) if due else 0

    def _send(self, due: Sequence[Watch], until: float) -> None:
        mode = self.mode
        texts = [watch.topic.text(mode) for watch in due]
        frames = b"".join(_frame(texts[at : at + QUOTES_PER_FRAME]) for at in range(0, len(texts), QUOTES_PER_FRAME))
        apart: list[Seat] = []
        for seat in self.seats:
            outlet = seat.outlet
            if seat.told is None and outlet.is_ready:
                outlet.write(frames)
            else:
                apart.append(seat)
        self._count(due, len(self.seats) - len(apart))
        for seat in apart:
            if not seat.outlet.is_ready:
                seat.told = seat.told or self._told()
                seat.missed += len(due)
        for watch in due:
            watch.next, watch.sent = until, watch.topic.changes
            watch.topic.await_change(watch)
        for seat in apart:
            seat.catch_up()

    def _count(self, due: Sequence[Watch], clients: int) -> None:
        """Count what was written to clients in one go; this costs the same however many they are."""
        if not clients:
            return
        replaced = sum(watch.topic.changes - watch.sent - 1 for watch in due)
        self.tally.time(due[-1].topic.quote, len(due))
        self.tally.updates_sent += clients * len(due)
        self.tally.updates_conflated += clients * replaced

    def _end_of_beat(self, now: float, interval: float) -> float:
        """Return when the next update of a symbol that is sent now may follow.

        Time is cut into beats, and a symbol is sent once in a beat; all symbols share the beat, so that busy ones go together.
        """
        return (int((now + self._phase) / interval) + 1) * interval - self._phase


def _frame(texts: Sequence[bytes]) -> bytes:
    return framed(b"%b%b%b" % (_QUOTES, b",".join(texts), _QUOTES_END))
