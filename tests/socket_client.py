"""A WebSocket client that reads like a conversation: ask, and wait for what is told."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection

SECONDS = 10.0

Frame = dict[str, Any]


class Refused(AssertionError):
    """The server answered with an error; `error` is the JSON-RPC error object."""

    def __init__(self, error: Frame) -> None:
        super().__init__(json.dumps(error))
        self.error = error

    @property
    def reason(self) -> str:
        """The stable reason."""
        return str(self.error.get("data", {}).get("reason", ""))


class Socket:
    """One connection. Answers are matched by id; notifications are kept until somebody waits for them."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._ids = count(1)
        self._told: list[Frame] = []

    async def ask(self, method: str, **params: Any) -> Any:
        """Return the result of a request. Raises Refused."""
        key = next(self._ids)
        answer = await self.ask_raw(json.dumps({"jsonrpc": "2.0", "id": key, "method": method, "params": params}), key)
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["result"]

    async def ask_raw(self, text: str | bytes, key: object = None) -> Frame:
        """Send a text as it is and return the answer with that id."""
        await self._connection.send(text, text=True)
        async with asyncio.timeout(SECONDS):
            while True:
                frame = await self._read()
                if "method" not in frame and frame.get("id") == key:
                    return frame
                self._told.append(frame)

    async def until(
        self, method: str, fits: Callable[[Frame], bool] = lambda params: True, seconds: float = SECONDS
    ) -> Frame:
        """Return the params of the next notification that fits, also of one that came before."""
        async with asyncio.timeout(seconds):
            while True:
                for index, frame in enumerate(self._told):
                    if frame.get("method") == method and fits(frame["params"]):
                        del self._told[: index + 1]
                        return dict(frame["params"])
                self._told = []
                self._told.append(await self._read())

    async def until_order(self, order_id: str, *states: str, seconds: float = 20.0) -> Frame:
        """Return the order as told when it has reached one of the states."""

        def fits(params: Frame) -> bool:
            return params["order"]["orderId"] == order_id and params["order"]["state"] in states

        return dict((await self.until("orders.update", fits, seconds))["order"])

    async def close(self) -> None:
        """Hang up."""
        await self._connection.close()

    async def _read(self) -> Frame:
        frame = json.loads(await self._connection.recv())
        assert isinstance(frame, dict), frame
        return frame


@asynccontextmanager
async def connected(url: str, token: str | None) -> AsyncIterator[Socket]:
    """Connect, authenticate by the first frame when there is a token, and talk."""
    async with websockets.connect(url, compression=None) as connection:
        socket = Socket(connection)
        if token is not None:
            await socket.ask("session.authenticate", token=token)
        yield socket
