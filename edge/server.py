"""The door for clients: WebSocket at /ws, the web page, and /healthz for whoever has to know whether to send clients here."""

import asyncio
import http
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.typing import Origin

from edge import replies
from edge.closing import Close
from edge.commands import Commands
from edge.connection import Connection, allow_many_sockets
from edge.session import CLOSE_SECONDS, Identity, Limits, Session
from edge.static import Page
from runtime import logs
from runtime.auth import TokenVerifier
from runtime.errors import TradingError

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
        *,
        neighbours: Callable[[], dict[str, bool]],
        feed_age_ms: Callable[[], int],
        page: Page | None,
    ) -> None:
        self._commands, self._verifier, self._limits, self._page = commands, verifier, limits, page
        self._neighbours, self._feed_age_ms = neighbours, feed_age_ms
        self._sessions: set[Session] = set()

    def look(self, connection: ServerConnection, request: Request) -> Response | None:
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
        return self._identify(connection, request)

    def _identify(self, connection: ServerConnection, request: Request) -> Response | None:
        given = request.headers.get_all("Authorization")
        if not given:
            return None
        scheme, _, token = given[0].partition(" ")
        try:
            principal = self._verifier.verify(token.strip() if scheme.lower() == "bearer" else "")
        except TradingError as error:
            return _json(http.HTTPStatus.UNAUTHORIZED, {"reason": error.reason, "message": error.message})
        assert isinstance(connection, ClientSocket)  # noqa: S101 - the server below makes no others
        connection.identity = Identity(principal, token.strip())
        return None

    def _health(self) -> Response:
        state = self._neighbours()
        status = http.HTTPStatus.OK if all(state.values()) else http.HTTPStatus.SERVICE_UNAVAILABLE
        return _json(status, state)

    async def serve(self, connection: ServerConnection) -> None:
        """Serve one client until it is gone."""
        assert isinstance(connection, ClientSocket)  # noqa: S101 - the server below makes no others
        session = Session(connection, self._commands.answer, self._limits, feed_age_ms=self._feed_age_ms)
        self._sessions.add(session)
        try:
            await session.run(connection.identity)
        except Exception as error:
            logger.error("session broke", session=session.id, exc_info=error)
            asyncio.get_running_loop().call_later(CLOSE_SECONDS, connection.transport.abort)
            await connection.close(Close.BROKEN.code, Close.BROKEN.words)
        finally:
            self._sessions.discard(session)
            self._commands.leave(session)

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


def _json(status: http.HTTPStatus, told: dict[str, str] | dict[str, bool]) -> Response:
    body = replies.encode(told)
    headers = Headers(
        [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Connection", "close")]
    )
    return Response(status.value, status.phrase, headers, body)


@asynccontextmanager
async def serve_clients(door: Door, listening: Listening) -> AsyncIterator[int]:
    """Serve clients inside the block and give the port; at its end all of them are sent away. Raises OSError when it is taken."""
    allow_many_sockets()
    # A page of a foreign origin is refused; programs send no origin and prove themselves by their token alone.
    origins = [*(Origin(origin) for origin in listening.origins), None] if listening.origins else None
    server = await serve(
        door.serve,
        listening.host,
        listening.port,
        process_request=door.look,
        create_connection=ClientSocket,
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
