"""The listening side of FIX: any SenderCompID may log on, and a dead connection does not keep its name for long."""

import asyncio

from fixcore.application import Application
from fixcore.log.base import Log, LogFactory
from fixcore.message import Message
from fixcore.session.session import Session
from fixcore.session.session_id import SessionID
from fixcore.session.session_settings import SessionSettings
from fixcore.transport.acceptor import SocketAcceptor

from runtime.logs import get_logger

# A live holder of a name answers a TestRequest within this time.
PROOF_SECONDS = 1.0
MOST_CHALLENGES = 100

logger = get_logger("exchange_sim.acceptor")


class _Hearing(Log):  # type: ignore[misc]  # fixcore carries no type information
    """Knows whether a session was heard, and logs its events."""

    def __init__(self, session_id: SessionID) -> None:
        self.name = str(session_id)
        self.heard = asyncio.Event()

    def on_incoming(self, message: str) -> None:
        self.heard.set()

    def on_outgoing(self, message: str) -> None:
        return None

    def on_event(self, text: str) -> None:
        logger.debug(text, session=self.name)


class _Hearings(LogFactory):  # type: ignore[misc]  # fixcore carries no type information
    def __init__(self) -> None:
        self.of: dict[SessionID, _Hearing] = {}

    def create(self, session_id: SessionID) -> Log:
        """Return the hearing of a new session."""
        self.of[session_id] = _Hearing(session_id)
        return self.of[session_id]


class _Gathered:
    """A connection's writer that joins what is written in one turn of the event loop: one system call, one waking of the peer.

    At an order's pace that call is the dearest part of a report, and an order has several.
    """

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._waiting: list[bytes] = []

    def write(self, text: bytes) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting.append(text)

    async def drain(self) -> None:
        await self._writer.drain()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    async def wait_closed(self) -> None:
        await self._writer.wait_closed()

    def _flush(self) -> None:
        if self._waiting and not self._writer.is_closing():
            self._writer.write(b"".join(self._waiting))
        self._waiting.clear()


class Acceptor(SocketAcceptor):  # type: ignore[misc]  # fixcore carries no type information
    """fixcore's acceptor, plus a way to cut a connection at once and proof of life from a name that is asked for again.

    fixcore refuses a second logon under a name as long as the first connection stands. A killed peer's connection falls
    at once; a frozen peer's, or one behind a cut cable, would stand until its heartbeats are missed, or for ever when it
    reads nothing and the engine waits to send. So who comes second is refused, but who holds the name has to answer.
    """

    def __init__(self, application: Application, *, host: str, port: int, comp_id: str) -> None:
        self._hearings = _Hearings()
        super().__init__(_settings(host, port, comp_id), application, log_factory=self._hearings)
        self._arriving: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}
        self._writers: dict[SessionID, asyncio.StreamWriter] = {}
        self._challenged: asyncio.Queue[SessionID] = asyncio.Queue(MOST_CHALLENGES)

    def session(self, session_id: SessionID) -> Session:
        """Return a session that is logged on. Raises KeyError."""
        return self._sessions[session_id]

    def cut(self, session_id: SessionID) -> None:
        """End a connection now, whatever still waits to be sent."""
        writer = self._writers.pop(session_id, None)
        if writer is not None:
            writer.transport.abort()

    async def run(self) -> None:
        """Challenge the holders of names that are asked for again, for ever."""
        while True:
            session_id = await self._challenged.get()
            if not await self._gives_proof_of_life(session_id):
                logger.warning("dead connection cut: its name is asked for", session=str(session_id))
                self.cut(session_id)

    async def _handle_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._arriving[task] = writer
        try:
            await super()._handle_connection(reader, _Gathered(writer))
        finally:
            del self._arriving[task]
            self._writers = {name: other for name, other in self._writers.items() if other is not writer}

    def _find_session(self, raw_msg: bytes) -> Session | None:
        session = super()._find_session(raw_msg)
        if session is None:
            return None
        session_id = session.session_id
        if session_id not in self._bound:
            self._writers[session_id] = self._arriving[asyncio.current_task()]
        elif not self._challenged.full():
            self._challenged.put_nowait(session_id)
        return session

    async def _gives_proof_of_life(self, session_id: SessionID) -> bool:
        session, hearing = self._sessions.get(session_id), self._hearings.of.get(session_id)
        if session is None or hearing is None:
            return True
        hearing.heard.clear()
        question = Message()
        question.set_field(35, "1")
        question.set_field(112, "are you there")
        try:
            async with asyncio.timeout(PROOF_SECONDS):
                await session.send_app(question)
                await hearing.heard.wait()
        except (TimeoutError, OSError, RuntimeError):
            return hearing.heard.is_set()
        return True


def _settings(host: str, port: int, comp_id: str) -> SessionSettings:
    settings = SessionSettings()
    for name, value in {
        "ConnectionType": "acceptor",
        "SocketAcceptHost": host,
        "SocketAcceptPort": str(port),
        "HeartBtInt": "5",
        "LogonTimeout": "5",
        "LogoutTimeout": "2",
        # The dictionary is there to tell the entries of repeating groups apart; what is wrong, the door says in a 3, 8 or j.
        "UseDataDictionary": "Y",
        "DataDictionary": "FIX44.xml",
        "ValidateIncomingMessage": "N",
        # Sequence numbers live as long as a connection: who returns asks for states, not for old messages.
        "PersistMessages": "N",
    }.items():
        settings.set_default(name, value)
    settings.set_session(SessionID("FIX.4.4", comp_id, "*"), {"AcceptorTemplate": "Y"})
    return settings
