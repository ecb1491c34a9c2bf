"""Pull consumers that never linger: a continuous pull with credit, heartbeats, and repair when the broker forgot us.

nats-py's `fetch(n)` waits for n messages or its time-out; here messages are handed on as they come, and the next request is on
its way before the last one is used up (the pattern of the newer NATS clients, ADR-37).
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext, api

from runtime import logs
from runtime.figures import BusFigures

# A frozen reader's open request swallows messages for no longer than this.
EXPIRES_SECONDS = 5.0
HEARTBEAT_SECONDS = 1.0
SILENCE_SECONDS = 3.5
REPAIR_SECONDS = 1.0

logger = logs.get_logger("runtime.pulling")


@dataclass(frozen=True, slots=True)
class Consumer:
    """A durable listener of a stream: which subjects, how many messages at once, how long until an unanswered one comes again.

    With `linger_seconds` a list waits that long for company after its first message came; with `busy_linger_seconds`, when the
    list before it had at least `busy_from` messages.
    """

    stream: str
    durable: str
    subjects: tuple[str, ...]
    max_batch: int
    ack_wait_seconds: float
    linger_seconds: float = 0.0
    busy_linger_seconds: float = 0.0
    busy_from: int = 4


class Delivery:
    """One message to be answered: ack (done), nak (again later) or term (never again)."""

    __slots__ = ("_message", "headers", "payload", "subject")

    def __init__(self, message: Msg) -> None:
        self._message = message
        self.subject, self.payload, self.headers = message.subject, message.data, message.headers or {}

    # Read when asked for: taking apart what the broker says of a message costs as much as handling a small one.

    @property
    def sequence(self) -> int:
        """Return the message's place in its stream."""
        return int(self._message.metadata.sequence.stream)

    @property
    def number(self) -> int:
        """Return the message's place among all that its consumer has delivered, from 1 on."""
        return int(self._message.metadata.sequence.consumer)

    @property
    def deliveries(self) -> int:
        """Return how often the message has been delivered, this time included."""
        return int(self._message.metadata.num_delivered)

    @property
    def time(self) -> datetime:
        """Return when the broker stored the message."""
        return self._message.metadata.timestamp

    async def ack(self) -> None:
        """Tell that the message is done for."""
        await self._answer(self._message.ack())

    async def nak(self, delay_seconds: float | None = None) -> None:
        """Ask for the message again after a delay; without one the delay grows with the number of deliveries, up to 30 s."""
        delay = delay_seconds if delay_seconds is not None else min(0.25 * 2 ** min(self.deliveries, 10), 30.0)
        await self._answer(self._message.nak(delay=delay))

    async def term(self) -> None:
        """Tell that the message can never be handled."""
        await self._answer(self._message.term())

    async def in_progress(self) -> None:
        """Tell that the work goes on, so that nobody else gets the message yet."""
        await self._answer(self._message.in_progress())

    @staticmethod
    async def _answer(answer: Awaitable[None]) -> None:
        # An answer that does not arrive means one more delivery, which every reader stands.
        with suppress(nats.errors.Error):
            await answer


async def pull(
    client: Client,
    jetstream: JetStreamContext,
    consumer: Consumer,
    ensure_streams: Callable[[], Awaitable[None]],
    figures: BusFigures,
) -> AsyncIterator[list[Delivery]]:
    """Return lists of deliveries for ever, each list as soon as there is one message, at most `max_batch` long."""
    reader = Reader(client, jetstream, consumer, ensure_streams, figures)
    await reader.repair()
    subscription = await client.subscribe(reader.inbox, cb=reader.take)
    try:
        while True:
            deliveries = await reader.next_batch()
            if deliveries:
                yield deliveries
    finally:
        reader.leave()
        if not client.is_closed:
            await subscription.unsubscribe()
            # Whoever goes on gets what was never read at once, not when the broker has missed our answers.
            for delivery in reader.unread():
                await delivery.nak(0)


