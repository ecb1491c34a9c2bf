"""Positions in a stream that clients keep, and reading a subject from one on without a gap: first what is stored, then what comes.

A position is opaque to clients: `<when the stream was made>-<sequence>`. A stream that was wiped and made again has another
birthday, so that an old position is recognised as lost instead of meaning something else.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

from runtime.errors import OutOfRange, ResourceExhausted
from runtime.jetstream import Bus, BusUnavailable, Heard
from runtime.subjects import live

_POSITION = re.compile(r"([0-9]{1,16})-([0-9]{1,18})")
# A reader that falls this far behind is cut off; it resumes from its position.
MAX_WAITING = 10_000
SIGN_OF_LIFE_SECONDS = 5.0


class PositionNotRecoverable(OutOfRange):
    """The position is too old, or of a stream that is no more; load everything and begin anew."""

    reason = "POSITION_NOT_RECOVERABLE"


class ReaderTooSlow(ResourceExhausted):
    """The reader did not keep up; it may go on from its last position."""

    reason = "READER_TOO_SLOW"


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a stream: which stream (ms since 1970 at its making), and the sequence in it. Its text is what clients keep."""

    created: int
    sequence: int

    @classmethod
    def parse(cls, text: str) -> "Position | None":
        """Return the position that a client remembers; None when it is not one of ours."""
        match = _POSITION.fullmatch(text)
        return cls(int(match[1]), int(match[2])) if match else None

    def __str__(self) -> str:
        return f"{self.created}-{self.sequence}"


async def sequence_at(bus: Bus, stream: str, text: str) -> int:
    """Return the sequence that a position means. Raises PositionNotRecoverable when messages after it may be gone."""
    created, first, last = await bus.stream_created(stream)
    position = Position.parse(text)
    if position is None or position.created != created or not first - 1 <= position.sequence <= last:
        raise PositionNotRecoverable(
            "the position cannot be resumed from; list the orders and begin anew", position=text[:64]
        )
    return position.sequence


async def follow(bus: Bus, stream: str, subject: str, *, after: Position) -> AsyncIterator[Heard | None]:
    """Return what was stored on a subject after a position, then what comes, without gap or repetition, for ever.

    None is returned as a sign of life when nothing came for some seconds. Raises ReaderTooSlow, and PositionNotRecoverable when the
    stream turns out to be another one: the broker lost its store and began anew.
    """
    waiting: asyncio.Queue[Heard] = asyncio.Queue(MAX_WAITING)
    seen = after.sequence

    async def hear(heard: Heard) -> None:
        if not waiting.full():
            waiting.put_nowait(heard)

    async with bus.listen(live(subject), hear):
        async for stored in bus.history(stream, subject, after=seen):
            seen = stored.sequence
            yield stored
        async for heard in _of_same_stream(bus, stream, after, _arrivals(waiting)):
            if heard is None:
                yield None
            elif heard.sequence > seen:
                async for due in _without_gap(bus, stream, subject, heard, seen):
                    seen = due.sequence
                    yield due


async def _of_same_stream(
    bus: Bus, stream: str, position: Position, arrivals: AsyncIterator[Heard | None]
) -> AsyncIterator[Heard | None]:
    """Return what arrives as long as the stream is the position's: asked after every reconnect, and in silence."""
    reconnects = bus.reconnects
    async for heard in arrivals:
        if bus.reconnects != reconnects:
            reconnects = bus.reconnects
            await _require_same(bus, stream, position)
        elif heard is None:
            with suppress(BusUnavailable):
                await _require_same(bus, stream, position)
        yield heard


async def _require_same(bus: Bus, stream: str, position: Position) -> None:
    created, _, _ = await bus.stream_created(stream)
    if created != position.created:
        raise PositionNotRecoverable(
            "the broker has lost its store and begun anew; list the orders and begin anew, too", position=str(position)
        )


async def _arrivals(waiting: asyncio.Queue[Heard]) -> AsyncIterator[Heard | None]:
    while True:
        if waiting.full():
            raise ReaderTooSlow("too many updates wait; go on from the last position", limit=MAX_WAITING)
        yield await _next(waiting)


async def _next(waiting: asyncio.Queue[Heard]) -> Heard | None:
    try:
        async with asyncio.timeout(SIGN_OF_LIFE_SECONDS):
            return await waiting.get()
    except TimeoutError:
        return None


async def _without_gap(bus: Bus, stream: str, subject: str, heard: Heard, seen: int) -> AsyncIterator[Heard]:
    """Return what was heard, after what core NATS lost before it: the stream has it."""
    if heard.previous > seen:
        async for missed in bus.history(stream, subject, after=seen):
            if missed.sequence < heard.sequence:
                yield missed
    yield heard
