import asyncio

from runtime.process import Tasks


async def test_a_loop_that_loses_a_cancellation_is_ended_all_the_same() -> None:
    lost = 0

    async def loop() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if lost == 2:
                    raise
                lost += 1

    async with asyncio.TaskGroup() as group:
        tasks = Tasks(group)
        tasks.spawn(loop(), name="loop")
        await asyncio.sleep(0)
        await tasks.stop()

    assert lost == 2
