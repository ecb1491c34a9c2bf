"""Entries of the outbox between the stream and their settling: on their way, then waiting until their commands had effect. Pure."""

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from bson import ObjectId

# How long the gateway has to act on a command before it is published again, and how rare that becomes.
REPEAT_AFTER_SECONDS, REPEAT_AT_MOST_SECONDS = 3.0, 60.0


@dataclass(slots=True)
class Flight:
    """One entry: `left` messages have no receipt yet, the orders `pending` have not left PENDING as far as we heard."""

    entry_id: ObjectId
    left: int
    pending: set[str]
    since: float = field(default_factory=time.monotonic)
    repeat_at: float = 0.0
    repeats: int = 0
    # The outbox knows that the broker has it.
    noted: bool = False

    @property
    def has_landed(self) -> bool:
        """Tell whether the broker has all of it."""
        return not self.left

    @property
    def is_due(self) -> bool:
        """Tell whether its commands should have had effect by now and have not."""
        return self.has_landed and bool(self.pending) and time.monotonic() >= self.repeat_at

    def put_off(self) -> None:
        """Count a repetition and set the time of the next."""
        self.repeats += 1
        self.repeat_at = time.monotonic() + min(REPEAT_AFTER_SECONDS * 2**self.repeats, REPEAT_AT_MOST_SECONDS)


class Flights:
    """All entries of one reign that are not settled yet."""

    def __init__(self) -> None:
        self._all: dict[ObjectId, Flight] = {}
        self._waiting: dict[str, Flight] = {}
        self._over: list[ObjectId] = []

    def __len__(self) -> int:
        return len(self._all)

    @property
    def oldest_seconds(self) -> float:
        """Return for how long the oldest has been here; 0 when there is none."""
        oldest = next(iter(self._all.values()), None)
        return time.monotonic() - oldest.since if oldest else 0.0

    def get(self, entry_id: ObjectId) -> Flight | None:
        """Return the flight of an entry."""
        return self._all.get(entry_id)

    def begin(self, entry_id: ObjectId, *, messages: int, pending: set[str]) -> Flight:
        """Return the new flight of an entry; one without messages has landed."""
        flight = self._all[entry_id] = Flight(entry_id, messages, pending)
        self._waiting |= dict.fromkeys(pending, flight)
        self._look(flight)
        return flight

    def land_one(self, flight: Flight) -> bool:
        """Take in the receipt of one message; tell whether it was the last."""
        flight.left -= 1
        if not flight.has_landed:
            return False
        flight.repeat_at = time.monotonic() + REPEAT_AFTER_SECONDS
        self._look(flight)
        return True

    def hear_effect(self, order_id: str) -> None:
        """Take in that an order has left PENDING."""
        flight = self._waiting.pop(order_id, None)
        if flight is not None:
            flight.pending.discard(order_id)
            self._look(flight)

    def correct(self, flight: Flight, still_pending: set[str]) -> None:
        """Take in which of a flight's orders are PENDING by the database; news of the others may never come."""
        for order_id in flight.pending - still_pending:
            self.hear_effect(order_id)

    def take_over(self) -> list[ObjectId]:
        """Return the entries that are over since the last call: they can be settled."""
        over, self._over = self._over, []
        return over

    def put_back(self, entry_ids: Iterable[ObjectId]) -> None:
        """Keep entries for the next settling."""
        self._over += entry_ids

    def forget(self, entry_ids: Collection[ObjectId]) -> None:
        """Forget settled entries."""
        for entry_id in entry_ids:
            self._all.pop(entry_id, None)

    def unnoted(self) -> list[Flight]:
        """Return those that have landed and wait for an effect while the outbox does not know that they have landed."""
        return [one for one in self._all.values() if one.has_landed and one.pending and not one.noted]

    def _look(self, flight: Flight) -> None:
        if flight.has_landed and not flight.pending:
            self._over.append(flight.entry_id)
