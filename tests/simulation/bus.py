"""One process's connection to the model of the broker: what runtime.jetstream.Bus promises, as far as the order path uses it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from order_svc.event import change_named
from runtime.jetstream import PUBLISH_SECONDS, BusUnavailable, Listener
from runtime.pulling import SILENCE_SECONDS
from runtime.receipts import Receipt
from runtime.settings import BusLayout
from runtime.subjects import ORDER_UPDATES
from tests.simulation.broker import Broker, Reader, Stored, Stream
from tests.simulation.keys import ModelKeys
from tests.simulation.network import Network, Server
from tests.simulation.world_clock import CURRENT


class ModelDelivery:
    """One message to be answered."""

    def __init__(self, bus: "ModelBus", stream: Stream, durable: str, message: Stored, deliveries: int) -> None:
        self._bus, self._stream, self._durable = bus, stream, durable
        self.subject, self.payload, self.headers = message.subject, message.payload, message.headers
        self.sequence, self.time, self.deliveries = message.sequence, message.time, deliveries

    async def ack(self) -> None:
        """Tell that the message is done for."""
        await self._answer("ack")

    async def nak(self, delay_seconds: float | None = None) -> None:
        """Ask for the message again after a delay."""
        delay = delay_seconds if delay_seconds is not None else min(0.25 * 2 ** min(self.deliveries, 10), 30.0)
        await self._answer("nak", delay)

    async def term(self) -> None:
        """Tell that the message can never be handled."""
        await self._answer("term")

    async def in_progress(self) -> None:
        """Tell that the work goes on."""
        await self._answer("progress")

    async def _answer(self, how: str, seconds: float = 0.0) -> None:
        await asyncio.sleep(0)
        self._bus.answer(self._stream, self._durable, self.sequence, how, seconds)


class ModelBus:
    """What a process says to the broker and hears from it."""

    def __init__(self, broker: Broker, network: Network) -> None:
        self._broker, self._network = broker, network
        self._process = CURRENT.get()
        self.layout = BusLayout()

    async def publish(
        self, subject: str, payload: bytes, *, event_id: str, headers: Mapping[str, str] | None = None
    ) -> int:
        """Store a message and return its sequence. Raises BusUnavailable when no receipt came."""
        future = await self.post(subject, payload, event_id=event_id, headers=headers)
        return (await future).sequence

    async def post(
        self,
        subject: str,
        payload: bytes,
        *,
        event_id: str,
        headers: Mapping[str, str] | None = None,
        expected_last: int | None = None,
    ) -> "asyncio.Future[Receipt]":
        """Send a message and return the future of its receipt (runtime.receipts)."""
        return self._network.start(
            Server.BROKER,
            lambda: self._broker.publish(subject, payload, event_id, dict(headers or {}), expected_last),
            seconds=PUBLISH_SECONDS,
            away=_away,
            what=f"publish {event_id}",
        )

    async def born(self) -> int:
        """Return the life of the stream of updates (order_svc.ports.Updates)."""
        born: int = await self._network.call(
            Server.BROKER,
            lambda: self._broker.streams[ORDER_UPDATES].born,
            seconds=PUBLISH_SECONDS,
            away=_away,
            what="born?",
        )
        return born

    async def told(self, subject: str) -> Mapping[str, int]:
        """Return the newest revision that the stream has of each order on a subject."""

        def look() -> dict[str, int]:
            stored = self._broker.streams[ORDER_UPDATES].messages
            names = [change_named(one.event_id) for one in stored if one.subject == subject]
            return {order_id: max(found for name, found in names if name == order_id) for order_id, _ in names}

        found: dict[str, int] = await self._network.call(
            Server.BROKER, look, seconds=PUBLISH_SECONDS, away=_away, what=f"told {subject}?"
        )
        return found

    @property
    def client(self) -> "ModelBus":
        """The connection itself, as far as leases use it."""
        return self

    def jetstream(self, *, timeout: float) -> "ModelKeys":
        """Return what makes buckets of keys."""
        return ModelKeys(self._broker, self._network, timeout)

    @asynccontextmanager
    async def listen(self, subject: str, listener: Listener) -> AsyncIterator[None]:
        """Hear nothing: what core NATS loses, nobody may depend on."""
        yield

    def answer(self, stream: Stream, durable: str, sequence: int, how: str, seconds: float) -> None:
        """Answer a delivery; nobody confirms that."""
        self._network.tell(
            Server.BROKER,
            lambda: self._broker.answer(stream, durable, sequence, how, seconds),
            process=self._process,
        )

    async def pull(
        self,
        stream: str,
        *,
        durable: str,
        subjects: list[str],
        max_batch: int = 200,
        ack_wait_seconds: float = 10.0,
        linger_seconds: float = 0.0,
        busy_linger_seconds: float | None = None,
    ) -> AsyncIterator[list[ModelDelivery]]:
        """Return what arrives, as lists, for ever; a broker that is silent or was wiped is asked again."""
        arrived: list[ModelDelivery] = []
        something = asyncio.Event()

        def arrive(origin: Stream, message: Stored, deliveries: int) -> None:
            arrived.append(ModelDelivery(self, origin, durable, message, deliveries))
            something.set()

        reader = Reader(self._process, arrive)
        life = 0
        while True:
            if not life:
                life = await self._ensure(stream, durable, tuple(subjects), ack_wait_seconds)
            self._network.tell(
                Server.BROKER,
                lambda: self._broker.request(stream, durable, reader, max_batch - len(arrived)),
                process=self._process,
            )
            if not arrived:
                something.clear()
                try:
                    async with asyncio.timeout(SILENCE_SECONDS):
                        await something.wait()
                except TimeoutError:
                    life = 0
                    continue
                if linger_seconds:
                    await asyncio.sleep(linger_seconds)
            batch, arrived[:] = arrived[:max_batch], arrived[max_batch:]
            yield batch

    async def _ensure(self, stream: str, durable: str, subjects: tuple[str, ...], ack_wait: float) -> int:
        while True:
            try:
                return await self._network.call(
                    Server.BROKER,
                    lambda: self._broker.consumer(stream, durable, subjects, ack_wait),
                    seconds=PUBLISH_SECONDS,
                    away=_away,
                    what=f"consumer {durable}",
                )
            except BusUnavailable:
                await asyncio.sleep(1.0)


def _away(text: str) -> BusUnavailable:
    return BusUnavailable(text, retry_after_seconds=1.0)
