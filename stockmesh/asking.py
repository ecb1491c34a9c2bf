"""Asks until the truth is known: the same request again after a loss or a time-out, within one deadline for all attempts."""

import asyncio
from dataclasses import dataclass
from typing import Any

from stockmesh.backoff import Backoff
from stockmesh.errors import CannotConnect, ConnectionLost, NoAnswer, Outcome, Refused, Retry, StockmeshError
from stockmesh.link import Link


@dataclass(slots=True)
class Attempts:
    """What the attempts of one request left behind: whether one of them may have had an effect without our knowing."""

    count: int = 0
    doubtful: bool = False


class Asker:
    """Requests that may safely be repeated: reads, and changes that carry a key."""

    def __init__(self, link: Link, *, timeout_seconds: float) -> None:
        self._link, self.timeout_seconds = link, timeout_seconds

    async def ask(self, method: str, params: dict[str, Any], attempts: Attempts | None = None) -> Any:
        """Return the result, after as many attempts as the deadline allows.

        A change gives its `attempts`, a read none. Raises the last failure; its outcome is UNKNOWN when any attempt of a change
        may have had an effect.
        """
        is_read, attempts = attempts is None, attempts or Attempts()
        loop, pauses = asyncio.get_running_loop(), Backoff(longest=2.0)
        until = loop.time() + self.timeout_seconds
        while True:
            attempts.count += 1
            try:
                return await self._link.request(method, params, seconds=max(until - loop.time(), 0.001))
            except StockmeshError as error:
                failure = error
            attempts.doubtful = attempts.doubtful or failure.outcome is not Outcome.NOT_EXECUTED
            pause = pauses.next(at_least=failure.retry_after_seconds or 0.0)
            if not _may_help(failure) or loop.time() + pause >= until:
                if is_read or attempts.doubtful:
                    failure.outcome = Outcome.NOT_EXECUTED if is_read else Outcome.UNKNOWN
                raise failure
            await asyncio.sleep(pause)


def _may_help(failure: StockmeshError) -> bool:
    if isinstance(failure, Refused):
        return failure.retry is not Retry.NEVER
    return isinstance(failure, ConnectionLost | NoAnswer | CannotConnect)
