"""Fills the charts of a new state folder, once: the simulator writes its past, and the price service's loader reads it."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from infra.local import tether
from infra.local.child import bound, tail
from infra.local.part import Part
from infra.local.state import State

WRITER, READER = "exchange_sim", "price_svc"
# Whoever trades meanwhile goes first.
NICENESS = 15
LOG = "past"


def marker(state: State) -> Path:
    """Return the file that is there when the past was loaded; without it the next start loads again, which changes nothing."""
    return state.folder / "past_loaded"


def is_wanted(parts: Sequence[Part], state: State) -> bool:
    """Tell whether there is a past to load: a simulator of our own and no marker."""
    return {WRITER, READER} <= {part.name for part in parts} and not marker(state).exists()


async def load_past(parts: Sequence[Part], state: State) -> str:
    """Load it and return what came of it in a sentence. Canceled, it ends what it started; the next start begins again."""
    started = time.monotonic()
    by_name = {part.name: part for part in parts}
    log = state.log(LOG)
    log.parent.mkdir(parents=True, exist_ok=True)
    bound(log)
    read_end, write_end = os.pipe()
    processes: list[asyncio.subprocess.Process] = []
    try:
        with log.open("ab") as output:
            try:
                module = ("-m", "infra.exchange_sim", "past")
                processes.append(await _started(by_name[WRITER], module, -1, write_end, output.fileno()))
                module = ("-m", "price_svc.load", "-")
                processes.append(await _started(by_name[READER], module, read_end, output.fileno(), output.fileno()))
            finally:
                os.close(read_end)
                os.close(write_end)
        statuses = [await process.wait() for process in processes]
    finally:
        for process in processes:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    said = tail(log, 1)
    if any(statuses):
        return f"charts have no past: {' '.join(said)}; the next start tries again (see {log})"
    marker(state).touch()
    return f"charts are full: {' '.join(said)} in {time.monotonic() - started:.0f} s"


async def _started(
    part: Part, module: tuple[str, ...], source: int, target: int, errors: int
) -> asyncio.subprocess.Process:
    tied = (sys.executable, "-I", "-S", tether.__file__, str(int(signal.SIGKILL)), str(os.getpid()))
    process = await asyncio.create_subprocess_exec(
        *(*tied, sys.executable, *module),
        stdin=source if source >= 0 else asyncio.subprocess.DEVNULL,
        stdout=target,
        stderr=errors,
        env=dict(part.environment),
        start_new_session=True,
    )
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
    return process
