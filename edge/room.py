"""How many requests may be under way in this process, and who goes first when there are too many. Pure.

Nothing waits for room: what waited would only be late, and would take memory. A lower rank may fill only its part, so that there is
room for cancels when new orders have none, and for orders when history has none.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from edge.errors import Overloaded

# Refused clients come back spread over a second, not all at once.
RETRY_SECONDS = 0.5


class Rank(Enum):
    """What a request is worth when not all can be served, as the part of the room that it may fill."""

    CANCEL = 1.0
    STATUS = 0.9
    ORDER = 0.8
    HISTORY = 0.5


class Room:
    """The requests that are under way. A limit of 0 means none."""

    def __init__(self, limit: int) -> None:
        self._limits = {rank: max(int(limit * rank.value), 1) if limit else 0 for rank in Rank}
        self.taken = 0

    @contextmanager
    def held(self, rank: Rank) -> Iterator[None]:
        """Take room for the block. Raises Overloaded when there is none for this rank."""
        limit = self._limits[rank]
        if 0 < limit <= self.taken:
            seconds = RETRY_SECONDS * (1 + 2 * random.random())  # noqa: S311 - spreads load
            raise Overloaded("too many requests at once", retry_after_seconds=seconds)
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1
