"""Who is served when not all can be."""

from contextlib import ExitStack

import pytest

from edge.errors import Overloaded
from edge.room import Rank, Room


def how_many(room: Room, rank: Rank, stack: ExitStack) -> int:
    """Return how many requests of a rank find room."""
    count = 0
    while count < 1_000:
        try:
            stack.enter_context(room.held(rank))
        except Overloaded:
            break
        count += 1
    return count


def test_cancels_find_room_when_nothing_else_does() -> None:
    room = Room(100)
    with ExitStack() as stack:
        found = {rank: how_many(room, rank, stack) for rank in (Rank.HISTORY, Rank.ORDER, Rank.STATUS, Rank.CANCEL)}

    assert found == {Rank.HISTORY: 50, Rank.ORDER: 30, Rank.STATUS: 10, Rank.CANCEL: 10}
    assert room.taken == 0


def test_who_is_refused_is_told_when_to_come_back_and_not_all_at_once() -> None:
    room = Room(1)
    waits = set()
    with room.held(Rank.CANCEL):
        for _ in range(10):
            with pytest.raises(Overloaded) as refused, room.held(Rank.CANCEL):
                pass
            waits.add(refused.value.retry_after_seconds)

    assert len(waits) > 1
    assert all(wait and 0.5 <= wait <= 1.5 for wait in waits)


def test_a_limit_of_0_is_none() -> None:
    with ExitStack() as stack:
        assert how_many(Room(0), Rank.HISTORY, stack) == 1_000
