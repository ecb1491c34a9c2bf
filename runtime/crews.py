"""Tasks that end together, inside a process that goes on.

asyncio.TaskGroup cancels each task once. That is not enough: before Python 3.12 asyncio.wait_for, which nats-py and pymongo wait
with, loses a cancellation that comes together with its result (cpython #86296), and a group then waits for ever.
"""

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any

CANCEL_AGAIN_SECONDS = 0.2


class Crew:
    """Tasks of one block: the first failure is told, and leaving the block ends them all."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self._ended = False

    async def __aenter__(self) -> "Crew":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        interrupted: asyncio.CancelledError | None = None
        while running := list(self._tasks):
            for task in running:
                task.cancel()
            try:
                await asyncio.wait(running, timeout=CANCEL_AGAIN_SECONDS)
            except asyncio.CancelledError as again:
                # Whoever cancels us does it more than once, too; nobody else would end these tasks.
                interrupted = again
        if interrupted is not None and kind is None:
            raise interrupted

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str | None = None) -> None:
        """Start a task; a crew that is ending takes none and drops the work."""
        if self._ended:
            work.close()
            return
        task = asyncio.create_task(self._watch(work), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # One that was canceled before its first step has never touched its work.
        task.add_done_callback(lambda _: work.close())

    async def _watch(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            self._ended = True
            if not self._failure.done():
                self._failure.set_result(error)

    async def first_failure(self) -> None:
        """Wait until a task fails and raise what it raised."""
        raise await asyncio.shield(self._failure)
