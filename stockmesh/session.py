"""One WebSocket: connects, matches answers to requests, passes notifications on, and says how it ended."""

import asyncio
import itertools
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI, WebSocketException

from stockmesh import frames
from stockmesh.errors import CannotConnect, ConnectionLost, NoAnswer, SessionClosed, StockmeshError, UnexpectedAnswer

LARGEST_FRAME_BYTES = 16 << 20
# Requests of one session that may wait for their answers at the same time.
MOST_WAITING = 256
PING_SECONDS = 10.0
PONG_SECONDS = 10.0
CLOSE_SECONDS = 2.0
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
# HTTP statuses of a server that is there and will not have us, whatever we do again.
REFUSED_FOR_GOOD = frozenset({400, 401, 403, 404})

Hear = Callable[[frames.Notification], None]


@asynccontextmanager
async def open_session(url: str, *, hear: Hear, seconds: float, tls: ssl.SSLContext | None) -> AsyncIterator["Session"]:
    """Connect within `seconds` and close at the end of the block. Raises CannotConnect or SessionClosed."""
    connection = await _connect(url, seconds, tls)
    try:
        yield Session(connection, hear)
    finally:
        await connection.close()


async def _connect(url: str, seconds: float, tls: ssl.SSLContext | None) -> ClientConnection:
    options: dict[str, Any] = {} if tls is None else {"ssl": tls}
    if urlsplit(url).hostname in LOOPBACK:
        options["proxy"] = None
    try:
        return await connect(
            url,
            open_timeout=seconds,
            ping_interval=PING_SECONDS,
            ping_timeout=PONG_SECONDS,
            close_timeout=CLOSE_SECONDS,
            max_size=LARGEST_FRAME_BYTES,
            compression=None,
            **options,
        )
    except InvalidStatus as answer:
        status = answer.response.status_code
        if status in REFUSED_FOR_GOOD:
            raise SessionClosed(f"{url} answered HTTP {status}", code=status, reason="CONNECTION_REFUSED") from None
        raise CannotConnect(f"{url} answered HTTP {status}") from None
    except InvalidURI:
        raise SessionClosed(
            f"{url!r} is not a WebSocket address (ws://… or wss://…)", code=0, reason="BAD_URL"
        ) from None
    except TimeoutError:
        raise CannotConnect(f"{url} did not answer within {seconds:g} s") from None
    except (OSError, WebSocketException) as error:
        raise CannotConnect(f"cannot connect to {url}: {_words(error)}") from None


def _words(error: Exception) -> str:
    """Return one short line; asyncio's own lines repeat the address."""
    if isinstance(error, socket.gaierror):
        return "no such host"
    if isinstance(error, OSError):
        return os.strerror(error.errno).lower() if error.errno else "connection refused"
    return str(error) or type(error).__name__


class Session:
    """An open socket. `read` must run for as long as anything is asked."""

    def __init__(self, connection: ClientConnection, hear: Hear) -> None:
        self._socket, self._hear = connection, hear
        self._identities = itertools.count(1)
        self._room = asyncio.Semaphore(MOST_WAITING)
        self._waiting: dict[int, tuple[asyncio.Future[Any], Callable[[Any], None] | None]] = {}
        self._over = False
        self._because: StockmeshError | None = None

    async def request(
        self, method: str, params: dict[str, Any], *, seconds: float, then: Callable[[Any], None] | None = None
    ) -> Any:
        """Return the result. Raises Refused, NoAnswer after `seconds`, CannotConnect, ConnectionLost or SessionClosed.

        `then` sees the result before any later frame is read.
        """
        identity, sent = next(self._identities), False
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds), self._room:
                self._raise_if_over()
                self._waiting[identity] = (answer, then)
                sent = True
                await self._socket.send(frames.request(identity, method, params))
                return await answer
        except TimeoutError:
            if not sent:
                raise CannotConnect(f"{method} was not sent within {seconds:g} s: too many requests wait") from None
            raise NoAnswer(f"no answer to {method} within {seconds:g} s") from None
        except ConnectionClosed:
            raise self._ended(sent=True) from None
        finally:
            self._waiting.pop(identity, None)

    async def read(self) -> StockmeshError:
        """Read until the socket ends and return why: what `fail` was told, UnexpectedAnswer, SessionClosed or ConnectionLost."""
        try:
            async for frame in self._socket:
                self._take(frames.parse(frame))
        except ConnectionClosed:
            pass
        except UnexpectedAnswer as error:
            self._because = error
        finally:
            self._over = True
            for answer, _ in self._waiting.values():
                if not answer.done():
                    answer.set_exception(self._ended(sent=True))
        return self._because or self._ended(sent=True)

    async def fail(self, because: StockmeshError) -> None:
        """End the session for a reason of ours; `read` returns it."""
        self._because = self._because or because
        await self._socket.close()

    def _take(self, message: frames.Answer | frames.Notification) -> None:
        if isinstance(message, frames.Notification):
            self._hear(message)
            return
        answer, then = self._waiting.get(message.id, (None, None))
        # An answer that nobody waits for any longer came after its deadline.
        if answer is None or answer.done():
            return
        if message.error is not None:
            answer.set_exception(message.error)
            return
        answer.set_result(message.result)
        if then is not None:
            then(message.result)

    def _raise_if_over(self) -> None:
        if self._over or self._socket.close_code is not None:
            raise self._ended(sent=False)

    def _ended(self, *, sent: bool) -> StockmeshError:
        """Return a new error that says how the session ended; what was never sent was not executed."""
        code, words = self._socket.close_code or 1006, self._socket.close_reason or ""
        if frames.is_final(code):
            return SessionClosed(words or f"the server closed the session for good (code {code})", code=code)
        lost = f"the connection was lost (code {code}{', ' + words if words else ''})"
        if self._because is not None:
            lost = self._because.message
        return ConnectionLost(lost) if sent else CannotConnect(lost)
