"""What one reader of order updates still has to read: every update, in order, from a bounded queue."""

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from stockmesh.errors import CannotConnect, FellBehind, StockmeshError
from stockmesh.models import OrderSnapshot, OrderUpdate

MOST_WAITING = 10_000


class OrderUpdates:
    """Every change of the account's orders: `async with client.order_updates() as updates: async for item in updates: ...`.

    Without a position it begins with an OrderSnapshot: what is open or changed in the last 24 hours. Then it gives an OrderUpdate
    for each change, without a gap over lost connections. Where the server no longer has what is between, another OrderSnapshot
    says how things stand. Entered by `async with`, no update after that is missed; keep `position` to go on in another life.
    """

    def __init__(
        self,
        *,
        opened: Callable[["OrderUpdates"], None],
        closed: Callable[["OrderUpdates"], None],
        ready_seconds: float,
        position: str,
    ) -> None:
        self.position = position
        """Position of the last item given; empty before the first."""
        self._opened, self._closed, self._ready_seconds = opened, closed, ready_seconds
        self._is_open = False
        self._waiting: deque[OrderUpdate | OrderSnapshot] = deque()
        self._error: StockmeshError | None = None
        self._something = asyncio.Event()
        self._ready = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._open()
        try:
            async with asyncio.timeout(self._ready_seconds):
                await self._ready.wait()
        except TimeoutError:
            self.close()
            raise CannotConnect(f"order updates did not begin within {self._ready_seconds:g} s") from None
        except BaseException:
            self.close()
            raise
        if self._error is not None:
            raise self._error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __aiter__(self) -> Self:
        self._open()
        return self

    async def __anext__(self) -> OrderUpdate | OrderSnapshot:
        # An account without news is no failure, so this wait has no deadline; the link's pings end it when the connection is dead.
        while not self._waiting:
            if self._error is not None:
                raise self._error
            if not self._is_open:
                raise StopAsyncIteration
            self._something.clear()
            await self._something.wait()
        item = self._waiting.popleft()
        self.position = item.position
        return item

    def close(self) -> None:
        """Stop following; the iteration ends."""
        if self._is_open:
            self._is_open = False
            self._closed(self)
            self._something.set()

    def offer(self, item: OrderUpdate | OrderSnapshot) -> None:
        """Take the next item; a reader that is far behind is let go, and told from where to go on."""
        if self._error is not None:
            return
        if len(self._waiting) == MOST_WAITING:
            last = self._waiting[-1].position
            self.fail(FellBehind(f"{MOST_WAITING} order updates wait to be read; go on from {last!r}", position=last))
            return
        self._waiting.append(item)
        self._something.set()

    def begin(self, position: str) -> None:
        """Learn that updates come from now on, after this position."""
        if not self._ready.is_set():
            self.position = self.position or position
            self._ready.set()

    def fail(self, error: StockmeshError) -> None:
        """End the iteration with an error, after what still waits."""
        self._error = error
        self._ready.set()
        self._something.set()

    def _open(self) -> None:
        if not self._is_open and self._error is None:
            self._is_open = True
            self._opened(self)
