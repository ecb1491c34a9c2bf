"""When price frames go out: one clock for all audiences, and never so many frames at once that answers would wait long."""

import asyncio
from collections import deque
from heapq import heappop, heappush
from typing import Protocol

# Whoever is due within the same slot shares a timer; nobody can read that fast.
SLOT_SECONDS = 0.002
# Frames written before the loop gets to look at its sockets again.
FRAMES_PER_TURN = 128


class Due(Protocol):
    """Someone who has something to send at a given time."""

    def flush(self, now: float) -> int:
        """Send what may be sent now; return for how many clients."""


class Beats:
    """Calls whoever is due, in portions. Times are those of the event loop, in seconds."""

    def __init__(self) -> None:
        self._due: deque[Due] = deque()
        self._slots: dict[int, list[Due]] = {}
        self._order: list[int] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_slot = 0
        self._is_turning = False

    def now(self) -> float:
        """Return the time."""
        return asyncio.get_running_loop().time()

    def soon(self, due: Due) -> None:
        """Call in the next turn of the loop: all that the present turn hears goes into the same frame."""
        self._due.append(due)
        if not self._is_turning:
            self._is_turning = True
            asyncio.get_running_loop().call_soon(self._turn)

    def at(self, when: float, due: Due) -> None:
        """Call at this time, or up to a slot later."""
        slot = int(when / SLOT_SECONDS) + 1
        waiting = self._slots.get(slot)
        if waiting is not None:
            waiting.append(due)
            return
        self._slots[slot] = [due]
        heappush(self._order, slot)
        if self._timer is None or slot < self._timer_slot:
            self._set_timer(slot)

    def _set_timer(self, slot: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_slot = slot
        self._timer = asyncio.get_running_loop().call_at(slot * SLOT_SECONDS, self._ring)

    def _ring(self) -> None:
        self._timer = None
        # The timer may ring a little early, as loops round to milliseconds; its own slot counts as reached.
        reached = max(int(asyncio.get_running_loop().time() / SLOT_SECONDS), self._timer_slot)
        while self._order and self._order[0] <= reached:
            for due in self._slots.pop(heappop(self._order)):
                self.soon(due)
        if self._order:
            self._set_timer(self._order[0])

    def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        now, frames = loop.time(), 0
        due = self._due
        while due and frames < FRAMES_PER_TURN:
            frames += due.popleft().flush(now)
        self._is_turning = bool(due)
        if due:
            loop.call_soon(self._turn)
