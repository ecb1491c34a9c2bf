"""What one reader of order updates still has to read: every update, in order, from a bounded queue."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Self

from stockmesh.errors import CannotConnect, FellBehind, StockmeshError
from stockmesh.models import OrderSnapshot, OrderUpdate
from stockmesh.reading import Reader

MOST_WAITING = 10_000


class OrderUpdates(Reader[OrderUpdate | OrderSnapshot]):
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
        super().__init__(opened=lambda: opened(self), closed=lambda: closed(self))
        self.position = position
        """Position of the last item given; empty before the first."""
        self._ready_seconds = ready_seconds
        self._waiting: deque[OrderUpdate | OrderSnapshot] = deque()
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
        """End the iteration with an error, after what still waits; and the wait for its beginning."""
        self._ready.set()
        super().fail(error)

    def _waits(self) -> bool:
        return bool(self._waiting)

    def _take(self) -> OrderUpdate | OrderSnapshot:
        item = self._waiting.popleft()
        self.position = item.position
        return item
