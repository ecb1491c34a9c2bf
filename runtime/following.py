"""Reading a stream in order from a place on: every message once, none left out, nothing acknowledged.

Each reader has a consumer of its own, which disappears with it. So a reader that was frozen takes no messages from the one that
went on in its place, and no message waits for the acknowledgement of a reader that died.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import replace
from uuid import uuid4

import nats.errors
import nats.js.errors
from nats.aio.subscription import Subscription
from nats.js import api

from runtime import logs
from runtime.jetstream import PUBLISH_SECONDS, Bus
from runtime.pulling import REPAIR_SECONDS, Consumer, Delivery, Reader

# The broker forgets the consumer of a reader that it has not heard for so long.
FORGOTTEN_SECONDS = 30.0

logger = logs.get_logger("runtime.following")


async def follow(
    bus: Bus, stream: str, subject: str, *, name: str, after: int = 0, max_batch: int = 200
) -> AsyncGenerator[list[Delivery], None]:
    """Return the messages behind the sequence `after` for ever, as lists of all that has arrived; 0 means all that are kept.

    Where the stream was wiped and begins anew, so does this. `name` is the beginning of the consumer's name.
    """
    follower = _Follower(bus, Consumer(stream, name, (subject,), max_batch, 0.0), after=after)
    try:
        await follower.repair()
        while True:
            deliveries = await follower.next_batch()
            if deliveries:
                yield deliveries
    finally:
        follower.leave()
        await follower.end()


class _Follower(Reader):
    def __init__(self, bus: Bus, consumer: Consumer, *, after: int) -> None:
        jetstream = bus.client.jetstream(timeout=PUBLISH_SECONDS)
        super().__init__(bus.client, jetstream, consumer, bus.ensure_streams, bus.figures)
        self._stem, self._after = consumer.durable, after
        # How many messages our consumer has delivered.
        self._delivered = 0
        self._subscription: Subscription | None = None

    async def next_batch(self) -> list[Delivery]:
        """Return what has arrived; nothing, and begin anew behind what was handed on last, when a message was lost on the way."""
        batch = await super().next_batch()
        if not batch:
            return batch
        if batch[-1].number != self._delivered + len(batch):
            logger.warning("messages lost on the way, read again", consumer=self._consumer.durable)
            self._broken, self._arrived = True, []
            return []
        self._delivered += len(batch)
        self._after = batch[-1].sequence
        return batch

    async def repair(self) -> None:
        """Begin anew behind what was handed on last; try until it works."""
        while True:
            try:
                await self._begin()
                break
            except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
                logger.warning("stream cannot be read now", reader=self._stem, error=repr(error))
            await asyncio.sleep(REPAIR_SECONDS)
        self._credit, self._broken = 0, False

    async def _begin(self) -> None:
        await self.end()
        self._arrived, self._delivered = [], 0
        # Another address: what is still on its way from the consumer before is not ours.
        self.inbox = self._client.new_inbox()
        name = f"{self._stem}-{uuid4().hex[:8]}"
        stream = self._consumer.stream
        try:
            state = (await self._jetstream.stream_info(stream)).state
        except nats.js.errors.NotFoundError:
            await self._ensure_streams()
            state = (await self._jetstream.stream_info(stream)).state
        if self._after > state.last_seq:
            self._after = 0
        self._subscription = await self._client.subscribe(self.inbox, cb=self.take)
        config = api.ConsumerConfig(
            name=name,
            deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=self._after + 1,
            ack_policy=api.AckPolicy.NONE,
            filter_subjects=list(self._consumer.subjects),
            max_waiting=64,
            mem_storage=True,
            inactive_threshold=FORGOTTEN_SECONDS,
        )
        await self._jetstream.add_consumer(stream, config=config)
        self._consumer = replace(self._consumer, durable=name)

    async def end(self) -> None:
        """Leave; what cannot be told to the broker it forgets by itself."""
        if self._subscription is None or self._client.is_closed:
            return
        subscription, self._subscription = self._subscription, None
        with suppress(nats.errors.Error, nats.js.errors.Error, TimeoutError):
            await subscription.unsubscribe()
            await self._jetstream.delete_consumer(self._consumer.stream, self._consumer.durable)
