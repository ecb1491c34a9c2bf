"""A TCP link that can be made bad while it runs: slow, narrow, silent in one direction or both, cut, sliced."""

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import Enum

CHUNK_BYTES = 65_536
CONNECT_SECONDS = 5.0
# SO_LINGER with no time: closing sends RST.
_RESET = struct.pack("ii", 1, 0)


class Flow(Enum):
    """What becomes of bytes that travel in one direction."""

    PASS = "pass"
    HOLD = "hold"
    """They wait, and arrive late."""
    DROP = "drop"
    """They are lost, and the connection with them once the link is healed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """How a link is. `delay` and `jitter` are seconds for each chunk, `rate` bytes a second (0: as fast as it goes)."""

    requests: Flow = Flow.PASS
    replies: Flow = Flow.PASS
    delay: float = 0.0
    jitter: float = 0.0
    rate: int = 0
    slice_bytes: int = 0
    refuse: bool = False


GOOD = Conditions()
BLACK_HOLE = Conditions(requests=Flow.DROP, replies=Flow.DROP)
# The far side does everything and nobody hears of it: what leaves doubts behind.
HALF_CUT = Conditions(replies=Flow.DROP)
FROZEN = Conditions(requests=Flow.HOLD, replies=Flow.HOLD)
REFUSING = Conditions(refuse=True)
SLOW = Conditions(delay=0.3, jitter=0.1)
NARROW = Conditions(rate=20_000)
SLICED = Conditions(slice_bytes=7)


class Proxy:
    """One link: clients connect to `port` and reach `host:target_port`. `conditions` may be set at any time."""

    def __init__(self, host: str, port: int, target_port: int, *, seed: int = 0) -> None:
        self.host, self.port, self.target_port = host, port, target_port
        self.connections = 0
        self._random = random.Random(seed)
        self._conditions = GOOD
        self._changed = asyncio.Event()
        self._pairs: set[_Pair] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def conditions(self) -> Conditions:
        """How the link is now."""
        return self._conditions

    def become(self, conditions: Conditions) -> None:
        """Change the link. Connections that lost bytes are cut when bytes pass again, as a stream with a hole is no stream."""
        self._conditions = conditions
        if conditions.requests is not Flow.DROP and conditions.replies is not Flow.DROP:
            for pair in tuple(self._pairs):
                if pair.has_hole:
                    pair.reset()
        self._changed.set()
        self._changed = asyncio.Event()

    def heal(self) -> None:
        """Make the link good."""
        self.become(GOOD)

    def reset(self) -> None:
        """Cut every connection with RST; new ones are taken."""
        for pair in tuple(self._pairs):
            pair.reset()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until one side ends it."""
        self.connections += 1
        here = asyncio.current_task()
        assert here is not None
        self._tasks.add(here)
        here.add_done_callback(self._tasks.discard)
        if self._conditions.refuse:
            _abort(writer)
            return
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                far_reader, far_writer = await asyncio.open_connection(self.host, self.target_port)
        except (OSError, TimeoutError):
            _abort(writer)
            return
        pair = _Pair(writer, far_writer)
        self._pairs.add(pair)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, far_writer, pair, is_request=True))
                group.create_task(self._pump(far_reader, writer, pair, is_request=False))
        finally:
            self._pairs.discard(pair)
            pair.close()

    async def stop(self) -> None:
        """Cut everything."""
        self.reset()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pair: "_Pair", *, is_request: bool
    ) -> None:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                if await self._passes(pair, is_request=is_request):
                    await self._write(writer, chunk)
        # What one side ended, the other learns at once: the services use no half-closed connections.
        if self._flow(is_request=is_request) is Flow.PASS:
            pair.close()

    async def _passes(self, pair: "_Pair", *, is_request: bool) -> bool:
        while (flow := self._flow(is_request=is_request)) is Flow.HOLD:
            await self._changed.wait()
        if flow is Flow.DROP:
            pair.has_hole = True
        return flow is Flow.PASS

    def _flow(self, *, is_request: bool) -> Flow:
        return self._conditions.requests if is_request else self._conditions.replies

    async def _write(self, writer: asyncio.StreamWriter, chunk: bytes) -> None:
        now = self._conditions
        pause = now.delay + self._random.uniform(-now.jitter, now.jitter) + (len(chunk) / now.rate if now.rate else 0)
        if pause > 0:
            await asyncio.sleep(pause)
        size = now.slice_bytes or len(chunk)
        for start in range(0, len(chunk), size):
            writer.write(chunk[start : start + size])
            await writer.drain()
            if now.slice_bytes:
                await asyncio.sleep(0)


class _Pair:
    """The two ends of one connection."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self._ends = (near, far)
        self.has_hole = False

    def reset(self) -> None:
        for end in self._ends:
            _abort(end)

    def close(self) -> None:
        for end in self._ends:
            end.close()


def _abort(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


@asynccontextmanager
async def open_proxy(port: int, target_port: int, *, host: str = "127.0.0.1", seed: int = 0) -> AsyncIterator[Proxy]:
    """Run a link for the block."""
    proxy = Proxy(host, port, target_port, seed=seed)
    server = await asyncio.start_server(proxy.serve, host, port)
    try:
        yield proxy
    finally:
        server.close()
        await proxy.stop()
