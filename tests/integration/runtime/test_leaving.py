"""Who stops hearing gives back what it has not answered, so that nobody waits for it."""

import asyncio
from contextlib import aclosing

from runtime.jetstream import open_bus
from runtime.pulling import Delivery
from runtime.subjects import ORDER_REPORTS
from tests.integration.order_svc.conftest import loops
from tests.servers import Server


async def test_what_arrived_and_was_not_read_goes_to_the_next_reader_at_once(nats_server: Server) -> None:
    async with (
        loops() as tasks,
        open_bus(nats_server.url, name="one", tasks=tasks) as one,
        open_bus(nats_server.url, name="two", tasks=tasks) as two,
    ):
        await one.ensure_streams()
        for nth in range(3):
            await one.publish("orders.reports.0", b"x", event_id=f"r{nth}")

        async def first() -> Delivery:
            pulled = one.pull(ORDER_REPORTS, durable="leaving", subjects=["orders.reports.*"], max_batch=1)
            async with aclosing(pulled) as batches:  # type: ignore[type-var]  # an async generator behind its iterator type
                async for (delivery,) in batches:
                    # The others have arrived by now, too.
                    await asyncio.sleep(0.2)
                    await delivery.ack()
                    return delivery
            raise AssertionError("there is always a next one")

        assert (await first()).sequence == 1
        heard: set[int] = set()
        async with asyncio.timeout(3):
            async for deliveries in two.pull(ORDER_REPORTS, durable="leaving", subjects=["orders.reports.*"]):
                heard |= {delivery.sequence for delivery in deliveries}
                if heard == {2, 3}:
                    break
        await tasks.stop()
