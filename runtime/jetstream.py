"""The bus: one NATS connection, streams made at start, publishing with a receipt, and listening on core NATS."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import api

from runtime import logs, pulling
from runtime.connecting import CannotConnect, connect
from runtime.errors import Unavailable
from runtime.figures import BusFigures, Reconnects, shared
from runtime.process import Tasks
from runtime.pulse import pulse
from runtime.settings import BusLayout, BusLogin
from runtime.stored import NotAnswered, stored
from runtime.streams import ONE_MACHINE, ensure_streams
from runtime.subjects import STREAMS

PUBLISH_SECONDS = 2.0
FLUSH_SECONDS = 5
MEASURE_SECONDS = 15.0
# Core listeners that fall this far behind lose their oldest messages rather than the process its memory.
LISTENER_MESSAGES = 65_536
LISTENER_BYTES = 64 << 20

logger = logs.get_logger("runtime.jetstream")

Listener: TypeAlias = Callable[["Heard"], Awaitable[None]]


class BusUnavailable(Unavailable):
    """The broker did not confirm in time; the message may still be stored, so publish again with the same event id."""

    reason = "BUS_UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class Heard:
    """One message heard on core NATS, or read back from a stream (then `sequence` and `time`, when it was stored, are set)."""

    subject: str
    payload: bytes
    headers: Mapping[str, str]
    sequence: int = 0
    previous: int = 0
    time: datetime | None = None


class Bus:
    """What a process says and hears on NATS."""

    def __init__(self, client: Client, name: str, figures: BusFigures, layout: BusLayout = ONE_MACHINE) -> None:
        self._client, self._name = client, name
        self.figures, self.layout = figures, layout
        self._jetstream = client.jetstream(timeout=PUBLISH_SECONDS)

    @property
    def client(self) -> Client:
        """The connection itself, for the parts of runtime that speak NATS in their own way (leases, receipts)."""
        return self._client

    @property
    def is_connected(self) -> bool:
        """Tell whether the connection stands now."""
        return self._client.is_connected

    @property
    def reconnects(self) -> int:
        """How often the connection was lost and found again; each time listeners may have missed something."""
        return int(self._client.stats["reconnects"])

    async def ensure_streams(self) -> None:
        """Make every stream of the system that does not exist, and bring up to date those that this process owns."""
        await ensure_streams(self._jetstream, name=self._name, layout=self.layout)

    async def publish(
        self, subject: str, payload: bytes, *, event_id: str, headers: Mapping[str, str] | None = None
    ) -> int:
        """Store a message in its stream and return its sequence there.

        The event id (`Nats-Msg-Id`) makes a repetition within the stream's duplicate window harmless; a repetition counts as
        stored. Raises BusUnavailable when no receipt came: the message may be stored all the same.
        """
        started = time.monotonic()
        try:
            ack = await self._jetstream.publish(
                subject, payload, timeout=PUBLISH_SECONDS, headers={**(headers or {}), api.Header.MSG_ID: event_id}
            )
        except (nats.errors.Error, nats.js.errors.Error) as error:
            raise BusUnavailable(f"the broker did not confirm: {error!r}", retry_after_seconds=1.0) from error
        self.figures.published(subject, time.monotonic() - started)
        return ack.seq

    async def publish_live(self, subject: str, payload: bytes) -> None:
        """Send a message to whoever listens now. Nobody confirms; while the connection is away it is dropped."""
        try:
            await self._client.publish(subject, payload)
        except nats.errors.OutboundBufferLimitError:
            logger.debug("live message dropped, no connection", subject=subject)

    @asynccontextmanager
    async def listen(self, subject: str, listener: Listener) -> AsyncIterator[None]:
        """Call the listener, one message after the other, with all that is said on a core subject inside the block.

        Raises BusUnavailable when the broker does not take the subscription.
        """

        async def hear(message: Msg) -> None:
            try:
                await listener(_heard(message))
            except Exception as error:
                # nats-py would only print it; a live message that cannot be read concerns nobody else.
                logger.error("listener failed", subject=message.subject, exc_info=error)

        try:
            subscription = await self._client.subscribe(
                subject, cb=hear, pending_msgs_limit=LISTENER_MESSAGES, pending_bytes_limit=LISTENER_BYTES
            )
        except nats.errors.Error as error:
            raise BusUnavailable(f"could not listen to {subject}: {error!r}", retry_after_seconds=1.0) from error
        try:
            # The server answers the ping after it has taken the subscription: from here on nothing is missed.
            await self.ping()
            yield
        finally:
            if not self._client.is_closed:
                await subscription.unsubscribe()

    def pull(
        self,
        stream: str,
        *,
        durable: str,
        subjects: list[str],
        max_batch: int = 200,
        ack_wait_seconds: float = 10.0,
        linger_seconds: float = 0.0,
        busy_linger_seconds: float = 0.0,
    ) -> AsyncIterator[list[pulling.Delivery]]:
        """Return the messages of a stream for ever, as lists of all that has arrived; each is acknowledged by the reader.

        The durable consumer is made if it is not there, and made again when the broker has lost it.
        """
        return pulling.pull(
            self._client,
            self._jetstream,
            pulling.Consumer(
                stream, durable, tuple(subjects), max_batch, ack_wait_seconds, linger_seconds, busy_linger_seconds
            ),
            self.ensure_streams,
            self.figures,
        )

    async def last_values(self, stream: str, subject: str) -> AsyncGenerator[Heard, None]:
        """Return the last message of each subject of a stream that fits `subject`, then end. Raises BusUnavailable.

        The stream must be one that keeps a single message of each subject. A message that is replaced meanwhile may come twice.
        """
        if STREAMS[stream].max_per_subject != 1:
            raise ValueError(f"{stream} keeps more than the last value of a subject")
        try:
            async with aclosing(stored(self._client, stream, subject, answer_seconds=PUBLISH_SECONDS)) as kept:
                async for one in kept:
                    yield Heard(one.subject, one.payload, one.headers, one.sequence, 0, one.time)
        except NotAnswered as error:
            raise BusUnavailable(str(error), retry_after_seconds=1.0) from error

    def history(self, stream: str, subject: str, *, after: int) -> AsyncGenerator[Heard, None]:
        """Return the stored messages on a subject with sequences above `after`, oldest first, up to now, then end."""
        return self._read(
            stream,
            api.ConsumerConfig(
                deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=after + 1, filter_subject=subject
            ),
        )

    async def _read(self, stream: str, config: api.ConsumerConfig) -> AsyncGenerator[Heard, None]:
        """Read with a short-lived consumer until nothing is pending. Raises BusUnavailable when the broker falls silent."""
        config.ack_policy, config.mem_storage, config.inactive_threshold = api.AckPolicy.NONE, True, 30.0
        inbox: asyncio.Queue[Msg] = asyncio.Queue(LISTENER_MESSAGES)
        config.deliver_subject = self._client.new_inbox()
        subscription = await self._client.subscribe(
            config.deliver_subject, cb=inbox.put, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                info = await self._jetstream.add_consumer(stream, config=config)
            pending, previous = info.num_pending or 0, 0
            while pending:
                async with asyncio.timeout(PUBLISH_SECONDS):
                    message = await inbox.get()
                sequence, pending = message.metadata.sequence.stream, message.metadata.num_pending
                stored = message.metadata.timestamp
                yield Heard(message.subject, message.data, message.headers or {}, sequence, previous, stored)
                previous = sequence
        except (TimeoutError, nats.errors.Error, nats.js.errors.Error) as error:
            raise BusUnavailable(f"could not read {stream}: {error!r}", retry_after_seconds=1.0) from error
        finally:
            await subscription.unsubscribe()

    async def erase(self, stream: str, sequence: int) -> None:
        """Take one message out of a stream; one that is gone already is fine. Raises BusUnavailable."""
        try:
            await self._jetstream.delete_msg(stream, sequence)
        except nats.js.errors.NotFoundError:
            return
        except (nats.errors.Error, nats.js.errors.Error) as error:
            raise BusUnavailable(f"could not erase from {stream}: {error!r}", retry_after_seconds=1.0) from error

    async def stream_created(self, stream: str) -> tuple[int, int, int]:
        """Return when a stream was made (ms since 1970), its first and its last sequence."""
        info = await self._info(stream)
        created = info.created if isinstance(info.created, datetime) else None
        return (int(created.timestamp() * 1000) if created else 0), info.state.first_seq, info.state.last_seq

    async def _info(self, stream: str) -> api.StreamInfo:
        try:
            return await self._jetstream.stream_info(stream)
        except (nats.errors.Error, nats.js.errors.Error) as error:
            raise BusUnavailable(f"could not ask about {stream}: {error!r}", retry_after_seconds=1.0) from error

    async def count(self, stream: str) -> int:
        """Return how many messages a stream keeps. Raises BusUnavailable."""
        return (await self._info(stream)).state.messages

    async def ping(self) -> None:
        """Return when the broker has answered. Raises BusUnavailable."""
        try:
            await self._client.flush(timeout=FLUSH_SECONDS)
        except nats.errors.Error as error:
            raise BusUnavailable(f"the broker does not answer: {error!r}", retry_after_seconds=1.0) from error

    async def last_on(self, stream: str, subject: str) -> int:
        """Return the sequence of the last stored message on a subject; 0 when there is none."""
        try:
            message = await self._jetstream.get_last_msg(stream, subject)
        except nats.js.errors.NotFoundError:
            return 0
        except (nats.errors.Error, nats.js.errors.Error) as error:
            raise BusUnavailable(f"could not ask {stream}: {error!r}", retry_after_seconds=1.0) from error
        return message.seq or 0

    async def measure(self) -> None:
        """Ask now and then, for ever, how much waits for this process's readers."""
        while True:
            await asyncio.sleep(MEASURE_SECONDS)
            for reader in self.figures.readers.copy():
                with suppress(nats.errors.Error, nats.js.errors.Error):
                    await reader.measure()


