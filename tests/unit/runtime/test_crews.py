"""runtime/crews.py: who leaves a crew leaves no task behind, however often he is canceled."""

import asyncio
import gc
import warnings

import pytest

from runtime.crews import Crew


class Stubborn:
    """Work that loses some cancellations, as asyncio.wait_for did before Python 3.12."""

    def __init__(self, *, losses: int) -> None:
        self._losses = losses
        self.ended = False

    async def run(self) -> None:
        for _ in range(self._losses + 1):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue
        self.ended = True


@pytest.mark.parametrize("cancels", [1, 2, 3])
async def test_work_that_loses_cancellations_has_ended_when_the_crew_is_left(cancels: int) -> None:
    work = Stubborn(losses=2)

    async def crew_of_one() -> None:
        async with Crew() as crew:
            crew.spawn(work.run())
            await asyncio.Event().wait()

    task = asyncio.create_task(crew_of_one())
    await asyncio.sleep(0)
    for _ in range(cancels):
        task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await asyncio.wait([task], timeout=5)

    assert task.cancelled()
    assert work.ended


async def test_a_crew_that_is_canceled_while_it_ends_tells_so() -> None:
    work = Stubborn(losses=2)

    async def crew_of_one() -> None:
        async with Crew() as crew:
            crew.spawn(work.run())
            await asyncio.sleep(0)

    task = asyncio.create_task(crew_of_one())
    while not task.done():
        await asyncio.sleep(0.01)
        task.cancel()

    assert task.cancelled()
    assert work.ended


async def test_work_that_never_began_is_dropped_without_a_complaint() -> None:
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        async with Crew() as crew:
            crew.spawn(Stubborn(losses=0).run())
        gc.collect()

    assert complaints == []
