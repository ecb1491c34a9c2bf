"""The supervisor starts by needs, restarts what dies, and leaves nothing behind, however it ends."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from infra.local import ready
from infra.local.child import tail
from infra.local.part import Part, Port
from infra.local.supervisor import CannotStart, Supervisor
from tests.eventually import eventually
from tests.servers import free_port

# Stand for any part: one listens on a port, one does not listen to SIGTERM, one has a child of its own.
LISTEN = """
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
while True:
    server.accept()[0].close()
"""
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)" + LISTEN
POLITE = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))" + LISTEN
PARENT = "import subprocess; subprocess.Popen(['sleep', '60'])" + LISTEN


class Heard:
    """Writes down what the supervisor reports."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.lines: list[str] = []
        self.pauses: list[float] = []

    def starting(self, part: Part) -> None:
        self.words.append(f"starting {part.name}")

    def ready(self, part: Part, seconds: float) -> None:
        self.words.append(f"ready {part.name}")

    def failed(self, part: Part, problem: str, lines: list[str], pause: float) -> None:
        self.words.append(f"{part.name} {problem}")
        self.lines += lines
        self.pauses.append(pause)

    def stopped(self, part: Part, status: str) -> None:
        self.words.append(f"stopped {part.name} {status}")


def a_part(name: str, *needs: str, program: str = LISTEN, stop_seconds: float = 5.0) -> Part:
    port = free_port()
    return Part(
        name=name,
        command=(sys.executable, "-c", program, str(port)),
        ready=ready.tcp("127.0.0.1", port),
        ports=(Port(number=port, setting="NONE"),),
        needs=frozenset(needs),
        stop_seconds=stop_seconds,
    )


@asynccontextmanager
async def supervised(folder: Path, *parts: Part) -> AsyncIterator[tuple[Supervisor, Heard]]:
    heard = Heard()
    supervisor = Supervisor(parts, log=lambda name: folder / f"{name}.log", reporter=heard)
    try:
        await supervisor.start()
        yield supervisor, heard
    finally:
        await supervisor.stop()


async def test_a_part_starts_after_what_it_needs_and_stops_before_it(tmp_path: Path) -> None:
    async with supervised(tmp_path, a_part("door", "shop"), a_part("shop", "store"), a_part("store")) as (_, heard):
        pass

    order = [word for word in heard.words if not word.startswith("starting")]
    assert order == [
        *("ready store", "ready shop", "ready door"),
        *("stopped door SIGTERM", "stopped shop SIGTERM", "stopped store SIGTERM"),
    ]


async def test_a_killed_part_starts_again_and_its_last_words_are_told(tmp_path: Path) -> None:
    async with supervised(tmp_path, a_part("store")) as (supervisor, heard):
        first = supervisor.pid("store")

        await supervisor.kill_one("store")
        async with asyncio.timeout(10):
            await supervisor.until_ready("store")

        assert supervisor.pid("store") != first
        assert "store ended with SIGKILL" in heard.words
        assert heard.lines == ["listening"]


async def test_a_part_that_is_down_stays_down_inside_the_block(tmp_path: Path) -> None:
    async with supervised(tmp_path, a_part("store")) as (supervisor, heard):
        async with supervisor.down("store"):
            await asyncio.sleep(0.5)
            assert heard.words.count("starting store") == 1
        async with asyncio.timeout(10):
            await supervisor.until_ready("store")

        assert supervisor.ends("store") == 1
        assert heard.words.count("starting store") == 2


async def test_a_part_that_was_asked_to_end_starts_again_by_its_amended_row(tmp_path: Path) -> None:
    async with supervised(tmp_path, a_part("store")) as (supervisor, heard):
        before = supervisor.part("store")
        greeting = (*before.command[:2], f"print('amended'){LISTEN}", *before.command[3:])
        supervisor.amend(replace(before, command=greeting))

        await supervisor.stop_one("store")
        async with asyncio.timeout(10):
            await supervisor.until_ready("store")

        assert "store ended with SIGTERM" in heard.words
    assert "amended" in tail(tmp_path / "store.log", 10)


async def test_only_failures_make_the_pause_before_the_next_start_longer(tmp_path: Path) -> None:
    async with supervised(tmp_path, a_part("store", program=POLITE)) as (supervisor, heard):
        for end in (supervisor.stop_one, supervisor.stop_one, supervisor.kill_one):
            await end("store")
            async with asyncio.timeout(10):
                await supervisor.until_ready("store")

    assert heard.pauses == [0.2, 0.2, 0.4]


async def test_a_frozen_part_answers_nothing_until_it_is_thawed(tmp_path: Path) -> None:
    part = a_part("store")
    async with supervised(tmp_path, part) as (supervisor, _):
        supervisor.freeze("store")

        async def answered() -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", part.ports[0].number)
            async with asyncio.timeout(5):
                end = await reader.read()
            writer.close()
            return end

        asking = asyncio.create_task(answered())
        await asyncio.sleep(0.3)
        assert not asking.done()
        supervisor.thaw("store")
        assert await asking == b""


async def test_a_part_that_does_not_listen_to_reason_is_killed(tmp_path: Path) -> None:
    async with supervised(tmp_path, a_part("store", program=DEAF, stop_seconds=0.3)) as (_, heard):
        pass

    assert heard.words[-1] == "stopped store SIGKILL"


async def test_stopping_takes_the_children_of_a_part_along(tmp_path: Path) -> None:
    async with supervised(tmp_path, a_part("store", program=PARENT)) as (supervisor, _):
        group = supervisor.pid("store")

    await eventually(lambda: gone(group_lives, group))


async def test_a_part_that_cannot_start_ends_the_start_with_its_log(tmp_path: Path) -> None:
    broken = a_part("store", program="import sys; sys.exit('wrong settings:\\nSTORE_PORT: no such setting')")

    with pytest.raises(
        CannotStart, match=r"store cannot start: ended with status 1\n(.*\n)*STORE_PORT: no such setting"
    ):
        async with supervised(tmp_path, broken, a_part("shop", "store")):
            pass


async def test_no_part_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path; from tests.integration.infra.local.test_supervisor import *\n"
        "async def main():\n"
        f"    async with supervised(Path({str(tmp_path)!r}), a_part('store')) as (supervisor, _):\n"
        "        print(supervisor.pid('store'), flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[4]
    )
    assert process.stdout is not None
    part = int(await process.stdout.readline())

    process.send_signal(signal.SIGKILL)
    await process.wait()

    await eventually(lambda: gone(lives, part))


async def gone(lives: Callable[[int], bool], pid: int) -> bool:
    return not lives(pid)


def lives(pid: int) -> bool:
    """Tell whether the process runs; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
