"""runtime/streams.py: settings decide how much the streams of orders keep, also when they are there already."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from runtime.jetstream import open_bus
from runtime.pulling import Delivery
from runtime.settings import ORDER_BYTES, BusLayout
from runtime.subjects import DAY, ORDER_COMMANDS, ORDER_REPORTS
from tests.integration.order_svc.conftest import loops
from tests.servers import Server


async def test_the_owner_brings_its_stream_up_to_date_and_nobody_else_does(nats_server: Server) -> None:
    smaller = BusLayout(order_bytes=64 << 20)
    rooms = []
    for layout, name in [(BusLayout(), "edge"), (smaller, "edge"), (smaller, "order_svc")]:
        async with loops() as tasks, open_bus(nats_server.url, name=name, tasks=tasks, layout=layout) as bus:
            infos = [await bus.client.jetstream().stream_info(stream) for stream in (ORDER_COMMANDS, ORDER_REPORTS)]
            rooms.append([info.config.max_bytes for info in infos])
            assert {(info.config.max_age, info.config.num_replicas) for info in infos} == {(DAY, 1)}
            await tasks.stop()
    # ORDER_REPORTS is the gateway's.
    assert rooms == [[ORDER_BYTES] * 2, [ORDER_BYTES] * 2, [64 << 20, ORDER_BYTES]]


async def test_it_is_told_how_much_waits_for_a_reader_as_long_as_it_reads(nats_server: Server) -> None:
    async with loops() as tasks, open_bus(nats_server.url, name="test", tasks=tasks) as bus:
        pulled = bus.pull(ORDER_REPORTS, durable="d", subjects=["orders.reports.0"], max_batch=2)
        for number in range(5):
            await bus.publish("orders.reports.0", b"x", event_id=f"e{number}")
        async with aclosing(cast("AsyncGenerator[list[Delivery], None]", pulled)) as deliveries:
            first = await anext(deliveries)
            assert first
            (reader,) = bus.figures.readers
            await reader.measure()
            told = tasks.registry.get_sample_value("bus_consumer_pending", {"stream": ORDER_REPORTS, "consumer": "d"})
            assert told is not None
            assert told < 5
        assert not bus.figures.readers
        assert tasks.registry.get_sample_value("bus_publish_seconds_count", {"stream": ORDER_REPORTS}) == 5
        await tasks.stop()
