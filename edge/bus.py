"""What the edge hears on NATS: live quotes of all symbols, and the order updates of those accounts that somebody follows."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

from google.protobuf.message import DecodeError

from edge.hub import Hub
from gen.trading.v1.price_pb2 import QuoteBatch
from runtime import subjects
from runtime.errors import Malformed
from runtime.jetstream import Bus, Heard
from runtime.subjects import ORDER_UPDATES

# How long what is known of the stream is good enough for the next question.
STREAM_SECONDS = 1.0

Hearing: TypeAlias = Callable[[Heard], Awaitable[None]]


@asynccontextmanager
async def hear_quotes(bus: Bus, hub: Hub) -> AsyncIterator[None]:
    """Tell the hub all live quotes inside the block."""

    async def hear(heard: Heard) -> None:
        try:
            batch = QuoteBatch.FromString(heard.payload)
        except DecodeError as error:
            raise Malformed(f"no QuoteBatch on {heard.subject}") from error
        hub.hear(heard.subject, batch)

    async with bus.listen(subjects.quotes_live(None), hear):
        yield


@dataclass(frozen=True, slots=True)
class StreamState:
    """Which stream it is (ms since 1970 at its making), and the oldest sequence that it may still hold."""

    created: int
    first: int


class OrderUpdates:
    """The stream of order updates: heard live, read back, and recognised when it is another one than before."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._state: StreamState | None = None
        self._asked_at = 0.0
        self._asking = asyncio.Lock()

    @property
    def reconnects(self) -> int:
        """How often the connection was lost and found again; each time something may have been missed."""
        return self._bus.reconnects

    def listen(self, account_id: str, hearing: Hearing) -> AbstractAsyncContextManager[None]:
        """Hear an account's updates, one after the other, inside the block."""
        return self._bus.listen(subjects.live(subjects.order_update(account_id)), hearing)

    def history(self, account_id: str, *, after: int) -> AsyncGenerator[Heard, None]:
        """Read back an account's updates with sequences above `after`. Raises BusUnavailable."""
        return self._bus.history(ORDER_UPDATES, subjects.order_update(account_id), after=after)

    async def last(self, account_id: str) -> int:
        """Return the sequence of an account's last update; 0 when there is none. Raises BusUnavailable."""
        return await self._bus.last_on(ORDER_UPDATES, subjects.order_update(account_id))

    async def state(self) -> StreamState:
        """Return which stream it is now; asked at most once a second, however many want to know. Raises BusUnavailable."""
        async with self._asking:
            now = asyncio.get_running_loop().time()
            if self._state is None or now - self._asked_at > STREAM_SECONDS:
                created, first, _ = await self._bus.stream_created(ORDER_UPDATES)
                self._state, self._asked_at = StreamState(created, first), now
            return self._state
