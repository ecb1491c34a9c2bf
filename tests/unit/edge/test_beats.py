"""Whoever is due is called in time, and many at once leave the loop room for others."""

import asyncio

from edge.beats import FRAMES_PER_TURN, SLOT_SECONDS, Beats


class Call:
    """Someone who is due, and notes when that was."""

    def __init__(self, frames: int = 1) -> None:
        self.called = asyncio.Event()
        self.times: list[float] = []
        self._frames = frames

    def flush(self, now: float) -> int:
        self.times.append(now)
        self.called.set()
        return self._frames


async def test_everybody_is_called_in_the_order_of_time_and_never_early() -> None:
    beats = Beats()
    now = beats.now()
    calls = {delay: Call() for delay in (0.03, 0.01, 0.02, 0.0101)}
    for delay, call in calls.items():
        beats.at(now + delay, call)
    async with asyncio.timeout(5):
        for delay in sorted(calls):
            await calls[delay].called.wait()
            assert calls[delay].times[0] >= now + delay - 0.001
    assert [len(call.times) for call in calls.values()] == [1, 1, 1, 1]


async def test_many_at_once_are_served_in_turns() -> None:
    beats = Beats()
    calls = [Call(frames=FRAMES_PER_TURN) for _ in range(3)]
    for call in calls:
        beats.soon(call)
    turns = 0
    async with asyncio.timeout(5):
        while not calls[-1].called.is_set():
            await asyncio.sleep(0)
            turns += 1
            assert sum(len(call.times) for call in calls) <= turns
    assert turns >= 3


async def test_what_is_past_already_is_called_at_once() -> None:
    beats, call = Beats(), Call()
    beats.at(beats.now() - 1.0, call)
    async with asyncio.timeout(SLOT_SECONDS + 5):
        await call.called.wait()
