"""The dead letters of all services, as operators see them: read, put back, or dropped."""

from collections import deque
from contextlib import aclosing
from uuid import uuid4

from exchange_gw.operations import DeadLetter
from runtime.jetstream import Bus, Heard
from runtime.subjects import DEAD_LETTERS, decode_token

_ALL = "dlq.*.*"


class DeadLetterBox:
    """Stream DEAD_LETTERS; a letter's id is its sequence there. Every method raises BusUnavailable."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def newest(self, *, below: int | None, most: int) -> list[DeadLetter]:
        """Return letters with ids below a number, newest first."""
        kept: deque[DeadLetter] = deque(maxlen=most)
        async with aclosing(self._bus.history(DEAD_LETTERS, _ALL, after=0)) as letters:
            async for heard in letters:
                if below is not None and heard.sequence >= below:
                    break
                kept.append(_letter(heard))
        return list(reversed(kept))

    async def count(self) -> int:
        """Return how many letters there are."""
        return await self._bus.count(DEAD_LETTERS)

    async def find(self, letter_id: int) -> DeadLetter | None:
        """Return one letter; None when there is none of that id."""
        async with aclosing(self._bus.history(DEAD_LETTERS, _ALL, after=letter_id - 1)) as letters:
            async for heard in letters:
                return _letter(heard) if heard.sequence == letter_id else None
        return None

    async def put_back(self, letter: DeadLetter) -> None:
        """Say the message again on the subject that it came from."""
        await self._bus.publish(
            letter.subject,
            letter.payload,
            event_id=f"replay:{letter.letter_id}:{uuid4().hex[:12]}",
            headers={"Order-Id": letter.order_id} if letter.order_id else None,
        )

    async def drop(self, letter_id: int) -> None:
        """Take a letter out of the box."""
        await self._bus.erase(DEAD_LETTERS, letter_id)


def _letter(heard: Heard) -> DeadLetter:
    _, stream, reason = heard.subject.split(".", 2)
    headers = heard.headers
    return DeadLetter(
        letter_id=heard.sequence,
        stream=stream,
        subject=headers.get("Origin-Subject", ""),
        reason=decode_token(reason),
        detail=headers.get("Detail", ""),
        order_id=headers.get("Order-Id", ""),
        deliveries=int(headers.get("Deliveries", "0")),
        time=heard.time,
        payload=heard.payload,
    )
