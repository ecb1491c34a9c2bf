"""Virtual time and processes in it: an event loop whose clock jumps, and that can kill or freeze what runs in one process."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

BIRTH = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)


class Life(Enum):
    """How a process is."""

    RUNNING = "running"
    FROZEN = "frozen"
    DEAD = "dead"


class Process:
    """What runs together, and dies together without a last word: a dead process takes no step any more (SIGKILL)."""

    def __init__(self, name: str) -> None:
        self.name, self.life = name, Life.RUNNING
        self.stash: list[asyncio.Handle] = []

    @property
    def is_running(self) -> bool:
        """Tell whether it takes steps."""
        return self.life is Life.RUNNING


CURRENT: ContextVar[Process | None] = ContextVar("process", default=None)
# Where servers and the world itself live: in no process.
NOWHERE = Context()


class Stuck(Exception):
    """Nothing will ever happen any more, and somebody still waits."""


class _Jump(selectors.SelectSelector):
    """Waits for nothing but time, and lets that pass at once."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck("no timer is left, and somebody still waits")
        self.loop.seconds += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which time passes only when nobody has anything to do, and then at once. One seed, one history."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.is_over = False
        # Processes with steps that they may not take.
        self._stashes: list[Process] = []
        selector = _Jump()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        """Return virtual seconds since the beginning."""
        return self.seconds

    def now(self) -> datetime:
        """Return the virtual time in whole milliseconds."""
        return BIRTH + timedelta(milliseconds=int(self.seconds * 1000))

    def call_soon(  # type: ignore[override]  # asyncio's own is variadic in types
        self, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Do as asyncio does, unless the process that it belongs to is dead or frozen."""
        process = context.get(CURRENT) if context is not None else CURRENT.get()
        if process is None or process.is_running or self.is_over:
            return super().call_soon(callback, *args, context=context)
        handle = asyncio.Handle(callback, args, self, context)
        self._put_aside(process, handle)
        return handle

    def call_at(  # type: ignore[override]  # as above
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Do as asyncio does; what is due in a frozen process waits until it thaws."""
        process = context.get(CURRENT) if context is not None else CURRENT.get()
        if process is None:
            return super().call_at(when, callback, *args, context=context)
        box: list[asyncio.TimerHandle] = []
        timer = super().call_at(when, self._due, process, box, callback, args, context=context)
        box.append(timer)
        return timer

    def _due(
        self,
        process: Process,
        box: list[asyncio.TimerHandle],
        callback: Callable[..., object],
        args: tuple[object, ...],
    ) -> None:
        def act() -> None:
            # It may have been canceled while the process stood still.
            if not box[0].cancelled():
                callback(*args)

        if process.is_running or self.is_over:
            act()
        else:
            self._put_aside(process, asyncio.Handle(act, (), self, copy_context()))

    def _put_aside(self, process: Process, handle: asyncio.Handle) -> None:
        if not process.stash:
            self._stashes.append(process)
        process.stash.append(handle)

    def bury(self) -> None:
        """Let what is dead or frozen run after all, so that its tasks can end."""
        self.is_over = True
        for process in self._stashes:
            self.thaw(process)
        self._stashes.clear()

    def thaw(self, process: Process) -> None:
        """Let a frozen process go on where it was stopped; all that came meanwhile comes at once."""
        process.life = Life.RUNNING
        stash, process.stash = process.stash, []
        for handle in stash:
            super().call_soon(self._resume, handle, context=NOWHERE)

    @staticmethod
    def _resume(handle: asyncio.Handle) -> None:
        if not handle.cancelled():
            handle._run()

    def later(self, delay: float, callback: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        """Have the world do something after a delay, in no process."""
        return self.call_later(delay, callback, *args, context=NOWHERE)

    def begin(self, work: Coroutine[Any, Any, Any], *, process: Process | None, name: str = "") -> asyncio.Task[Any]:
        """Start a task in a process, or in none."""
        context = Context()
        context.run(CURRENT.set, process)
        return self.create_task(work, context=context, name=name or None)


def virtual_loop() -> VirtualLoop:
    """Return the loop that runs now."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop
