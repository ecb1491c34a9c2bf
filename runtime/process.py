"""Life of a process: settings, logs, one task group, graceful then forced stop, and an exit code that tells the truth."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, NoReturn, TypeVar

from prometheus_client import CollectorRegistry

from runtime import crash_points, logs
from runtime.metrics import open_registry, serve_metrics
from runtime.settings import Settings, SettingsError, load
from runtime.watchdog import watching

S = TypeVar("S", bound=Settings)
BAD_SETTINGS = 2
FAILED = 1
CANCEL_AGAIN_SECONDS = 0.2
# Of the garbage collector's three generations; Python begins with 700, 10, 10.
GC_THRESHOLDS = (20_000, 20, 50)


class LoopEnded(Exception):
    """A loop that must run as long as the process has returned."""


class Tasks:
    """The loops of a process. One that fails, or just ends, takes the process down: half a process is worse than none.

    `registry` is where the process's parts put their figures.
    """

    def __init__(self, group: asyncio.TaskGroup, registry: CollectorRegistry | None = None) -> None:
        self._group = group
        self.registry = registry or CollectorRegistry()
        self._running: set[asyncio.Task[None]] = set()

    def spawn(self, loop: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[None]:
        """Start a loop that must not end before it is canceled."""
        task = self._group.create_task(self._guard(loop, name), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def stop(self) -> None:
        """End all loops and return when they have ended. An app does this after its doors are shut and before it closes what
        the loops use: `stack.push_async_callback(tasks.stop)` between opening the one and the other.
        """
        while running := list(self._running):
            for task in running:
                task.cancel()
            # Once is not enough: before Python 3.12 asyncio.wait_for, which nats-py waits with, loses a cancellation that comes
            # together with its result (cpython #86296).
            await asyncio.wait(running, timeout=CANCEL_AGAIN_SECONDS)

    @staticmethod
    async def _guard(loop: Coroutine[Any, Any, Any], name: str) -> None:
        await loop
        raise LoopEnded(f"the loop {name!r} has ended although the process goes on")


OpenApp = Callable[[S, Tasks], AbstractAsyncContextManager[None]]


def run(service: str, kind: type[S], open_app: OpenApp[S]) -> NoReturn:
    """Run a service until SIGTERM or SIGINT, then leave: 0 when stopped, 1 when a loop died, 2 when a setting is wrong.

    A second signal, or `stop_grace_seconds` twice over, ends the process at once.
    """
    try:
        settings = load(kind)
    except SettingsError as error:
        sys.stderr.write(f"{service} cannot start, wrong settings:\n{error}\n")
        sys.exit(BAD_SETTINGS)
    logs.configure(service, level=settings.log_level, form=settings.log_format)
    if settings.crash_at:
        crash_points.arm(settings.crash_at)
    sys.exit(_with_fast_loop(_live(service, settings, open_app)))


def _with_fast_loop(main: Coroutine[Any, Any, int]) -> int:
    try:
        import uvloop  # noqa: PLC0415 - absent on some platforms, where asyncio's own loop serves
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


async def _live(service: str, settings: S, open_app: OpenApp[S]) -> int:
    logger = logs.get_logger("runtime.process")
    registry = open_registry(service)
    stop = asyncio.Event()
    _stop_on_signals(stop, settings.stop_grace_seconds)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = Tasks(group, registry)
            stopped = group.create_task(stop.wait(), name="signals")
            with (
                serve_metrics(registry, host=settings.metrics_host, port=settings.metrics_port),
                watching(registry, limit_seconds=settings.loop_limit_seconds),
            ):
                async with open_app(settings, tasks):
                    _spare_the_collector()
                    logger.info("ready", pid=os.getpid())
                    await stopped
                    logger.info("stopping")
                await tasks.stop()
    except BaseExceptionGroup as failures:
        for failure in failures.exceptions:
            logger.error("died", exc_info=failure)
        return FAILED
    logger.info("stopped")
    return 0


def _spare_the_collector() -> None:
    """Let the garbage collector pass over what lives as long as the process, and look at the rest less often.

    Its pauses lie on every request's path, and what requests leave behind is nearly always freed by counting references.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def _stop_on_signals(stop: asyncio.Event, grace_seconds: float) -> None:
    loop = asyncio.get_running_loop()

    def ask() -> None:
        if stop.is_set():
            os._exit(FAILED)
        stop.set()
        # Whatever hangs in closing does not keep the process for ever.
        loop.call_later(2 * grace_seconds, os._exit, FAILED)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask)
