"""How many messages one socket may send: refused ones are answered unread, and who goes on is read only as fast as it may send."""

import asyncio

from edge import frames, replies
from edge.accounts import Budget
from edge.bucket import Bucket
from edge.errors import RateLimited

# What a socket may send before it has said who it is.
NEWCOMER_PER_SECOND, NEWCOMER_AT_ONCE = 5.0, 50
# Refusals of one socket.
REFUSALS_PER_SECOND, REFUSALS_AT_ONCE = 50.0, 200
LONGEST_PAUSE_SECONDS = 1.0


class Toll:
    """The messages of one socket; once it is known whose it is, those of all sockets of the account count together."""

    __slots__ = ("_newcomer", "_refusals")

    def __init__(self) -> None:
        self._newcomer = Bucket(NEWCOMER_PER_SECOND, burst=NEWCOMER_AT_ONCE)
        self._refusals = Bucket(REFUSALS_PER_SECOND, burst=REFUSALS_AT_ONCE)

    def wait_seconds(self, budget: Budget | None, messages: int = 1) -> float:
        """Count messages and return 0; or count none, and return how long it takes until they may be sent."""
        bucket = self._newcomer if budget is None else budget.messages
        return bucket.take(asyncio.get_running_loop().time(), messages)

    async def refusal(self, data: bytes, wait_seconds: float) -> bytes | None:
        """Return what to answer to a frame that is one too many, without reading it; None when it asks for no answer."""
        if self._refusals.take(asyncio.get_running_loop().time()):
            await asyncio.sleep(min(wait_seconds, LONGEST_PAUSE_SECONDS))
        identity = frames.id_of_unread(data)
        return None if identity is None else too_many(identity, wait_seconds)


def too_many(identity: bytes, wait_seconds: float) -> bytes:
    """Return the refusal of a request that is one too many."""
    error = RateLimited("too many messages", retry_after_seconds=wait_seconds, scope="messages")
    return replies.refusal(identity, error, has_effect=False)
