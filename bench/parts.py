"""Single processes for benchmarks that need less than the whole system, and the share of a core that each spends."""

import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from infra.local import ready, servers
from infra.local.child import Child
from infra.local.part import Part
from infra.local.ports import free_ports

START_SECONDS = 30.0
HOST = "127.0.0.1"


@asynccontextmanager
async def a_child(part: Part, folder: Path) -> AsyncIterator[Child]:
    """Run a part for the block, from when it serves."""
    child = await Child.start(part, folder / f"{part.name}.log")
    try:
        await child.until_ready(START_SECONDS)
        yield child
    finally:
        await child.stop()


@asynccontextmanager
async def a_broker() -> AsyncIterator[tuple[str, int]]:
    """Run a broker for the block; give its address and process id."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        port, monitor_port = free_ports(2)
        part = servers.nats(port=port, monitor_port=monitor_port, folder=folder / "nats")
        async with a_child(part, folder) as child:
            yield f"nats://{HOST}:{port}", child.pid


@asynccontextmanager
async def a_module(module: str, *arguments: str, port: int, environment: Mapping[str, str]) -> AsyncIterator[Child]:
    """Run one of our own programs for the block, from when it listens on the port."""
    part = Part(
        name=module,
        command=(sys.executable, "-m", module, *arguments),
        ready=ready.tcp(HOST, port),
        ports=(),
        environment=environment,
        stop_seconds=3.0,
    )
    with tempfile.TemporaryDirectory() as folder:
        async with a_child(part, Path(folder)) as child:
            yield child


@dataclass(frozen=True, slots=True)
class _Spent:
    at: float
    seconds: dict[str, float]


class Cores:
    """How busy some processes are, in hundredths of a core."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._before = self._spent()

    def row(self) -> dict[str, object]:
        """Return the share of each since this was made."""
        now = self._spent()
        took = now.at - self._before.at
        return {
            f"{name} %": round((seconds - self._before.seconds[name]) / took * 100)
            for name, seconds in now.seconds.items()
        }

    def _spent(self) -> _Spent:
        seconds = {}
        for name, process in self._processes.items():
            times = process.cpu_times()
            seconds[name] = times.user + times.system
        return _Spent(time.perf_counter(), seconds)

    def megabytes(self, name: str) -> int:
        """Return what a process holds in memory."""
        return round(self._processes[name].memory_info().rss / (1 << 20))
