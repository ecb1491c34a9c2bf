"""Putting messages aside that nobody can handle, so that their lane goes on; operators read them on the stream DEAD_LETTERS."""

from typing import Protocol

from runtime.jetstream import Bus
from runtime.subjects import DEAD_LETTERS, dead_letter

LONGEST_DETAIL = 200


class Undeliverable(Protocol):
    """A message of a stream with where it stands there and how often it was delivered; a Delivery is one."""

    @property
    def subject(self) -> str: ...  # noqa: D102 - as its name says, like those below

    @property
    def payload(self) -> bytes: ...  # noqa: D102

    @property
    def sequence(self) -> int: ...  # noqa: D102

    @property
    def deliveries(self) -> int: ...  # noqa: D102


async def bury(bus: Bus, delivery: Undeliverable, *, stream: str, reason: str, detail: str, order_id: str = "") -> None:
    """Store a message of a stream as a dead letter, once however often this is called, with where it came from and why.

    The message itself is still to be answered for. Raises BusUnavailable.
    """
    headers = {
        "Origin-Stream": stream,
        "Origin-Subject": delivery.subject,
        "Origin-Sequence": str(delivery.sequence),
        "Deliveries": str(delivery.deliveries),
        "Order-Id": _in_one_line(order_id),
        "Detail": _in_one_line(detail),
    }
    await bus.publish(
        dead_letter(stream, reason),
        delivery.payload,
        event_id=f"{DEAD_LETTERS}:{stream}:{delivery.sequence}",
        headers=headers,
    )


def _in_one_line(text: str) -> str:
    """Return text that a header can carry."""
    return "".join(char if char.isascii() and char.isprintable() else " " for char in text[:LONGEST_DETAIL])
