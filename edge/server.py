"""The door for clients: WebSocket at /ws, the web page, and /healthz for whoever has to know whether to send clients here."""

import asyncio
import http
import math
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.typing import Origin

from edge import replies
from edge.accounts import Accounts
from edge.closing import Close
from edge.commands import Commands
from edge.connection import Connection, allow_many_sockets
from edge.errors import TooManyConnections
from edge.figures import Figures
from edge.session import CLOSE_SECONDS, Identity, Limits, Session
from edge.static import Page
from edge.turnstile import Addresses, Turnstile
from runtime import logs
from runtime.auth import TokenVerifier
from runtime.errors import TradingError, Unauthenticated

PATH = "/ws"
HEALTH_PATH = "/healthz"
OPEN_SECONDS = 5.0
# Clients that wait to be let in: after a restart they come all at once.
BACKLOG = 1_024
# Frames of a client that are read ahead, and bytes that are written ahead of it.
READ_AHEAD_FRAMES = 4
WRITE_AHEAD_BYTES = 32_768
# Clients of a stopping process come back within this time, not all at once.
RECONNECT_SPREAD_MS = 5_000

logger = logs.get_logger("edge.server")


class ClientSocket(Connection):
    """A client's connection; `identity` is set when the upgrade request brought a token."""

    identity: Identity | None = None
    guard: "Guard"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the client from its first moment."""
        super().connection_made(transport)
        self.guard.turnstile.knock(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no more."""
        super().connection_lost(exc)
        self.guard.turnstile.leave(self)
        self.guard.accounts.leave(self)


@dataclass(frozen=True, slots=True)
class Guard:
    """Who may come in."""

    turnstile: Turnstile
    addresses: Addresses
    accounts: Accounts

    def let_in(self, connection: Connection, request: Request) -> None:
        """Count a client for its address. Raises TooManyConnections."""
        headers = request.headers
        peer = connection.remote_address
        address = self.addresses.of(
            str(peer[0]) if peer else "",
            external=",".join(headers.get_all("X-Envoy-External-Address")[-1:]),
            forwarded=",".join(headers.get_all("X-Forwarded-For")),
        )
        self.turnstile.enter(connection, address)


@dataclass(frozen=True, slots=True)
class Listening:
    """Where to listen, and to whom."""

    host: str
    port: int
    origins: Sequence[str]
    max_frame_bytes: int
    grace_seconds: float


