"""How one reader waits for what a client hears: opened on entry, closed at the end of the block, failed after what still waits."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

from stockmesh.errors import StockmeshError

T = TypeVar("T")


class Reader(ABC, Generic[T]):
    """An asynchronous iterator over what others put in: it may be entered, or iterated at once."""

    def __init__(self, *, opened: Callable[[], None], closed: Callable[[], None]) -> None:
        self._opened, self._closed = opened, closed
        self._is_open = False
        self._error: StockmeshError | None = None
        self._something = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __aiter__(self) -> Self:
        self._open()
        return self

    async def __anext__(self) -> T:
        # No news is no failure, so this wait has no deadline; the link's pings end it when the connection is dead.
        while not self._waits():
            if self._error is not None:
                raise self._error
            if not self._is_open:
                raise StopAsyncIteration
            self._something.clear()
            await self._something.wait()
        return self._take()

    def close(self) -> None:
        """Stop reading; the iteration ends."""
        if self._is_open:
            self._is_open = False
            self._closed()
            self._something.set()

    def fail(self, error: StockmeshError) -> None:
        """End the iteration with an error, after what still waits."""
        self._error = error
        self._something.set()

    @abstractmethod
    def _waits(self) -> bool:
        """Say whether there is something to read."""

    @abstractmethod
    def _take(self) -> T:
        """Return what is to be read next; called only when something is."""

    def _open(self) -> None:
        if not self._is_open and self._error is None:
            self._is_open = True
            self._opened()
