"""Many light clients in a process of their own: raw sockets that count what they get, and look at the age of some prices.

`python -m bench.crowd` reads one JSON line (a Wanted), opens the sockets and says "open"; for each further line, seconds, it
measures and says one JSON line (a Seen). It ends with its input.
"""

import asyncio
import base64
import json
import os
import random
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import uvloop

from bench.table import percentile

OPENING_AT_ONCE = 64
OPEN_SECONDS = 180.0
# One read in so many is looked at for the age of its first price.
LOOK_AT_ONE_IN = 37
BUFFER_BYTES = 1 << 18
# A ping of `websockets` carries four bytes.
_PING = b"\x89\x04"
_UPDATE, _TIME, _FRAME = b'"symbol":', b'"quoteTime":"', b'"prices.update"'


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many clients of which server, and what each of them sends first: one of the frames, in turn."""

    port: int
    sockets: int
    token: str
    frames: list[str]


@dataclass
class Seen:
    """What was counted in a stretch of time; ages are in seconds."""

    seconds: float = 0.0
    updates: int = 0
    reads: int = 0
    received_bytes: int = 0
    lost: int = 0
    ages: list[float] = field(default_factory=list)

    def row(self) -> dict[str, object]:
        """Return the figures of a table."""
        return {
            "updates/s": round(self.updates / self.seconds),
            "MB/s": round(self.received_bytes / self.seconds / 1e6, 1),
            "p50 ms": round(percentile(self.ages, 0.5) * 1000, 1),
            "p99 ms": round(percentile(self.ages, 0.99) * 1000, 1),
            "lost": self.lost,
        }


class Counter(asyncio.BufferedProtocol):
    """One client; all of them read into one buffer, one after the other."""

    buffer = bytearray(BUFFER_BYTES)
    seen = Seen()

    def __init__(self, wanted: Wanted, frame: bytes) -> None:
        self._wanted, self._frame = wanted, frame
        self._is_open = False
        loop = asyncio.get_running_loop()
        self.is_subscribed: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        # Not a subclass in uvloop.
        self._transport = transport = cast(asyncio.Transport, transport)
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET /ws HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            f"Sec-WebSocket-Version: 13\r\nAuthorization: Bearer {self._wanted.token}\r\n\r\n".encode()
        )

    def get_buffer(self, sizehint: int) -> bytearray:
        """Read into the common buffer."""
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Count what came."""
        buffer, seen = self.buffer, self.seen
        if not self.is_subscribed.done():
            self._open(bytes(buffer[:nbytes]))
            return
        ping = buffer.find(_PING, 0, nbytes)
        if ping >= 0:
            # Not in a text, which is ASCII; in a length it would only make a pong too many.
            payload = bytes(buffer[ping + len(_PING) : ping + len(_PING) + 4])
            self._transport.write(b"\x8a\x84\0\0\0\0" + payload)
        seen.received_bytes += nbytes
        seen.updates += buffer.count(_UPDATE, 0, nbytes)
        seen.reads += 1
        if seen.reads % LOOK_AT_ONE_IN == 0:
            self._look(nbytes)

    def _open(self, text: bytes) -> None:
        if not self._is_open:
            if b" 101 " not in text:
                self.is_subscribed.set_exception(ConnectionError(text[:200].decode("latin-1")))
                return
            self._is_open = True
            if self._frame:
                self._transport.write(_masked(self._frame))
                return
        self.is_subscribed.set_result(None)

    def _look(self, nbytes: int) -> None:
        buffer = self.buffer
        at = buffer.find(_TIME, buffer.find(_FRAME, 0, nbytes), nbytes)
        end = buffer.find(b'"', at + len(_TIME), nbytes)
        if at < 0 or end < 0:
            return
        made = datetime.fromisoformat(buffer[at + len(_TIME) : end].decode())
        self.seen.ages.append(time.time() - made.astimezone(UTC).timestamp())

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the loss."""
        self.seen.lost += 1
        if not self.is_subscribed.done():
            self.is_subscribed.set_exception(exc or ConnectionError("closed before it was open"))


def _masked(text: bytes) -> bytes:
    """Return a client's text frame; a mask of zeros is a mask."""
    return b"\x81\xfe" + len(text).to_bytes(2, "big") + b"\0\0\0\0" + text


class Crowd:
    """The clients, seen from the process that measures."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    async def count(self, seconds: float) -> Seen:
        """Return what the clients get in that time."""
        self._say(seconds)
        return Seen(**await self._hear(seconds + OPEN_SECONDS))

    def _say(self, what: object) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it is piped
        self._process.stdin.write(json.dumps(what).encode() + b"\n")

    async def _hear(self, seconds: float) -> Any:
        assert self._process.stdout is not None  # noqa: S101 - it is piped
        async with asyncio.timeout(seconds):
            line = await self._process.stdout.readline()
        if not line:
            raise ConnectionError("the clients gave up; see above")
        return json.loads(line)

    async def open(self, wanted: Wanted) -> None:
        """Return when all sockets are open and subscribed."""
        self._say(asdict(wanted))
        await self._hear(OPEN_SECONDS)


@asynccontextmanager
async def a_crowd(wanted: Wanted) -> AsyncIterator[Crowd]:
    """Keep clients connected for the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.crowd", stdin=PIPE, stdout=PIPE, limit=1 << 24
    )
    try:
        crowd = Crowd(process)
        await crowd.open(wanted)
        yield crowd
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _same(client: Counter) -> Counter:
    return client


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    wanted = Wanted(**json.loads(await loop.run_in_executor(None, sys.stdin.readline)))
    order = list(range(wanted.sockets))
    random.shuffle(order)
    clients: list[Counter] = []
    for at in range(0, wanted.sockets, OPENING_AT_ONCE):
        part = [
            Counter(wanted, wanted.frames[number % len(wanted.frames)].encode() if wanted.frames else b"")
            for number in order[at : at + OPENING_AT_ONCE]
        ]
        await asyncio.gather(*(loop.create_connection(partial(_same, one), "127.0.0.1", wanted.port) for one in part))
        await asyncio.gather(*(one.is_subscribed for one in part))
        clients += part
    print(json.dumps("open"), flush=True)  # noqa: T201 - what the other process reads
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        Counter.seen = Seen()
        began = time.perf_counter()
        await asyncio.sleep(float(line))
        seen, Counter.seen = Counter.seen, Seen()
        seen.seconds = time.perf_counter() - began
        print(json.dumps(asdict(seen)), flush=True)  # noqa: T201 - what the other process reads


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve())
