"""runtime/batching.py: many callers, one flush."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from runtime.batching import Batcher, TooBusy


class Flushes:
    """Doubles numbers, refuses 13, and remembers what came together."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.started = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.broken = False

    async def __call__(self, items: Sequence[int]) -> Sequence[int | Exception]:
        self.batches.append(list(items))
        self.started.set()
        await self.gate.wait()
        if self.broken:
            raise ConnectionError
        return [ValueError("unlucky") if item == 13 else item * 2 for item in items]


@pytest.fixture
def flushes() -> Flushes:
    return Flushes()


@pytest.fixture
async def batcher(flushes: Flushes) -> AsyncIterator[Batcher[int, int]]:
    made: Batcher[int, int] = Batcher(flushes, max_items=10, max_wait=0.002, max_waiting=40)
    loop = asyncio.create_task(made.run())
    yield made
    loop.cancel()


async def test_callers_at_once_share_flushes_and_get_their_own_results(
    flushes: Flushes, batcher: Batcher[int, int]
) -> None:
    assert await asyncio.gather(*(batcher.add(n) for n in range(12))) == [n * 2 for n in range(12)]
    assert [len(batch) for batch in flushes.batches] == [10, 2]


async def test_one_callers_failure_is_his_alone(batcher: Batcher[int, int]) -> None:
    answers = await asyncio.gather(batcher.add(12), batcher.add(13), batcher.add(14), return_exceptions=True)

    assert [answers[0], type(answers[1]), answers[2]] == [24, ValueError, 28]


async def test_a_failed_flush_is_told_to_all_and_the_next_one_works(
    flushes: Flushes, batcher: Batcher[int, int]
) -> None:
    flushes.broken = True
    answers = await asyncio.gather(batcher.add(1), batcher.add(2), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ConnectionError, ConnectionError]

    flushes.broken = False
    assert await batcher.add(3) == 6


async def test_what_arrives_during_a_flush_goes_together_in_the_next(
    flushes: Flushes, batcher: Batcher[int, int]
) -> None:
    flushes.gate.clear()
    first = asyncio.create_task(batcher.add(1))
    await flushes.started.wait()
    rest = [asyncio.create_task(batcher.add(n)) for n in (2, 3, 4)]
    await asyncio.sleep(0)
    flushes.gate.set()

    await asyncio.gather(first, *rest)
    assert flushes.batches == [[1], [2, 3, 4]]


async def test_a_caller_that_gave_up_before_its_turn_asks_for_nothing(
    flushes: Flushes, batcher: Batcher[int, int]
) -> None:
    flushes.gate.clear()
    first = asyncio.create_task(batcher.add(1))
    await flushes.started.wait()
    impatient = asyncio.create_task(batcher.add(2))
    await asyncio.sleep(0)
    impatient.cancel()
    flushes.gate.set()
    await first

    assert await batcher.add(3) == 6
    assert flushes.batches == [[1], [3]]


async def test_more_than_may_wait_is_refused_at_once(flushes: Flushes, batcher: Batcher[int, int]) -> None:
    flushes.gate.clear()
    waiting = [asyncio.create_task(batcher.add(n)) for n in range(60)]
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)

    assert {type(task.exception()) for task in done} == {TooBusy}
    flushes.gate.set()
    await asyncio.gather(*waiting, return_exceptions=True)
