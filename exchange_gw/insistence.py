"""Doing what has to be done in the end: again and again, with growing pauses, while a neighbour is away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from runtime.errors import Unavailable

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0

R = TypeVar("R")


async def surely(operation: Callable[[], Awaitable[R]]) -> R:
    """Return what an operation returns, tried until its neighbour answers. It must stand repetition."""
    try:
        # Nearly always the first time does it, and setting up the retries costs more than most operations.
        return await operation()
    except Unavailable:
        await asyncio.sleep(FIRST_PAUSE_SECONDS)
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(Unavailable),
        wait=wait_random_exponential(multiplier=FIRST_PAUSE_SECONDS, max=LONGEST_PAUSE_SECONDS),
    ):
        with attempt:
            return await operation()
    raise AssertionError("these retries have no end")
