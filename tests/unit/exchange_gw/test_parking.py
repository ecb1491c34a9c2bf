"""Parked commands: the poisonous one is given up, the others are carried out."""

from collections.abc import Collection, Sequence
from datetime import datetime

import pytest

from exchange_gw.command import Command
from exchange_gw.parking import Parking, place_of
from exchange_gw.taking import Later
from exchange_gw.waiting_room import Parked
from runtime.dead_letters import Undeliverable
from runtime.errors import Unavailable
from tests.unit.exchange_gw.factories import a_command, at


class Lane:
    def __init__(self) -> None:
        self.taken: list[str] = []
        self.poison = {"o2"}

    async def take(self, commands: Sequence[Command]) -> Sequence[Later | None]:
        if self.poison & {one.order_id for one in commands}:
            raise ValueError("cannot be")
        self.taken += [one.order_id for one in commands]
        return [None for _ in commands]


class Room:
    def __init__(self, parked: list[Parked]) -> None:
        self.there = parked

    async def park(self, group: int, waiting: Sequence[Parked]) -> None:
        self.there += waiting

    async def parked(self, group: int, *, after: str) -> list[Parked]:
        return [one for one in self.there if one.place > after]

    async def due(self, group: int, now: datetime) -> list[Parked]:
        return [one for one in self.there if one.until and one.until <= now]

    async def release(self, group: int, places: Collection[str]) -> None:
        self.there = [one for one in self.there if one.place not in places]


class Graveyard:
    def __init__(self) -> None:
        self.is_away = False
        self.letters: list[tuple[str, int, int, str]] = []

    async def lay_down(
        self, message: Undeliverable, reason: str, detail: str, *, order_id: str = "", command_id: str = ""
    ) -> None:
        if self.is_away:
            raise Unavailable("away")
        self.letters.append((message.subject, message.sequence, message.deliveries, reason))


class Message:
    def __init__(self, sequence: int) -> None:
        self.sequence, self.time = sequence, at(0)


def parking(*, most_failures: int) -> tuple[Parking, Lane, Room, Graveyard]:
    parked = [Parked(place_of(Message(number)), a_command(order_id=f"o{number}"), None) for number in (1, 2, 3)]
    lane, room, graveyard = Lane(), Room(parked), Graveyard()
    made = Parking(lane, room, graveyard, group=0, most_failures=most_failures, now=lambda: at(0))
    return made, lane, room, graveyard


async def test_one_that_fails_stops_no_other_and_is_put_aside_in_the_end() -> None:
    made, lane, room, graveyard = parking(most_failures=3)

    for _ in range(2):
        await made.look(everything=True)
    assert lane.taken == ["o1", "o3"]
    assert [one.command.order_id for one in room.there] == ["o2"]
    assert graveyard.letters == []

    await made.look(everything=True)
    assert room.there == []
    assert [letter[1:] for letter in graveyard.letters] == [(2, 3, "FAILED")]


async def test_one_that_cannot_be_put_aside_stays_parked() -> None:
    made, _, room, graveyard = parking(most_failures=1)
    graveyard.is_away = True

    with pytest.raises(Unavailable):
        await made.look(everything=True)
    assert "o2" in {one.command.order_id for one in room.there}

    graveyard.is_away = False
    await made.look(everything=True)
    await made.look(everything=True)
    assert room.there == []


async def test_one_that_recovers_is_carried_out() -> None:
    made, lane, room, graveyard = parking(most_failures=3)
    await made.look(everything=True)
    lane.poison.clear()

    await made.look(everything=True)

    assert (lane.taken, room.there, graveyard.letters) == (["o1", "o3", "o2"], [], [])
