"""Keeps one FIX session up: connects, logs on, reads, and connects again, for ever. What a message means is others' business."""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from fixcore.application import Application
from fixcore.log.base import Log
from fixcore.message import Message
from fixcore.session.session import Session
from fixcore.session.session_id import SessionID
from fixcore.session.session_settings import SessionSettings
from fixcore.store.memory import MemoryStore
from fixcore.store.non_persistent import NonPersistentStore
from fixcore.transport.framer import MessageFramer

from exchange_gw.exchange import LoggedOn, LoggedOut, SessionState, Standing, VenueUnreachable
from runtime import logs

RECONNECT_SECONDS = 1.0
CONNECT_SECONDS = 5.0
READ_BYTES = 1 << 18
# A venue that takes nothing for so long, with so much waiting, is deaf.
STALL_SECONDS = 5.0
WAITING_BYTES = 1 << 20
SESSION_REJECT = "3"

logger = logs.get_logger("exchange_gw.fix_line")

# Fields that the session layer needs; they come before the body (FIX 4.4 volume 1, standard header).
_HEADER = re.compile(
    rb"8=[^\x01]+\x019=\d+\x01(35=([^\x01]+)\x01"
    rb"(?:(?:34|43|49|50|52|56|57|97|115|116|122|128|129|14[2-5]|369)=[^\x01]*\x01)+)"
)
_SEQUENCE = re.compile(rb"\x0134=(\d+)\x01")


@dataclass(frozen=True, slots=True)
class Bulk:
    """A message with repeating groups, which the engine's flat fields cannot hold: its type and the bytes of its body."""

    kind: str
    body: bytes


Heard: TypeAlias = LoggedOn | LoggedOut | Message | Bulk
Listener: TypeAlias = Callable[[Sequence[Heard]], Awaitable[None]]


