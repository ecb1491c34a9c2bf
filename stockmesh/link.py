"""Keeps one session to the server: connects, authenticates, comes back after a loss, and gives up only when told to."""

import asyncio
import inspect
import logging
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from stockmesh import frames
from stockmesh.backoff import Backoff
from stockmesh.deadlines import deadline_of
from stockmesh.errors import CannotConnect, Refused, Retry, SessionClosed, StockmeshError
from stockmesh.session import Session, open_session

logger = logging.getLogger("stockmesh")

Token = str | Callable[[], str | Awaitable[str]]

# A session that lived so long was a good one: the next loss is a first one again.
STEADY_SECONDS = 10.0
TOKEN_SECONDS = 10.0


class Follower(Protocol):
    """Something that the server keeps for a session and that must be asked for again in the next one."""

    async def keep(self, session: Session) -> None:
        """Ask for it, and look after it until cancelled."""

    def hear(self, message: frames.Notification) -> None:
        """Take what the server tells; messages of no concern are ignored."""

    def lost(self, error: StockmeshError) -> None:
        """The connection is away for now."""

    def end(self, error: StockmeshError) -> None:
        """The connection is away for good."""


class Link:
    """The way to the server over all its sessions."""

    def __init__(
        self,
        url: str,
        token: Token,
        *,
        followers: Sequence[Follower],
        connect_seconds: float,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._url, self._token, self._tls = url, token, tls
        self._followers, self._connect_seconds = followers, connect_seconds
        self._backoff = Backoff()
        self._session: Session | None = None
        self._failure: StockmeshError = CannotConnect("not connected yet")
        self._end: StockmeshError | None = None
        self._changed = asyncio.Event()
        self._expiring = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._reconnect_after = 0.0

    async def open(self) -> None:
        """Connect and authenticate. Raises what kept the first attempt from it; later losses are healed."""
        self._keeper = asyncio.create_task(self._keep(), name="stockmesh-link")
        try:
            while self._session is None and self._end is None and self._backoff.failures == 0:
                # Each step of an attempt has a deadline of its own.
                await self._changed.wait()
        except BaseException:
            await self.close()
            raise
        if self._session is None:
            error = self._end or self._failure
            await self.close()
            raise error

    async def close(self) -> None:
        """End the session and come back no more."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        if self._end is None:
            self._is_over(SessionClosed("the client is closed", code=1000, reason="CLIENT_CLOSED"))

    @property
    def connected(self) -> bool:
        """True while there is an authenticated session."""
        return self._session is not None

    async def request(self, method: str, params: dict[str, Any], *, seconds: float) -> Any:
        """Return the result of one attempt; `seconds` also bounds the wait for a session.

        Raises Refused, NoAnswer, ConnectionLost, SessionClosed, and CannotConnect when no session came in time.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        session = await self._live(seconds)
        remaining = max(until - loop.time(), 0.001)
        return await session.request(method, params, seconds=min(deadline_of(method), remaining))

    async def _live(self, seconds: float) -> Session:
        try:
            async with asyncio.timeout(seconds):
                while self._session is None:
                    if self._end is not None:
                        raise self._end
                    await self._changed.wait()
                return self._session
        except TimeoutError:
            raise CannotConnect(f"no connection within {seconds:g} s: {self._failure.message}") from None

    def _tell_change(self) -> None:
        # Whoever waits on the old event is woken; who comes later waits on the new one.
        self._changed.set()
        self._changed = asyncio.Event()

    async def _keep(self) -> None:
        try:
            while True:
                await self._one_session()
                pause = self._backoff.next(at_least=self._failure.retry_after_seconds or self._reconnect_after)
                self._reconnect_after = 0.0
                self._tell_change()
                logger.info("%s; connecting again in %.2f s", self._failure.message, pause)
                await asyncio.sleep(pause)
        except StockmeshError as error:
            self._is_over(error)
        except Exception as error:
            logger.exception("the client broke")
            self._is_over(StockmeshError(f"the client broke: {error!r}"))

    async def _one_session(self) -> None:
        """Run one session to its end. Returns when another may help, raises what ends the client for good."""
        loop = asyncio.get_running_loop()
        try:
            async with open_session(
                self._url, hear=self._hear, seconds=self._connect_seconds, tls=self._tls
            ) as session:
                began = loop.time()
                ending = await self._run(session)
                if loop.time() - began > STEADY_SECONDS:
                    self._backoff.reset()
        except CannotConnect as error:
            ending = error
        if ending.retry is Retry.NEVER and isinstance(ending, SessionClosed | Refused):
            raise ending
        self._failure = ending
        if self._session is not None:
            self._session = None
            for follower in self._followers:
                follower.lost(ending)

    async def _run(self, session: Session) -> StockmeshError:
        """Authenticate, let the followers follow, and return why the session ended."""
        async with asyncio.TaskGroup() as tasks:
            attending = tasks.create_task(self._attend(session))
            ending = await session.read()
            attending.cancel()
        return ending

    async def _attend(self, session: Session) -> None:
        try:
            token = await self._fresh_token()
            await session.request("session.authenticate", {"token": token}, seconds=self._connect_seconds)
        except StockmeshError as error:
            await session.fail(error)
            return
        self._session = session
        self._tell_change()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._renew(session))
            for follower in self._followers:
                tasks.create_task(_keep(follower, session))

    async def _renew(self, session: Session) -> None:
        """Bring a new token when the server says that the old one ends; a failure shows when it closes the session."""
        while True:
            self._expiring.clear()
            await self._expiring.wait()
            if not isinstance(self._token, str):
                with suppress(StockmeshError):
                    token = await self._fresh_token()
                    await session.request("session.authenticate", {"token": token}, seconds=self._connect_seconds)

    async def _fresh_token(self) -> str:
        if isinstance(self._token, str):
            return self._token
        try:
            async with asyncio.timeout(TOKEN_SECONDS):
                given = self._token()
                return await given if inspect.isawaitable(given) else given
        except StockmeshError:
            raise
        except Exception as error:
            raise CannotConnect(f"the token provider failed: {error!r}", reason="NO_TOKEN") from error

    def _hear(self, message: frames.Notification) -> None:
        if message.method == "session.shutdown":
            after = message.params.get("reconnectAfterMs")
            self._reconnect_after = float(after) / 1000 if isinstance(after, int | float | str) and after else 0.0
        elif message.method == "session.expiring":
            self._expiring.set()
        for follower in self._followers:
            follower.hear(message)

    def _is_over(self, error: StockmeshError) -> None:
        self._end, self._session = error, None
        for follower in self._followers:
            follower.end(error)
        self._tell_change()


async def _keep(follower: Follower, session: Session) -> None:
    try:
        await follower.keep(session)
    except StockmeshError as error:
        # What it asked for got no answer: only a new session has a known state.
        await session.fail(error)
