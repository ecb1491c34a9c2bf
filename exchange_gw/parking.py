"""Commands that wait in the database: parked in their order, taken when their time comes, given up when they fail for ever."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from exchange_gw.command import Command
from exchange_gw.exchange import Clock
from exchange_gw.taking import Later
from exchange_gw.waiting_room import Parked
from runtime import logs
from runtime.dead_letters import Undeliverable
from runtime.errors import Unavailable
from runtime.subjects import order_command

logger = logs.get_logger("exchange_gw.parking")


class Taker(Protocol):
    """Who carries commands out."""

    async def take(self, commands: Sequence[Command]) -> Sequence[Later | None]:
        """Carry commands out; return for each what it waits for, or None."""


class Room(Protocol):
    """Where commands wait. All of it raises Unavailable."""

    async def park(self, group: int, waiting: Sequence[Parked]) -> None:
        """Keep commands."""

    async def parked(self, group: int, *, after: str) -> list[Parked]:
        """Return some of the commands behind a place, in their order."""

    async def due(self, group: int, now: datetime) -> list[Parked]:
        """Return some of the commands whose time has come."""

    async def release(self, group: int, places: Collection[str]) -> None:
        """Let commands go."""


class Graveyard(Protocol):
    """Where commands go that nobody can handle."""

    async def lay_down(
        self, message: Undeliverable, reason: str, detail: str, *, order_id: str = "", command_id: str = ""
    ) -> None:
        """Store the letter and say so at its order. Raises Unavailable."""


class _Letter(Struct):
    """A parked command as a message of its stream again."""

    subject: str
    payload: bytes
    sequence: int
    deliveries: int


class Parking:
    """The parked commands of one lane. One that fails `most_failures` times, with database and venue there, is put aside."""

    def __init__(
        self, lane: Taker, room: Room, burial: Graveyard, *, group: int, most_failures: int, now: Clock
    ) -> None:
        self._lane, self._room, self._burial = lane, room, burial
        self._group, self._most_failures, self._now = group, most_failures, now
        # By the command's place. A restart counts anew: a release that mends the failure should get its chance.
        self._failures: dict[str, int] = {}
        self.is_used = True

    async def park(self, waiting: Sequence[Parked]) -> None:
        """Keep commands. Raises Unavailable."""
        await self._room.park(self._group, waiting)
        self.is_used = True

    async def look(self, *, everything: bool) -> None:
        """Take parked commands: all of them, or those whose time has come. Raises Unavailable."""
        place, left = "", 0
        while True:
            parked = await (
                self._room.parked(self._group, after=place) if everything else self._room.due(self._group, self._now())
            )
            done = await self._take(parked)
            left += len(parked) - len(done)
            if done:
                await self._room.release(self._group, done)
            if not parked or (not everything and not done):
                break
            place = parked[-1].place
        if everything:
            self.is_used = bool(left)

    async def _take(self, parked: Sequence[Parked]) -> list[str]:
        """Have parked commands carried out; return the places of those that are done with."""
        try:
            outcomes = await self._lane.take([one.command for one in parked])
        except Unavailable:
            raise
        except Exception as error:
            if len(parked) > 1:
                # One of them may be poison: the others must not suffer.
                return [place for one in parked for place in await self._take([one])]
            return await self._failed(parked[0], error)
        return [one.place for one, later in zip(parked, outcomes, strict=True) if later is None]

    async def _failed(self, one: Parked, error: Exception) -> list[str]:
        """Count a failure; return the command's place if it is given up."""
        command = one.command
        failures = self._failures[one.place] = self._failures.get(one.place, 0) + 1
        logger.error("parked command failed", command_id=command.command_id, failures=failures, exc_info=error)
        if failures < self._most_failures:
            return []
        letter = _Letter(order_command(command.account_id), command.raw, sequence_at(one.place), failures)
        await self._burial.lay_down(
            letter, "FAILED", repr(error), order_id=command.order_id, command_id=command.command_id
        )
        del self._failures[one.place]
        return [one.place]


class Placed(Protocol):
    """A message that has a place on its stream."""

    @property
    def sequence(self) -> int:
        """Return its number on the stream."""

    @property
    def time(self) -> datetime:
        """Return when it was stored."""


def place_of(message: Placed) -> str:
    """Return a name for a message's place, in the order of places: a broker that lost its store counts from 1 again."""
    return f"{message.sequence:020d}-{int(message.time.timestamp() * 1000)}"


def sequence_at(place: str) -> int:
    """Return the number on the stream that a place has."""
    return int(place.partition("-")[0])