class Door:
    """Lets clients in, and out when the process stops."""

    def __init__(
        self,
        commands: Commands,
        verifier: TokenVerifier,
        limits: Limits,
        guard: Guard,
        figures: Figures,
        *,
        neighbours: Callable[[], dict[str, bool]],
        feed_age_ms: Callable[[], int],
        page: Page | None,
    ) -> None:
        self._commands, self._verifier, self._limits, self._page = commands, verifier, limits, page
        self._neighbours, self._feed_age_ms = neighbours, feed_age_ms
        self._figures = figures
        self.guard = guard
        self._sessions: set[Session] = set()
        verifier.on_revoked(self._close_revoked)
        figures.count_sockets(lambda: len(self._sessions))

    async def look(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer plain HTTP, and refuse upgrades that can never become a session."""
        path, _, query = request.path.partition("?")
        if path == HEALTH_PATH:
            return self._health()
        if path != PATH:
            found = self._page.answer(request) if self._page else None
            return found or _json(
                http.HTTPStatus.NOT_FOUND, {"reason": "NOT_FOUND", "message": f"the socket is at {PATH}"}
            )
        if query:
            words = "the address takes no query; a token goes into the header 'authorization' or session.authenticate"
            return _json(http.HTTPStatus.BAD_REQUEST, {"reason": "QUERY_NOT_ALLOWED", "message": words})
        assert isinstance(connection, ClientSocket)  # noqa: S101 - the server below makes no others
        try:
            self.guard.let_in(connection, request)
            return await self._identify(connection, request)
        except TooManyConnections as error:
            return _too_many(error)

    async def _identify(self, connection: ClientSocket, request: Request) -> Response | None:
        given = request.headers.get_all("Authorization")
        if not given:
            return None
        scheme, _, token = given[0].partition(" ")
        try:
            principal = await self._verifier.identify(token.strip() if scheme.lower() == "bearer" else "")
        except Unauthenticated as error:
            return _json(http.HTTPStatus.UNAUTHORIZED, {"reason": error.reason, "message": error.message})
        except TradingError as error:
            status = http.HTTPStatus.SERVICE_UNAVAILABLE
            return _json(status, {"reason": error.reason, "message": error.message}, error.retry_after_seconds)
        await self.guard.accounts.enter(connection, principal)
        connection.identity = Identity(principal, token.strip())
        return None

    def _health(self) -> Response:
        state = self._neighbours()
        status = http.HTTPStatus.OK if all(state.values()) else http.HTTPStatus.SERVICE_UNAVAILABLE
        return _json(status, state)

    async def serve(self, connection: ServerConnection) -> None:
        """Serve one client until it is gone."""
        assert isinstance(connection, ClientSocket)  # noqa: S101 - the server below makes no others
        self.guard.turnstile.settle(connection)
        session = Session(connection, self._commands.answer, self._limits, feed_age_ms=self._feed_age_ms)
        self._sessions.add(session)
        try:
            if connection.identity is not None:
                # It may have been revoked since the upgrade request was answered.
                self._verifier.verify(connection.identity.token)
            await session.run(connection.identity)
        except Unauthenticated:
            await connection.close(Close.TOKEN_REVOKED.code, Close.TOKEN_REVOKED.words)
        except Exception as error:
            logger.error("session broke", session=session.id, exc_info=error)
            asyncio.get_running_loop().call_later(CLOSE_SECONDS, connection.transport.abort)
            await connection.close(Close.BROKEN.code, Close.BROKEN.words)
        finally:
            self._sessions.discard(session)
            self._commands.leave(session)
            self._figures.tally.updates_dropped += session.updates_dropped
            self._figures.closed(connection.close_code)

    def _close_revoked(self, token_id: str) -> None:
        for session in tuple(self._sessions):
            if session.identity is not None and session.identity.principal.token_id == token_id:
                session.close(Close.TOKEN_REVOKED)

    async def empty(self, server: Server, grace_seconds: float) -> None:
        """Take no more clients, let those here finish what is under way, and close them within the grace."""
        server.close(close_connections=False)
        for session in tuple(self._sessions):
            session.leave(random.randrange(RECONNECT_SPREAD_MS))  # noqa: S311 - spreads load
        try:
            async with asyncio.timeout(grace_seconds):
                await server.wait_closed()
        except TimeoutError:
            for session in tuple(self._sessions):
                session.close(Close.SHUTDOWN)
            await server.wait_closed()


def _too_many(error: TooManyConnections) -> Response:
    is_full = error.metadata["scope"] == "process"
    status = http.HTTPStatus.SERVICE_UNAVAILABLE if is_full else http.HTTPStatus.TOO_MANY_REQUESTS
    return _json(status, {"reason": error.reason, "message": error.message}, error.retry_after_seconds)


def _json(
    status: http.HTTPStatus, told: dict[str, str] | dict[str, bool], retry_after_seconds: float | None = None
) -> Response:
    body = replies.encode(told)
    headers = Headers(
        [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Connection", "close")]
    )
    if retry_after_seconds is not None:
        headers["Retry-After"] = str(math.ceil(retry_after_seconds))
    return Response(status.value, status.phrase, headers, body)


@asynccontextmanager
async def serve_clients(door: Door, listening: Listening) -> AsyncIterator[int]:
    """Serve clients inside the block and give the port; at its end all of them are sent away. Raises OSError when it is taken."""
    allow_many_sockets()
    # A page of a foreign origin is refused; programs send no origin and prove themselves by their token alone.
    origins = [*(Origin(origin) for origin in listening.origins), None] if listening.origins else None

    class Guarded(ClientSocket):
        """A client of this door."""

        guard = door.guard

    server = await serve(
        door.serve,
        listening.host,
        listening.port,
        process_request=door.look,
        create_connection=Guarded,
        origins=origins,
        # Deflate costs 50 KiB a client and lets a small frame become a large one.
        compression=None,
        server_header=None,
        max_size=listening.max_frame_bytes,
        max_queue=READ_AHEAD_FRAMES,
        write_limit=WRITE_AHEAD_BYTES,
        open_timeout=OPEN_SECONDS,
        # Sessions ping with their heartbeats: a task for each socket is dear, and a pong that does not come says nothing while the
        # client does not read.
        ping_interval=None,
        backlog=BACKLOG,
        close_timeout=CLOSE_SECONDS,
    )
    try:
        yield next(iter(server.sockets)).getsockname()[1]
    finally:
        await door.empty(server, listening.grace_seconds)
