"""Waiting for a fact, not for a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(ask: Callable[[], Awaitable[T]], *, within: float = 10.0, every: float = 0.02) -> T:
    """Return the first true answer; fail when there is none in time. An AssertionError counts as "not yet"."""
    deadline = time.monotonic() + within
    last: object = None
    while True:
        try:
            answer = await ask()
            if answer:
                return answer
            last = answer
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s; last answer: {last!r}")
        await asyncio.sleep(every)
