"""One client: reads its frames, runs its requests side by side, answers them, and lets go when it must."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias
from uuid import uuid4

from websockets.exceptions import ConnectionClosed

from edge import frames, replies
from edge.accounts import Budget
from edge.audience import Subscription
from edge.closing import Close
from edge.connection import FIRST_FRAME_BYTES, Connection
from edge.lifetime import Lifetime
from edge.outbox import Overflow
from edge.rendering import now_text
from edge.toll import Toll, too_many
from edge.writer import Writer
from runtime import logs
from runtime.auth import Principal
from runtime.errors import PermissionDenied

# The closing handshake gets this long; then the connection is cut.
CLOSE_SECONDS = 2.5
# How a frame with an order update begins.
UPDATE = b'{"jsonrpc":"2.0","method":"orders.update"'

logger = logs.get_logger("edge.session")


class OtherIdentity(PermissionDenied):
    """A socket keeps its user: a new token must name the same subject, and the account that is followed."""

    reason = "OTHER_IDENTITY"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may use, and how long it may take."""

    auth_seconds: float
    heartbeat_seconds: float
    max_batch: int
    max_in_flight: int
    max_unread_frames: int
    max_unread_bytes: int
    max_frame_bytes: int


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the client is, and the token that says so; it goes along with every call made for the client."""

    principal: Principal
    token: str


# A response, or what makes it at the moment of sending.
Response: TypeAlias = bytes | Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Answer:
    """The response to a call (None when it gets none), and what happens once that is on its way."""

    response: Response | None
    then: Callable[[], None] | None = None


# What answers a call; the number is when it came, in seconds of the loop.
Answering: TypeAlias = Callable[["Session", frames.Call, float], Awaitable[Answer]]


class Followed(Protocol):
    """The account whose order updates a session gets."""

    @property
    def account_id(self) -> str:
        """The account."""

    @property
    def position(self) -> str:
        """Position of the last update sent."""

    def leave(self) -> None:
        """Get no more updates."""


class Session:
    """One open socket and all that belongs to it."""

    def __init__(
        self, socket: Connection, answer: Answering, limits: Limits, *, feed_age_ms: Callable[[], int]
    ) -> None:
        self.id = uuid4().hex[:12]
        self.identity: Identity | None = None
        self.subscriptions: dict[str, Subscription] = {}
        self.followed: Followed | None = None
        # Subscriptions change in the order in which they were asked for.
        self.prices_lock, self.orders_lock = asyncio.Lock(), asyncio.Lock()
        self._socket, self._answer, self._limits, self._feed_age_ms = socket, answer, limits, feed_age_ms
        self._writer = Writer(
            socket,
            max_frames=limits.max_unread_frames,
            max_bytes=limits.max_unread_bytes,
            when_idle=self._close_if_done,
            when_flooding=lambda: self.close(Close.FLOODING),
        )
        self.outbox, self.seats = self._writer.outbox, self._writer.seats
        self._lifetime = Lifetime(self, auth_seconds=limits.auth_seconds, heartbeat_seconds=limits.heartbeat_seconds)
        self._room = asyncio.Semaphore(limits.max_in_flight)
        self._in_flight = 0
        self._group = asyncio.TaskGroup()
        self._closing = self._leaving = False
        self._toll = Toll()
        # Order updates that the client did not get because it was let go.
        self.updates_dropped = 0
        socket.allow(min(FIRST_FRAME_BYTES, limits.max_frame_bytes))

    @property
    def socket(self) -> Connection:
        """The client's connection."""
        return self._socket

    @property
    def budget(self) -> Budget | None:
        """What the client's account may use; None before the client has said who it is."""
        return self._socket.budget

    async def run(self, identity: Identity | None) -> None:
        """Serve the client until the connection is closed and every request of it is done; it may have brought its token along."""
        self._lifetime.begin()
        if identity is not None:
            self.admit(identity)
        try:
            async with self._group:
                await self._read()
                self._closing = True
                self._lifetime.end()
        finally:
            self._lifetime.end()
            self.updates_dropped += sum(frame.startswith(UPDATE) for frame in self._writer.close())

    def check(self, identity: Identity) -> None:
        """Raise OtherIdentity for a token that this socket cannot go on with."""
        if self.identity is not None:
            followed = self.followed.account_id if self.followed else None
            is_same = identity.principal.subject == self.identity.principal.subject
            if not is_same or (followed and followed not in identity.principal.accounts):
                raise OtherIdentity("this socket is another user's; open a new one")

    def admit(self, identity: Identity) -> None:
        """Let the client in, or go on with its new token. Raises OtherIdentity."""
        self.check(identity)
        self.identity = identity
        self._socket.allow(self._limits.max_frame_bytes)
        self._lifetime.admit(identity.principal.expires_at)

    def send(self, frame: bytes) -> None:
        """Queue a lossless frame; a client that leaves too much unread is let go."""
        try:
            self.outbox.put(frame)
        except Overflow:
            self.updates_dropped += frame.startswith(UPDATE)
            self.close(Close.SLOW_READER)

    def tell(self, method: str, params: dict[str, object]) -> None:
        """Queue a notification; it replaces an unsent one of the same method."""
        self.outbox.put_newest(method, replies.notification(method, replies.encode(params)))

    def beat(self) -> None:
        """Ask for a sign of life, and send one: it shows how old prices are, and the position that shows a loss of updates."""
        self._writer.tell_slow()
        self._socket.probe()
        position = self.followed.position if self.followed else ""
        self.tell(
            "session.heartbeat", {"time": now_text(), "feedAgeMs": str(self._feed_age_ms()), "position": position}
        )

    @property
    def blocked_seconds(self) -> float:
        """How long the client has not taken what was sent."""
        return self._writer.blocked_seconds

    @property
    def silent_seconds(self) -> float:
        """How long nothing came from a client that reads."""
        return self._writer.silent_seconds

    @property
    def is_leaving(self) -> bool:
        """Tell whether new requests are refused because the process stops."""
        return self._leaving

    def leave(self, reconnect_after_ms: int) -> None:
        """Tell the client to come again elsewhere; answer what is under way, then close."""
        self._leaving = True
        self.tell("session.shutdown", {"reconnectAfterMs": reconnect_after_ms})
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._leaving and self._in_flight == 0 and self.outbox.is_ready:
            self.close(Close.SHUTDOWN)

    def close(self, why: Close) -> None:
        """Begin to close the socket; what is still unsent is lost."""
        if self._closing:
            return
        self._closing = True
        logger.info("session closes", session=self.id, code=why.code, why=why.name)
        self._group.create_task(self._socket.close(why.code, why.words))
        # A client that takes nothing takes no close frame either, and close() would wait for it.
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._socket.transport.abort)

    def abort(self) -> None:
        """Cut the connection without a word."""
        logger.info("session cut", session=self.id, blocked_seconds=round(self.blocked_seconds, 1))
        self._socket.transport.abort()

    async def _read(self) -> None:
        try:
            # What was sent before the end came is not read any more.
            while not self._closing:
                data, received = await self._socket.read()
                wait_seconds = self._toll.wait_seconds(self.budget)
                if wait_seconds:
                    refusal = await self._toll.refusal(data, wait_seconds)
                    if self._socket.is_gone:
                        return
                    if refusal is not None:
                        self.send(refusal)
                    continue
                await self._take(frames.read(data, max_batch=self._limits.max_batch), received)
        except ConnectionClosed:
            return

    async def _take(self, frame: frames.Frame, received: float) -> None:
        others = len(frame.elements) - 1
        wait_seconds = self._toll.wait_seconds(self.budget, others) if others else 0.0
        collected = _Answers(self, len(frame.elements), batch=frame.batch)
        for element in frame.elements:
            if isinstance(element, frames.Refused):
                collected.add(Answer(replies.fault(element.id, element.fault)))
                continue
            if wait_seconds:
                collected.add(Answer(too_many(element.id, wait_seconds) if element.id else None))
                continue
            # While there is no room the next frame stays in the socket: the client waits, not our memory.
            await self._room.acquire()
            self._in_flight += 1
            self._group.create_task(self._run(element, collected, received))

    async def _run(self, call: frames.Call, collected: "_Answers", received: float) -> None:
        try:
            answer = await self._answer(self, call, received)
        finally:
            self._in_flight -= 1
            self._room.release()
        collected.add(answer)
        self._close_if_done()


class _Answers:
    """The answers to one frame, sent as one frame when all are there."""

    def __init__(self, session: Session, missing: int, *, batch: bool) -> None:
        self._session, self._missing, self._batch = session, missing, batch
        self._answers: list[Answer] = []

    def add(self, answer: Answer) -> None:
        """Keep an answer; with the last one, send all."""
        self._answers.append(answer)
        self._missing -= 1
        if self._missing:
            return
        given = [answer.response for answer in self._answers if answer.response is not None]
        responses = [response() if callable(response) else response for response in given]
        if responses:
            self._session.send(replies.batch(responses) if self._batch else responses[0])
        for done in self._answers:
            if done.then is not None:
                done.then()
