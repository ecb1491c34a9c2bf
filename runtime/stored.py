"""What a stream holds, asked for directly: no consumer is made for it.

Whoever may make a consumer may name any subject for its messages, and the broker says them there: a service that writes a stream
and may make consumers of it could say anything anywhere. Direct questions (NATS ADR-31, in batches since nats-server 2.11) only
answer.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

BATCH = 500
END_OF_BATCH, NOTHING = "204", "404"


class NotAnswered(Exception):
    """The broker did not answer, or refused."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One message that a stream holds, and how many follow it."""

    subject: str
    payload: bytes
    headers: Mapping[str, str]
    sequence: int
    time: datetime


async def stored(client: Client, stream: str, subject: str, *, answer_seconds: float) -> AsyncGenerator[Stored, None]:
    """Return the messages of a stream on subjects that fit, oldest first, up to now, then end. Raises NotAnswered."""
    inbox = client.new_inbox()
    answers: asyncio.Queue[Msg] = asyncio.Queue(2 * BATCH)
    subscription = await client.subscribe(inbox, cb=answers.put, pending_msgs_limit=-1, pending_bytes_limit=-1)
    try:
        following: int | None = 1
        while following is not None:
            request = {"seq": following, "next_by_subj": subject, "batch": BATCH}
            await client.publish(f"$JS.API.DIRECT.GET.{stream}", json.dumps(request).encode(), reply=inbox)
            last = following - 1
            while True:
                async with asyncio.timeout(answer_seconds):
                    answer = await answers.get()
                if (status := (answer.headers or {}).get("Status")) is not None:
                    following = _following(stream, status, answer, last)
                    break
                message = _message(answer)
                last = message.sequence
                yield message
    except (TimeoutError, nats.errors.Error) as error:
        raise NotAnswered(f"could not read {stream}: {error!r}") from error
    finally:
        if not client.is_closed:
            await subscription.unsubscribe()


def _following(stream: str, status: str, answer: Msg, last: int) -> int | None:
    """Return from which sequence on to ask again; None at the end. Raises NotAnswered."""
    if status == NOTHING:
        return None
    if status != END_OF_BATCH:
        raise NotAnswered(f"could not read {stream}: {status}")
    pending = int((answer.headers or {}).get("Nats-Num-Pending", "0"))
    return last + 1 if pending else None


def _message(answer: Msg) -> Stored:
    headers = dict(answer.headers or {})
    sequence, stored_at = int(headers.pop("Nats-Sequence")), headers.pop("Nats-Time-Stamp")
    # Nanoseconds are more than a datetime holds.
    moment = datetime.fromisoformat(stored_at[:26].rstrip("Z") + "+00:00")
    return Stored(headers.pop("Nats-Subject"), answer.data, headers, sequence, moment)
