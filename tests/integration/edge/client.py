"""A WebSocket client that reads like a conversation: raw frames in and out; each must be one that docs/asyncapi.yaml describes."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from runtime.auth import make_token
from tests.integration.edge.neighbours import SECRET
from tests.integration.edge.traffic import check, check_answer

SECONDS = 5.0


def a_token(
    account: str = "demo", *, subject: str = "", scopes: tuple[str, ...] = ("read", "trade"), seconds: float = 600
) -> str:
    """Return a token for one account."""
    return make_token(
        secret=SECRET, subject=subject or account, accounts=[account], scopes=scopes, lifetime_seconds=seconds
    )


async def eventually(fact: Callable[[], bool]) -> None:
    """Return when the fact is true; fail when it is not within some seconds."""
    async with asyncio.timeout(SECONDS):
        while not fact():  # noqa: ASYNC110 - a fact of somebody else's, with no event to wait for
            await asyncio.sleep(0.01)


class Client:
    """One socket; what comes in is kept until somebody asks for it."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self._number = 0
        self._kept: list[Any] = []

    async def send(self, frame: object) -> None:
        """Send a frame as it is when it is text or bytes, else as JSON."""
        if isinstance(frame, bytes):
            await self.socket.send(frame, text=True)
        else:
            await self.socket.send(frame if isinstance(frame, str) else json.dumps(frame))

    async def next(self) -> Any:
        """Return the next frame that nobody has taken yet."""
        if self._kept:
            return self._kept.pop(0)
        return await self._receive()

    @property
    def kept(self) -> list[Any]:
        """Methods of the notifications that came and that nobody has taken yet."""
        return [frame["method"] for frame in self._kept]

    async def _receive(self) -> Any:
        async with asyncio.timeout(SECONDS):
            return json.loads(await self.socket.recv())

    async def request(self, method: str, **params: object) -> Any:
        """Return the whole response to a request; notifications that come before it are kept."""
        self._number += 1
        await self.send({"jsonrpc": "2.0", "method": method, "params": params, "id": self._number})
        answer = await self._find(lambda frame: isinstance(frame, dict) and frame.get("id") == self._number)
        check_answer(method, answer)
        return answer

    async def call(self, method: str, **params: object) -> Any:
        """Return the result of a request that goes well."""
        response = await self.request(method, **params)
        assert "result" in response, response
        return response["result"]

    async def refused(self, method: str, **params: object) -> Any:
        """Return the error of a request that does not go well."""
        response = await self.request(method, **params)
        assert "error" in response, response
        return response["error"]

    async def told(self, method: str) -> Any:
        """Return the parameters of the next notification of a method; others are kept."""
        frame = await self._find(lambda frame: isinstance(frame, dict) and frame.get("method") == method)
        check(method, frame)
        return frame["params"]

    async def _find(self, wanted: Any) -> Any:
        for at, frame in enumerate(self._kept):
            if wanted(frame):
                return self._kept.pop(at)
        while True:
            frame = await self._receive()
            if wanted(frame):
                return frame
            self._kept.append(frame)

    async def closed(self) -> int | None:
        """Return the code with which the server closes the socket; frames before that are kept."""
        try:
            async with asyncio.timeout(SECONDS):
                while True:
                    self._kept.append(json.loads(await self.socket.recv()))
        except ConnectionClosed:
            return self.socket.close_code


@asynccontextmanager
async def a_client(url: str, *, token: str | None = None, **options: Any) -> AsyncIterator[Client]:
    """Connect; with a token authenticate by the first frame."""
    async with connect(url, compression=None, proxy=None, **options) as socket:
        client = Client(socket)
        if token is not None:
            await client.call("session.authenticate", token=token)
        yield client
