"""Watches the event loop from a thread: measures how late it is, and ends a process whose loop stands still.

A process with a blocked loop is a zombie: its connections are open, so nobody else takes its work, and it does none. Ended, it is
started again by whoever runs it.
"""

import asyncio
import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Histogram

from runtime import logs

BEAT_SECONDS = 0.5
# A beat of ours that takes so long was no beat: the whole process was frozen (SIGSTOP, a suspended machine), not its loop.
FROZEN_SECONDS = 4 * BEAT_SECONDS
LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)
BLOCKED = 3

logger = logs.get_logger("runtime.watchdog")


class Pulse:
    """How the loop answers. Times are seconds of one monotonic clock; pure, so that a test needs no thread."""

    def __init__(self, *, limit_seconds: float, now: float) -> None:
        self._limit = limit_seconds
        self._asked_at: float | None = None
        self._looked_at = now

    def look(self, now: float) -> bool:
        """Take in a beat of the watching thread; tell whether the loop is to be asked now. Raises LoopBlocked."""
        frozen, self._looked_at = now - self._looked_at > FROZEN_SECONDS, now
        if self._asked_at is None:
            self._asked_at = now
            return True
        if frozen:
            self._asked_at = now
        elif now - self._asked_at > self._limit:
            raise LoopBlocked(f"the event loop has not run for {now - self._asked_at:.1f} s")
        return False

    def answer(self, now: float) -> float:
        """Take in that the loop has run what it was asked; return how late that was in seconds."""
        asked_at, self._asked_at = self._asked_at, None
        return now - asked_at if asked_at is not None else 0.0


class LoopBlocked(Exception):
    """The loop has not run for too long."""


@contextmanager
def watching(registry: CollectorRegistry, *, limit_seconds: float) -> Iterator[None]:
    """Watch the running loop inside the block; when it stands still for `limit_seconds` end the process with status 3."""
    lag = Histogram(
        "event_loop_lag_seconds",
        "How late the event loop runs what is due, looked at twice a second.",
        buckets=LAG_BUCKETS,
        registry=registry,
    )
    pulse = Pulse(limit_seconds=limit_seconds, now=time.monotonic())
    over = threading.Event()
    loop = asyncio.get_running_loop()

    def answer() -> None:
        lag.observe(pulse.answer(time.monotonic()))

    watch = threading.Thread(target=_watch, args=(pulse, loop, answer, over), name="watchdog", daemon=True)
    watch.start()
    try:
        yield
    finally:
        over.set()


def _watch(pulse: Pulse, loop: asyncio.AbstractEventLoop, answer: Callable[[], None], over: threading.Event) -> None:
    while not over.wait(BEAT_SECONDS):
        try:
            if pulse.look(time.monotonic()):
                loop.call_soon_threadsafe(answer)
        except LoopBlocked as error:
            logger.critical("loop blocked, the process ends", error=str(error))
            # Where it stands is all that can be learnt of it.
            faulthandler.dump_traceback(sys.stderr, all_threads=True)
            os._exit(BLOCKED)
        except RuntimeError:
            # The loop is closed: the process is ending by itself.
            return
