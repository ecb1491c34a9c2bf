"""What waits to be written down: newest per key, bounded, the oldest dropped first. Pure."""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Backlog(Generic[K, V]):
    """Items by key, oldest first, that together weigh at most `limit`; `weight` tells what one weighs."""

    def __init__(self, *, limit: int, weight: Callable[[V], int] = lambda _: 1) -> None:
        self._limit, self._weigh = limit, weight
        self._items: dict[K, V] = {}
        # What all items weigh together.
        self.weight = 0
        # What was dropped so far, in the same unit.
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, key: K, item: V) -> None:
        """Add an item; it replaces the one with its key."""
        before = self._items.get(key)
        self.weight += self._weigh(item) - (self._weigh(before) if before is not None else 0)
        self._items[key] = item
        while self.weight > self._limit and len(self._items) > 1:
            oldest = next(iter(self._items))
            lost = self._weigh(self._items.pop(oldest))
            self.weight -= lost
            self.dropped += lost

    def values(self) -> Iterable[V]:
        """Return all items, oldest first."""
        return self._items.values()

    def first(self, count: int) -> dict[K, V]:
        """Return the oldest items, which stay until they are removed."""
        return {key: item for key, item, _ in zip(self._items, self._items.values(), range(count), strict=False)}

    def remove(self, written: dict[K, V]) -> None:
        """Remove items, unless newer ones took their place."""
        for key, item in written.items():
            if self._items.get(key) is item:
                del self._items[key]
                self.weight -= self._weigh(item)
