"""`make run` as a person meets it: it says ready, tells where it is, refuses a second one, and leaves nothing behind."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from infra.local.running import PORTS, free_ports
from infra.local.settings import LocalSettings
from tests.eventually import eventually

ROOT = Path(__file__).parents[4]
pytestmark = pytest.mark.timeout(120)


class Run:
    """One `python -m infra.local`."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self.process, self.folder = process, folder
        self.lines: list[str] = []

    async def until_ready(self) -> None:
        assert self.process.stdout is not None
        async with asyncio.timeout(90):
            async for line in self.process.stdout:
                self.lines.append(line.decode().rstrip())
                if self.lines[-1].startswith("ready"):
                    return
        raise AssertionError("\n".join(self.lines))

    async def rest(self) -> list[str]:
        output, _ = await self.process.communicate()
        return output.decode().splitlines()

    def parts(self) -> list[int]:
        """Return the processes that were started for this folder: each has it in its environment or its command line."""
        told = str(self.folder).encode()
        return [
            pid
            for pid in _processes()
            if pid != self.process.pid and told in _read(pid, "environ") + _read(pid, "cmdline")
        ]


@asynccontextmanager
async def run(folder: Path, ports: dict[str, int]) -> AsyncIterator[Run]:
    names = {name: LocalSettings.model_fields[name].validation_alias for name in PORTS}
    environment = {str(names[name]): str(port) for name, port in ports.items()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infra.local"),
        env={**os.environ, **environment, "STOCKMESH_STATE": str(folder), "LOCAL_PAST": "false"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=ROOT,
    )
    try:
        yield Run(process, folder)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.communicate()


async def test_it_says_where_it_is_and_stops_when_told(tmp_path: Path) -> None:
    async with run(tmp_path, free_ports()) as first:
        await first.until_ready()
        announced = json.loads((tmp_path / "local.json").read_text())
        started = first.parts()

        async with run(tmp_path, free_ports()) as second:
            refused = await second.rest()
            refused_status = second.process.returncode
        first.process.send_signal(signal.SIGINT)
        last = await first.rest()

    assert announced["pid"] == first.process.pid
    assert any("token" in line and "eyJ" in line for line in first.lines)
    assert any(line.split()[0] == "page" and "/#token=eyJ" in line for line in first.lines if line)
    assert (refused_status, f"as process {first.process.pid}" in refused[0]) == (1, True)
    assert (first.process.returncode, last[-1]) == (0, "stopped")
    assert len(started) >= 9
    assert first.parts() == []
    assert not (tmp_path / "local.json").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends orphans")
async def test_nothing_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    async with run(tmp_path, free_ports()) as killed:
        await killed.until_ready()
        killed.process.kill()
        await killed.process.wait()

        async def none_left() -> bool:
            return not killed.parts()

        await eventually(none_left)


async def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    ports = free_ports()
    async with (
        await asyncio.start_server(lambda *_: None, "127.0.0.1", ports["edge_port"]),
        run(tmp_path, ports) as late,
    ):
        lines = await late.rest()

    assert late.process.returncode == 1
    assert f"port {ports['edge_port']} of edge is taken" in lines[0]
    assert "set EDGE_PORT" in lines[0]


def _processes() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