@asynccontextmanager
async def open_bus(
    url: str, *, name: str, tasks: Tasks, login: BusLogin | None = None, layout: BusLayout = ONE_MACHINE
) -> AsyncIterator[Bus]:
    """Connect to NATS, make the streams, and keep the connection for ever. Raises BusUnavailable when no broker answers.

    `name` is the service's own: it decides which streams it may bring up to date and on which subjects it gets answers.
    """
    try:
        reconnects = shared(tasks.registry, Reconnects).of("nats")
        client = await connect(url, name=name, login=login, came_back=reconnects.inc)
    except CannotConnect as error:
        raise BusUnavailable(str(error)) from None
    bus = Bus(client, name, shared(tasks.registry, BusFigures), layout)
    try:
        await bus.ensure_streams()
        tasks.spawn(pulse(client), name="bus pulse")
        tasks.spawn(bus.measure(), name="bus figures")
        yield bus
    finally:
        await _close(client)


async def _close(client: Client) -> None:
    try:
        async with asyncio.timeout(PUBLISH_SECONDS):
            await client.drain()
    except (TimeoutError, nats.errors.Error, OSError, RuntimeError):
        # uvloop tells of a closed transport by a RuntimeError.
        with suppress(nats.errors.Error, OSError, RuntimeError):
            await client.close()


def _heard(message: Msg) -> Heard:
    headers = message.headers or {}
    # Set by the server on republished messages.
    sequence, previous = headers.get("Nats-Sequence", "0"), headers.get("Nats-Last-Sequence", "0")
    return Heard(message.subject, message.data, headers, int(sequence), int(previous))
