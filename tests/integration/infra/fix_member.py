"""A member of the exchange for tests: a FIX 4.4 initiator that keeps every application message it hears, field by field."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

from fixcore.application import Application
from fixcore.log.base import Log, LogFactory
from fixcore.message import Group, Message
from fixcore.session.session_id import SessionID
from fixcore.session.session_settings import SessionSettings
from fixcore.transport.initiator import SocketInitiator

ADMIN = frozenset("012345A")
WAIT_SECONDS = 10.0


class Heard:
    """One message: its fields in the order of the line, entries of groups and all."""

    def __init__(self, line: str) -> None:
        pairs = [field.split("=", 1) for field in line.split("|") if field]
        self.fields = [(int(tag), value) for tag, value in pairs]
        self._first = dict(reversed(self.fields))

    def __getitem__(self, tag: int) -> str:
        return self._first[tag]

    def get(self, tag: int) -> str:
        """Return the first field with the tag, or nothing."""
        return self._first.get(tag, "")

    def has(self, wanted: dict[int, str]) -> bool:
        """Return whether all these fields are there."""
        return all(self.get(tag) == value for tag, value in wanted.items())

    def entries(self, delimiter: int) -> Iterator[dict[int, str]]:
        """Yield the entries of the one repeating group, each begun by its delimiter."""
        entry: dict[int, str] | None = None
        for tag, value in self.fields:
            if tag == delimiter:
                if entry is not None:
                    yield entry
                entry = {}
            if entry is not None and tag != 10:
                entry[tag] = value
        if entry is not None:
            yield entry

    def __repr__(self) -> str:
        return "|".join(f"{tag}={value}" for tag, value in self.fields)


class _Ear(Log):  # type: ignore[misc]  # fixcore carries no type information
    """Hears the raw text: without a dictionary the engine keeps only the last of fields that repeat."""

    def __init__(self, member: "Member") -> None:
        self._member = member

    def on_incoming(self, message: str) -> None:
        self._member.hear(Heard(message))

    def on_outgoing(self, message: str) -> None:
        return None

    def on_event(self, text: str) -> None:
        return None


class _Ears(LogFactory):  # type: ignore[misc]  # fixcore carries no type information
    def __init__(self, member: "Member") -> None:
        self._member = member

    def create(self, session_id: SessionID) -> Log:
        return _Ear(self._member)


class Member(Application):  # type: ignore[misc]  # fixcore carries no type information
    """One session with the exchange. Made by `logged_on`."""

    def __init__(self, *, port: int, name: str, heartbeat_seconds: int = 2) -> None:
        settings = SessionSettings()
        for key, value in {
            "ConnectionType": "initiator",
            "SocketConnectHost": "127.0.0.1",
            "SocketConnectPort": str(port),
            "HeartBtInt": str(heartbeat_seconds),
            "ReconnectInterval": "1",
            "ResetOnLogon": "Y",
        }.items():
            settings.set_default(key, value)
        session_id = SessionID("FIX.4.4", name, "EXSIM")
        settings.set_session(session_id, {})
        self.heard: list[Heard] = []
        self.logons = 0
        self._changed = asyncio.Event()
        self._taken: set[int] = set()
        self.initiator = SocketInitiator(settings, self, log_factory=_Ears(self))
        self._session = self.initiator.sessions[session_id]

    def on_logon(self, session_id: SessionID) -> None:
        self.logons += 1
        self._changed.set()

    def on_logout(self, session_id: SessionID) -> None:
        self._changed.set()

    @property
    def is_logged_on(self) -> bool:
        return bool(self._session.is_logged_on)

    def hear(self, message: Heard) -> None:
        if message[35] not in ADMIN:
            self.heard.append(message)
            self._changed.set()

    async def until(self, condition: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
        """Return when something holds; it is looked at after every message."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def expect(self, msg_type: str, **fields: str) -> Heard:
        """Return the next message not returned before with this type and these fields (written `t39="2"`)."""
        wanted = {35: msg_type} | {int(name[1:]): value for name, value in fields.items()}

        def index() -> int | None:
            fits = (at for at, one in enumerate(self.heard) if at not in self._taken and one.has(wanted))
            return next(fits, None)

        try:
            await self.until(lambda: index() is not None)
        except TimeoutError:
            raise AssertionError(f"not heard: {wanted}; heard last: {self.heard[-5:]}") from None
        found = index()
        assert found is not None
        self._taken.add(found)
        return self.heard[found]

    async def send(self, msg_type: str, *groups: tuple[int, list[Group]], **fields: str) -> None:
        """Send a message; fields are written `t55="AAPL"`."""
        message = Message()
        message.set_field(35, msg_type)
        for name, value in fields.items():
            message.set_field(int(name[1:]), value)
        for count_tag, entries in groups:
            for entry in entries:
                message.add_group(count_tag, entry)
        await self._session.send_app(message)


def group(tag: int, values: list[str]) -> list[Group]:
    """Return group entries of one field each."""
    entries = []
    for value in values:
        entry = Group()
        entry.set_field(tag, value)
        entries.append(entry)
    return entries


@asynccontextmanager
async def logged_on(port: int, name: str) -> AsyncIterator[Member]:
    """Log on under a name for the block."""
    member = Member(port=port, name=name)
    async with member.initiator:
        await member.until(lambda: member.is_logged_on)
        yield member