class _EventLog(Log):  # type: ignore[misc]  # fixcore carries no type information
    """The engine's events go to our log; messages hold customers' orders and stay out of it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def on_incoming(self, message: str) -> None:
        return None

    def on_outgoing(self, message: str) -> None:
        return None

    def on_event(self, text: str) -> None:
        logger.debug(text, session=self._name)


class Line(Application):  # type: ignore[misc]  # fixcore carries no type information
    """One FIX session that is always wanted. `hear` gets what came, in order; while it waits nothing more is read.

    fixcore's own initiator cannot let go of a peer that reads nothing (it waits to flush) and reads in small pieces, so
    the transport is ours; logon, heartbeats, test requests, sequence numbers and gaps are the engine's. `bulky` names the
    message types that are handed on as bytes: the engine sees their header alone, which also keeps it quick.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        sender: str,
        target: str,
        heartbeat_seconds: int,
        hear: Listener,
        bulky: frozenset[bytes] = frozenset(),
    ) -> None:
        self.sender, self.target = sender, target
        self.standing, self.logons, self.change_time = Standing.AWAY, 0, datetime.now(UTC)
        self._host, self._port, self._hear, self._bulky = host, port, hear, bulky
        self._heard: list[Heard] = []
        self._bodies: dict[str, Bulk] = {}
        self._transport: asyncio.WriteTransport | None = None
        self._we_closed = self._leaving = False
        settings, session_id = _settings(sender, target, heartbeat_seconds)
        store = NonPersistentStore(MemoryStore())
        self._session = Session(session_id, settings, self, store, _EventLog(sender))

    @property
    def state(self) -> SessionState:
        """Return how the session stands."""
        changed = self.change_time if self.logons else None
        return SessionState(self.sender, self.target, self.standing, changed, self.logons)

    async def run(self) -> None:
        """Keep the session up for ever. Raises what the listener raises."""
        while not self._leaving:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    reader, writer = await asyncio.open_connection(self._host, self._port, limit=READ_BYTES)
            except (OSError, TimeoutError) as error:
                self._stands(Standing.AWAY)
                logger.debug("venue does not answer", session=self.sender, error=repr(error))
            else:
                await self._live(reader, writer)
            await asyncio.sleep(RECONNECT_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - only spreads reconnects
        await asyncio.Event().wait()

    async def send(self, message: Message) -> None:
        """Hand a message to the session. Raises VenueUnreachable when it does not stand."""
        try:
            await self._session.send_app(message)
        except (RuntimeError, OSError) as error:
            raise VenueUnreachable("the session with the exchange does not stand", retry_after_seconds=1.0) from error

    def hang_up(self) -> None:
        """End the connection now; it is built up again."""
        self._we_closed = True
        if self._transport is not None:
            self._transport.abort()

    async def log_out(self) -> None:
        """Say good-bye, if the session stands, and do not come back."""
        self._leaving = True
        await self._session.send_logout()

    def on_logon(self, session_id: SessionID) -> None:
        """Note that the session stands (called by the engine)."""
        self.logons += 1
        self._stands(Standing.LOGGED_ON)
        self._heard.append(LoggedOn())

    def on_logout(self, session_id: SessionID) -> None:
        """Note that the session is over (called by the engine)."""
        self._stands(Standing.AWAY)
        self._heard.append(LoggedOut())

    def from_app(self, message: Message, session_id: SessionID) -> None:
        """Note a message (called by the engine once its sequence number is right)."""
        self._heard.append(self._bodies.pop(message.header.get_or(34), message))

    def from_admin(self, message: Message, session_id: SessionID) -> None:
        """Note that a message of ours was refused by the venue's session layer (called by the engine)."""
        if message.msg_type == SESSION_REJECT:
            self._heard.append(message)

    async def _live(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        transport = writer.transport
        self._transport, self._we_closed = transport, False
        framer, logons = MessageFramer(), self.logons

        async def send(encoded: bytes) -> None:
            writer.write(encoded)
            if transport.get_write_buffer_size() > WAITING_BYTES:
                await self._flush(writer)

        async def close() -> None:
            self.hang_up()

        try:
            await self._session.on_connect(send, close)
            while arrived := await reader.read(READ_BYTES):
                for raw in framer.feed(arrived):
                    await self._take(raw)
                await self._tell()
        except OSError as error:
            logger.debug("connection lost", session=self.sender, error=repr(error))
        finally:
            transport.abort()
            self._transport = None
            await self._session.on_disconnect()
            self._bodies.clear()
        if self.logons == logons:
            self._stands(Standing.AWAY if self._we_closed else Standing.REFUSED)
        await self._tell()

    async def _flush(self, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(STALL_SECONDS):
                await writer.drain()
        except TimeoutError:
            logger.warning("venue takes nothing, connection cut", session=self.sender)
            self.hang_up()

    async def _take(self, raw: bytes) -> None:
        if self._bulky:
            header = _HEADER.match(raw)
            if header is not None and header[2] in self._bulky:
                if sum(raw[:-7]) % 256 != int(raw[-4:-1]):
                    # Like any garbled message it is as if it had never come; the engine will see the gap.
                    return
                sequence = _SEQUENCE.search(header[1])
                if sequence is not None:
                    self._bodies[sequence[1].decode()] = Bulk(header[2].decode(), raw[header.end() : -7])
                    raw = _envelope(header[1])
        await self._session.on_data(raw)

    async def _tell(self) -> None:
        if self._heard:
            heard, self._heard = self._heard, []
            await self._hear(heard)

    def _stands(self, standing: Standing) -> None:
        if standing is not self.standing:
            self.standing, self.change_time = standing, datetime.now(UTC)
            logger.info("session changed", session=self.sender, target=self.target, standing=standing.value)


def _envelope(header: bytes) -> bytes:
    """Return a message of the header alone."""
    message = b"8=FIX.4.4\x019=%d\x01%b" % (len(header), header)
    return b"%b10=%03d\x01" % (message, sum(message) % 256)


def _settings(sender: str, target: str, heartbeat_seconds: int) -> tuple[SessionSettings, SessionID]:
    session_id, settings = SessionID("FIX.4.4", sender, target), SessionSettings()
    settings.set_session(
        session_id,
        {
            "ConnectionType": "initiator",
            "HeartBtInt": str(heartbeat_seconds),
            "LogonTimeout": "5",
            "LogoutTimeout": "2",
            # Numbers live as long as a connection. What was missed is asked for in the application's own words; the
            # session layer must never send an old order again.
            "ResetOnLogon": "Y",
            "UseDataDictionary": "N",
        },
    )
    return settings, session_id
