"""Work of many callers done at once: concurrent callers share one flush (group commit)."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from runtime.errors import ResourceExhausted

Item = TypeVar("Item")
Result = TypeVar("Result")


class TooBusy(ResourceExhausted):
    """More work waits than is allowed to wait; nothing happened."""

    reason = "OVERLOADED"


class Batcher(Generic[Item, Result]):
    """Collects items while a flush is under way, or for `max_wait` seconds, and flushes them together.

    With `calm_wait` an item that comes alone waits only that long. When the last batch had company, flushes begin `max_wait` apart,
    but never sooner than `calm_wait` after an item came: a flush that took long has gathered its successor's company already.

    `flush` takes the items and returns as many outcomes in their order; an outcome that is an exception is raised to that
    item's caller alone. When flush itself raises, every caller of the batch gets that exception.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        max_items: int,
        max_wait: float,
        calm_wait: float | None = None,
        max_waiting: int = 10_000,
    ) -> None:
        self._flush, self._max_items, self._max_waiting = flush, max_items, max_waiting
        self._max_wait, self._calm_wait = max_wait, max_wait if calm_wait is None else calm_wait
        self._has_company, self._began_at = False, 0.0
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()

    @property
    def depth(self) -> int:
        """How many items wait."""
        return len(self._waiting)

    @property
    def capacity(self) -> int:
        """How many may wait."""
        return self._max_waiting

    async def add(self, item: Item) -> Result:
        """Return what the flush made of the item. Raises TooBusy when too much waits already."""
        if len(self._waiting) >= self._max_waiting:
            raise TooBusy("too much work is waiting", retry_after_seconds=1.0, limit=self._max_waiting)
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._arrived.set()
        if len(self._waiting) >= self._max_items:
            self._full.set()
        return await future

    async def run(self) -> None:
        """Flush for ever; to be spawned as one of the process's loops."""
        while True:
            await self._arrived.wait()
            if len(self._waiting) < self._max_items:
                await self._linger()
            batch, self._waiting = self._waiting[: self._max_items], self._waiting[self._max_items :]
            if not self._waiting:
                self._arrived.clear()
            if len(self._waiting) < self._max_items:
                self._full.clear()
            # A caller that gave up before its work began has not asked for anything.
            batch = [(item, future) for item, future in batch if not future.done()]
            self._has_company, self._began_at = len(batch) > 1, time.monotonic()
            if batch:
                await self._settle(batch)

    async def _linger(self) -> None:
        rest = self._max_wait - (time.monotonic() - self._began_at) if self._has_company else 0.0
        try:
            async with asyncio.timeout(max(self._calm_wait, rest)):
                await self._full.wait()
        except TimeoutError:
            return

    async def _settle(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            outcomes = await self._flush([item for item, _ in batch])
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.done():
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