class Reader:
    """One pull consumer's reader: asks for messages ahead, hands on what has arrived, repairs what broke."""

    def __init__(
        self,
        client: Client,
        jetstream: JetStreamContext,
        consumer: Consumer,
        ensure_streams: Callable[[], Awaitable[None]],
        figures: BusFigures,
    ) -> None:
        self._client, self._jetstream, self._consumer, self._ensure_streams = (
            client,
            jetstream,
            consumer,
            ensure_streams,
        )
        self._figures, self._place = figures, (consumer.stream, consumer.durable)
        self._reading = figures.reading(*self._place)
        figures.readers.add(self)
        self.inbox = client.new_inbox()
        self._arrived: list[Delivery] = []
        self._something = asyncio.Event()
        # Messages that the server may still send for requests made.
        self._credit = 0
        self._broken = False
        self._is_busy = False

    async def measure(self) -> None:
        """Ask how much waits. Raises what nats-py raises."""
        info = await self._jetstream.consumer_info(self._consumer.stream, self._consumer.durable)
        self._reading.waits(info.num_pending or 0)

    def leave(self) -> None:
        """Be measured no longer."""
        if self in self._figures.readers:
            self._figures.readers.discard(self)
            self._figures.forget(*self._place)

    def unread(self) -> list[Delivery]:
        """Return what has arrived and was given to nobody."""
        return self._arrived

    async def take(self, message: Msg) -> None:
        """Keep a message, or note what a status line says about our requests."""
        status = (message.headers or {}).get("Status")
        if status is None or message.reply:
            self._credit = max(self._credit - 1, 0)
            self._arrived.append(Delivery(message))
            self._reading.delivered(message.reply)
        elif status in ("408", "409"):
            # Request over; the header tells how much of it was not used (ADR-37).
            unused = int((message.headers or {}).get("Nats-Pending-Messages", self._credit))
            self._credit = max(self._credit - unused, 0)
            self._broken |= "Deleted" in (message.headers or {}).get("Description", "")
        elif status != "100":
            self._broken = True
        self._something.set()

    async def next_batch(self) -> list[Delivery]:
        """Return what has arrived; wait for it, ask for more, and repair when the server is silent."""
        if not self._arrived:
            await self._ask()
            self._something.clear()
            try:
                async with asyncio.timeout(SILENCE_SECONDS):
                    await self._something.wait()
            except TimeoutError:
                self._broken = True
            if self._arrived and (linger := self._linger):
                await asyncio.sleep(linger)
        if self._broken:
            await self.repair()
        limit = self._consumer.max_batch
        batch, self._arrived = self._arrived[:limit], self._arrived[limit:]
        if batch:
            self._is_busy = len(batch) >= self._consumer.busy_from
            await self._ask()
        return batch

    @property
    def _linger(self) -> float:
        busy = self._consumer.busy_linger_seconds if self._is_busy else 0.0
        return max(self._consumer.linger_seconds, busy)

    async def _ask(self) -> None:
        room = self._consumer.max_batch - self._credit - len(self._arrived)
        if room < self._consumer.max_batch // 2:
            return
        request = {
            "batch": room,
            "expires": int(EXPIRES_SECONDS * 1e9),
            "idle_heartbeat": int(HEARTBEAT_SECONDS * 1e9),
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._consumer.stream}.{self._consumer.durable}"
        try:
            await self._client.publish(subject, json.dumps(request).encode(), reply=self.inbox)
            self._credit += room
        except nats.errors.Error:
            self._broken = True

    async def repair(self) -> None:
        """Make sure of stream and consumer; try until it works. The broker may be away, restarted, or wiped."""
        while True:
            try:
                await self._ensure_streams()
                await self._jetstream.add_consumer(self._consumer.stream, config=_config_of(self._consumer))
                break
            except (nats.errors.Error, nats.js.errors.Error) as error:
                logger.warning("consumer not ready", durable=self._consumer.durable, error=repr(error))
                await asyncio.sleep(REPAIR_SECONDS)
        self._credit, self._broken = 0, False


def _config_of(consumer: Consumer) -> api.ConsumerConfig:
    return api.ConsumerConfig(
        durable_name=consumer.durable,
        deliver_policy=api.DeliverPolicy.ALL,
        ack_policy=api.AckPolicy.EXPLICIT,
        ack_wait=consumer.ack_wait_seconds,
        filter_subjects=list(consumer.subjects),
        max_ack_pending=max(4 * consumer.max_batch, 1000),
        max_waiting=64,
    )
