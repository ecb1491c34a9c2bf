"""Real servers for tests, started by the same table rows as `make run`, on free ports, with throw-away folders."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from infra.local import ports, servers
from infra.local.child import Child, Ended
from infra.local.part import NotReady, Part

START_SECONDS = 30.0


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    return ports.free_ports(1)[0]


class Server:
    """A running server that a test may also kill and start again on the same port and files."""

    def __init__(self, part: Part, url: str, log: Path) -> None:
        self.part, self.url, self._log = part, url, log
        # What it keeps; named after the part.
        self.folder = log.parent / part.name
        self._child: Child | None = None

    async def start(self) -> None:
        """Start it and return when it serves."""
        self._child = await Child.start(self.part, self._log)
        try:
            await self._child.until_ready(START_SECONDS)
        except (NotReady, Ended) as error:
            await self.stop()
            raise AssertionError(f"{self.part.name}: {error}\n" + "\n".join(self.last_lines(20))) from None

    async def stop(self) -> None:
        """Stop it as `make run` does."""
        if self._child is not None:
            await self._child.stop()
            self._child = None

    async def kill(self) -> None:
        """End it with SIGKILL, if it still runs."""
        if self._child is not None:
            self._child.kill()
            await self._child.wait()
            self._child = None

    def last_lines(self, count: int) -> list[str]:
        """Return the end of its log."""
        return [] if self._child is None else self._child.last_lines(count)

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._child is not None, "it is not running"
        return self._child.pid


def a_nats_server(folder: Path) -> Server:
    """Describe a broker with empty streams; `async with running(…)` starts it (30 ms)."""
    port = free_port()
    part = servers.nats(port=port, monitor_port=free_port(), folder=folder / "nats")
    return Server(part, f"nats://127.0.0.1:{port}", folder / "nats.log")


def a_redis_server(folder: Path) -> Server:
    """Describe an empty Redis server (50 ms to start)."""
    port = free_port()
    return Server(
        servers.redis(port=port, folder=folder / "redis"), f"redis://127.0.0.1:{port}/0", folder / "redis.log"
    )


def a_mongo_server(folder: Path) -> Server:
    """Describe an empty database server that keeps what it acknowledged (1 to 2 s to start)."""
    port = free_port()
    part = servers.mongo("mongo", port=port, port_setting="", folder=folder / "mongo", durable=True)
    return Server(part, servers.mongo_url(port), folder / "mongo.log")


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[Server]:
    """Run a server for the block; what it holds is thrown away, so it is not asked to close it."""
    await server.start()
    try:
        yield server
    finally:
        await server.kill()


def mongo_url_given() -> str | None:
    """Return the database to test on where this machine has no wheel of one (TEST_MONGO_URL); it must be a replica set."""
    return os.environ.get("TEST_MONGO_URL")
