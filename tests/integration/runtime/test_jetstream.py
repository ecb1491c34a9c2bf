"""runtime/jetstream.py and pulling.py against a real broker, also one that dies."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import suppress

import nats.errors
import nats.js.errors
import pytest

from runtime.jetstream import Bus, BusUnavailable, Heard, open_bus
from runtime.positions import Position, PositionNotRecoverable, follow, sequence_at
from runtime.pulling import Delivery
from runtime.subjects import ORDER_REPORTS, ORDER_UPDATES, QUOTES, live, order_update
from tests.eventually import eventually
from tests.integration.order_svc.conftest import loops
from tests.servers import Server


@pytest.fixture
async def bus(nats_server: Server) -> AsyncIterator[Bus]:
    async with loops() as tasks, open_bus(nats_server.url, name="test", tasks=tasks) as opened:
        yield opened
        await tasks.stop()


class Reader:
    """Pulls reports in the background and keeps what came."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.batches: list[list[Delivery]] = []

    async def run(self) -> None:
        async for deliveries in self._bus.pull(
            ORDER_REPORTS, durable="test", subjects=["orders.reports.*"], ack_wait_seconds=1.0
        ):
            self.batches.append(deliveries)

    @property
    def payloads(self) -> list[bytes]:
        return [delivery.payload for batch in self.batches for delivery in batch]


@pytest.fixture
async def reader(bus: Bus) -> AsyncIterator[Reader]:
    made = Reader(bus)
    task = asyncio.create_task(made.run())
    yield made
    task.cancel()


async def say(bus: Bus, number: int) -> None:
    await bus.publish("orders.reports.0", str(number).encode(), event_id=f"e{number}")


async def until(reader: Reader, count: int) -> None:
    async def there() -> bool:
        return len(reader.payloads) >= count

    await eventually(there, within=15)


async def test_a_ping_that_is_given_up_does_not_make_the_connection_deaf(bus: Bus) -> None:
    for _ in range(20):
        given_up = asyncio.create_task(bus.ping())
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait([given_up])

    await bus.ping()
    assert (await bus.stream_created(ORDER_REPORTS))[0]


async def test_a_repeated_event_id_is_stored_once(bus: Bus, reader: Reader) -> None:
    first = await bus.publish("orders.reports.0", b"x", event_id="e1")

    assert await bus.publish("orders.reports.0", b"x", event_id="e1") == first
    await say(bus, 2)
    await until(reader, 2)
    assert reader.payloads == [b"x", b"2"]


async def test_messages_come_in_their_order_without_waiting_for_more(bus: Bus, reader: Reader) -> None:
    for number in range(500):
        await say(bus, number)

    await until(reader, 500)
    assert reader.payloads == [str(number).encode() for number in range(500)]


async def test_what_is_not_answered_comes_again_and_what_is_terminated_does_not(bus: Bus, reader: Reader) -> None:
    await say(bus, 1)
    await say(bus, 2)
    await until(reader, 2)
    one, two = (delivery for batch in reader.batches for delivery in batch)
    await one.nak(0.05)
    await two.term()

    await until(reader, 3)
    again = reader.batches[-1][0]
    assert (again.payload, again.deliveries) == (b"1", 2)
    await again.ack()


async def test_a_consumer_goes_on_after_the_broker_was_killed(bus: Bus, reader: Reader, nats_server: Server) -> None:
    await say(bus, 1)
    await until(reader, 1)
    await reader.batches[0][0].ack()

    await nats_server.kill()
    with pytest.raises(BusUnavailable):
        await say(bus, 2)
    await nats_server.start()

    async def said() -> bool:
        try:
            await say(bus, 2)
        except BusUnavailable:
            return False
        return True

    await eventually(said)
    await until(reader, 2)
    assert b"2" in reader.payloads


async def test_streams_and_consumers_are_made_again_when_the_broker_forgot_them(bus: Bus, reader: Reader) -> None:
    await say(bus, 1)
    await until(reader, 1)
    await bus._jetstream.delete_stream(ORDER_REPORTS)

    async def there() -> bool:
        try:
            await say(bus, 2)
        except BusUnavailable:
            return False
        return True

    await eventually(there)
    await until(reader, 2)


async def test_last_values_are_one_a_subject(bus: Bus) -> None:
    for number in range(3):
        await bus.publish("quotes.last.AAPL", str(number).encode(), event_id=f"a{number}")
    await bus.publish("quotes.last.MSFT", b"m", event_id="m")

    last = {heard.subject: heard.payload async for heard in bus.last_values(QUOTES, "quotes.last.*")}
    assert last == {"quotes.last.AAPL": b"2", "quotes.last.MSFT": b"m"}


async def test_an_update_is_heard_live_with_its_place_in_the_accounts_stream(bus: Bus) -> None:
    heard: list[Heard] = []

    async def hear(one: Heard) -> None:
        heard.append(one)

    subject = order_update("demo")
    async with bus.listen(live(subject), hear):
        first = await bus.publish(subject, b"1", event_id="u1")
        await bus.publish(order_update("eve"), b"x", event_id="u2")
        third = await bus.publish(subject, b"3", event_id="u3")

        async def both() -> bool:
            return len(heard) == 2

        await eventually(both)
    assert [(one.payload, one.sequence, one.previous) for one in heard] == [(b"1", first, 0), (b"3", third, first)]


async def test_following_brings_what_is_stored_and_what_comes_each_once(bus: Bus) -> None:
    subject = order_update("demo")
    for number in range(3):
        await bus.publish(subject, str(number).encode(), event_id=f"u{number}")
    born, _, _ = await bus.stream_created(ORDER_UPDATES)
    after = Position(born, await sequence_at(bus, ORDER_UPDATES, str(Position(born, 1))))

    seen: list[bytes] = []
    async for heard in follow(bus, ORDER_UPDATES, subject, after=after):
        assert heard is not None
        seen.append(heard.payload)
        if heard.payload == b"2":
            await bus.publish(subject, b"3", event_id="u3")
        if heard.payload == b"3":
            break
    assert seen == [b"1", b"2", b"3"]


async def test_a_follower_is_told_when_the_broker_has_begun_anew(bus: Bus, nats_server: Server) -> None:
    subject = order_update("demo")
    await bus.publish(subject, b"0", event_id="u0")
    born, _, last = await bus.stream_created(ORDER_UPDATES)
    following = follow(bus, ORDER_UPDATES, subject, after=Position(born, last - 1))
    assert await anext(following) is not None
    await bus.publish(subject, b"live", event_id="live")
    assert await anext(following) is not None
    waiting = asyncio.ensure_future(anext(following))

    await nats_server.kill()
    shutil.rmtree(nats_server.folder)
    await nats_server.start()

    async def told() -> bool:
        with suppress(BusUnavailable, nats.errors.Error, nats.js.errors.Error):
            await bus.ensure_streams()
            await bus.publish(subject, b"1", event_id="u1")
        return waiting.done()

    await eventually(told, within=20, every=0.2)
    with pytest.raises(PositionNotRecoverable):
        await waiting


@pytest.mark.parametrize("position", ["", "x", "1-1", "99999999999999999999-1"])
async def test_a_position_that_is_not_of_this_stream_is_refused(bus: Bus, position: str) -> None:
    with pytest.raises(PositionNotRecoverable):
        await sequence_at(bus, ORDER_UPDATES, position)
