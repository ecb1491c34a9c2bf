"""Keeps every part running: starts them by their needs, restarts what dies, stops them in reverse."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from infra.local.child import Child, Ended, bound, describe
from infra.local.part import NotReady, Part

READY_SECONDS = 60.0
# So many failures in a row before the part was ever ready mean that it cannot be started at all.
START_ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
# A part that ran so long had started well: its next failure is a first one again.
STEADY_SECONDS = 20.0
LOG_CHECK_SECONDS = 10.0
BAD_SETTINGS = 2


class CannotStart(Exception):
    """A part never became ready; the text says why and shows the end of its log."""


class Reporter(Protocol):
    """Who is told what happens."""

    def starting(self, part: Part) -> None:
        """The part's process is being started."""

    def ready(self, part: Part, seconds: float) -> None:
        """The part serves, so many seconds after its start."""

    def failed(self, part: Part, problem: str, lines: list[str], pause: float) -> None:
        """The part ended, or never served; it starts again after the pause."""

    def stopped(self, part: Part, status: str) -> None:
        """The part was told to end, and has."""


class Supervisor:
    """One system of parts. `start` returns when all are ready; `stop` when none is left."""

    def __init__(
        self,
        parts: Iterable[Part],
        *,
        log: Callable[[str], Path],
        reporter: Reporter,
        longest_pause: float = LONGEST_PAUSE_SECONDS,
    ) -> None:
        self._parts = {part.name: part for part in parts}
        self._log, self._reporter, self._longest_pause = log, reporter, longest_pause
        self._children: dict[str, Child] = {}
        self._ready = {name: asyncio.Event() for name in self._parts}
        # Clear while a part is to stay down.
        self._wanted = {name: asyncio.Event() for name in self._parts}
        self._ends = dict.fromkeys(self._parts, 0)
        self._served: set[str] = set()
        self._keepers: dict[str, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Start everything, in parallel as far as needs allow. Raises CannotStart; what runs then still has to be stopped."""
        for part in self._parts.values():
            self._wanted[part.name].set()
            self._keepers[part.name] = asyncio.create_task(self._keep(part.name), name=part.name)
        ready = asyncio.create_task(self._all_ready())
        try:
            await asyncio.wait({ready, *self._keepers.values()}, return_when=asyncio.FIRST_COMPLETED)
            for keeper in self._keepers.values():
                if keeper.done():
                    keeper.result()
        finally:
            ready.cancel()

    async def watch(self) -> None:
        """Look after the logs for ever; raises whatever ended a keeper, which nothing should."""
        while True:
            done, _ = await asyncio.wait(
                self._keepers.values(), timeout=LOG_CHECK_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()
            for child in list(self._children.values()):
                bound(child.log)

    async def stop(self) -> None:
        """Stop everything: a part goes when nothing that needs it is left."""
        for keeper in self._keepers.values():
            keeper.cancel()
        await asyncio.gather(*self._keepers.values(), return_exceptions=True)
        gone = {name: asyncio.Event() for name in self._parts}

        async def stop_one(part: Part) -> None:
            for other in self._parts.values():
                if part.name in other.needs:
                    await gone[other.name].wait()
            child = self._children.get(part.name)
            if child is not None:
                await child.stop()
                self._reporter.stopped(part, describe(child.exit_status))
            gone[part.name].set()

        await asyncio.gather(*(stop_one(part) for part in self._parts.values()))

    def kill(self) -> None:
        """End everything at once."""
        for child in self._children.values():
            child.kill()

    async def kill_one(self, name: str) -> None:
        """End one part at once, as a crash would; it is started again like after one."""
        child = self._children[name]
        child.kill()
        await child.wait()
        self._ready[name].clear()

    async def stop_one(self, name: str) -> None:
        """Have one part end as in an orderly stop; it is started again like after a crash."""
        child = self._children[name]
        await child.stop()
        self._ready[name].clear()

    @asynccontextmanager
    async def down(self, name: str) -> AsyncIterator[None]:
        """Kill one part and let it stay down inside the block."""
        self._wanted[name].clear()
        try:
            await self.kill_one(name)
            yield
        finally:
            self._wanted[name].set()

    def freeze(self, name: str) -> None:
        """Stop the clock of one part and of all that it started: it keeps its connections and answers nothing."""
        os.killpg(self.pid(name), signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let a frozen part go on."""
        os.killpg(self.pid(name), signal.SIGCONT)

    def amend(self, part: Part) -> None:
        """Replace a part's row; the next start is by the new one."""
        self._parts[part.name] = part

    def part(self, name: str) -> Part:
        """Return the row by which a part is started next."""
        return self._parts[name]

    def ends(self, name: str) -> int:
        """Return how often a part has ended, in whichever way."""
        return self._ends[name]

    def pid(self, name: str) -> int:
        """Return the process id of a part that was started."""
        return self._children[name].pid

    async def until_ready(self, name: str) -> None:
        """Return when the part serves; at once if it does."""
        await self._ready[name].wait()

    async def _all_ready(self) -> None:
        for event in self._ready.values():
            await event.wait()

    async def _keep(self, name: str) -> None:
        for need in sorted(self._parts[name].needs):
            await self._ready[need].wait()
        pause, attempts = FIRST_PAUSE_SECONDS, 0
        while True:
            await self._wanted[name].wait()
            part, started = self._parts[name], time.monotonic()
            problem = await self._run(part, started)
            self._ends[name] += 1
            self._ready[part.name].clear()
            child = self._children[part.name]
            attempts += 1
            if part.name not in self._served and (attempts == START_ATTEMPTS or child.exit_status == BAD_SETTINGS):
                raise CannotStart(
                    "\n".join([f"{part.name} cannot start: {problem}", *child.last_lines(15), str(child.log)])
                )
            # Who ends in order was told to, by whoever replaces it: that is no failure.
            if time.monotonic() - started > STEADY_SECONDS or (child.exit_status == 0 and part.name in self._served):
                pause = FIRST_PAUSE_SECONDS
            # While it never served, its log is shown once, when it is given up.
            lines = child.last_lines() if part.name in self._served else []
            self._reporter.failed(part, problem, lines, pause)
            if part.tidy_up is not None:
                await part.tidy_up()
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._longest_pause)

    async def _run(self, part: Part, started: float) -> str:
        """Run the part until it ends, and return how it did."""
        self._reporter.starting(part)
        child = await Child.start(part, self._log(part.name))
        self._children[part.name] = child
        try:
            await child.until_ready(READY_SECONDS)
        except (NotReady, Ended) as error:
            child.kill()
            await child.wait()
            return str(error)
        self._ready[part.name].set()
        self._served.add(part.name)
        self._reporter.ready(part, time.monotonic() - started)
        status = await child.wait()
        child.kill()  # whatever it left in its group
        return f"ended with {describe(status)}"
