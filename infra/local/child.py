"""One running process of a part: started with its output in a file, tied to us, stopped with its whole process group."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from infra.local import tether
from infra.local.part import Part
from infra.local.ready import wait_for

LOG_BYTES = 20_000_000
TAIL_BYTES = 131_072
MOST_CHARACTERS = 500
# What a program needs to run at all. Secrets reach only the parts whose table row names them.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER")


class Ended(Exception):
    """The process ended although it should run."""


class Child:
    """A process of a part. Make it with `start`."""

    def __init__(self, part: Part, process: asyncio.subprocess.Process, log: Path, log_start: int) -> None:
        self.part, self.log = part, log
        self._process, self._log_start = process, log_start
        self._swept = False

    @classmethod
    async def start(cls, part: Part, log: Path) -> "Child":
        """Start the part's program; its output is appended to the log file. Raises OSError when that cannot be."""
        log.parent.mkdir(parents=True, exist_ok=True)
        bound(log)
        tied = (sys.executable, "-I", "-S", tether.__file__, str(int(part.orphan_signal)), str(os.getpid()))
        with log.open("ab") as output:
            log_start = output.tell()
            process = await asyncio.create_subprocess_exec(
                *tied,
                *part.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**_inherited(os.environ), **part.environment},
                # A group of its own: Ctrl-C reaches us alone, and nothing that it starts can stay behind.
                start_new_session=True,
            )
        return cls(part, process, log, log_start)

    @property
    def pid(self) -> int:
        """Process id, the same from start to end."""
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """Exit status, negative for a signal; None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Return the exit status once it has ended."""
        return await self._process.wait()

    async def until_ready(self, seconds: float) -> None:
        """Return when the part serves. Raises Ended when the process ends first and NotReady after so many seconds."""
        waiting = asyncio.create_task(wait_for(self.part.ready, seconds))
        ended = asyncio.create_task(self._process.wait())
        try:
            await asyncio.wait({waiting, ended}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                raise Ended(f"ended with {describe(self.exit_status)}")
            await waiting
        finally:
            waiting.cancel()
            ended.cancel()
            await asyncio.gather(waiting, ended, return_exceptions=True)

    async def stop(self) -> None:
        """Ask it to end, wait for as long as the part is given, then end it and its whole group."""
        try:
            with suppress(TimeoutError, ProcessLookupError):
                if self.exit_status is None:
                    self._process.terminate()
                    async with asyncio.timeout(self.part.stop_seconds):
                        await self._process.wait()
        finally:
            self.kill()
        await self._process.wait()

    def kill(self) -> None:
        """End it and everything that it started, at once."""
        if self._swept:  # the number may be another group's by now
            return
        self._swept = self.exit_status is not None
        with suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
            os.killpg(self.pid, signal.SIGKILL)

    def last_lines(self, count: int = 5) -> list[str]:
        """Return the end of what this process wrote."""
        return tail(self.log, count, start=self._log_start)


def describe(status: int | None) -> str:
    """Return an exit status in words: "status 1" or "SIGKILL"."""
    if status is None or status >= 0:
        return f"status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def tail(log: Path, count: int, *, start: int = 0) -> list[str]:
    """Return the last lines of a file, from a byte on, that are not blank; none when it is not there."""
    try:
        with log.open("rb") as file:
            size = log.stat().st_size
            file.seek(max(start if start <= size else 0, size - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [readable(line) for line in text.splitlines() if line.strip()][-count:]


def readable(line: str) -> str:
    """Return a line of a log as a person reads it: of a JSON one the event, and the exception without its frames."""
    try:
        fact = json.loads(line)
        words = [fact["event"]]
        words += [f"{error['exc_type']}: {error['exc_value']}" for error in fact.get("exception", ())]
        return " | ".join(words)
    except (ValueError, TypeError, KeyError):
        return line[:MOST_CHARACTERS]


def bound(log: Path) -> None:
    """Keep a log small: one that has grown too long becomes `<name>.1` and starts anew. Its writer appends and goes on."""
    try:
        if log.stat().st_size < LOG_BYTES:
            return
        previous = log.with_name(f"{log.name}.1")
        previous.write_bytes(log.read_bytes())
        os.truncate(log, 0)
    except OSError:
        return


def _inherited(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: environment[name] for name in INHERITED if name in environment}
