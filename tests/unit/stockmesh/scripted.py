"""A server of one test: speaks the protocol on a free port of loopback, answers as told, notes what was asked, cuts when told."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.eventually import eventually

Params = dict[str, Any]


class Refuse(Exception):
    """Answer with this error."""

    def __init__(self, reason: str, *, code: int = -32000, message: str = "no", **told: Any) -> None:
        super().__init__(reason)
        told = {"outcome": "NOT_EXECUTED", "retry": "never", "retryAfterMs": 0, "details": {}} | told
        self.error = {"code": code, "message": message, "data": {"reason": reason, **told}}


class Cut(Exception):
    """Break the connection without an answer."""


class Silence(Exception):
    """Give no answer."""


class Close(Exception):
    """Close the connection with a code."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code)
        self.code, self.reason = code, reason


Respond = Callable[[Params], Any]


class ScriptedServer:
    """What it was asked is in `asked`; `on` says how a method is answered, several answers in turn, the last for ever."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Params]] = []
        self.connections: list[ServerConnection] = []
        self.port = 0
        self._responses: dict[str, list[Respond]] = {}
        self.on("session.authenticate", lambda params: {})
        self.on("prices.unsubscribe", lambda params: {"subscriptions": []})
        self.on("orders.unsubscribe", lambda params: {})

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def on(self, method: str, *responses: Respond) -> None:
        self._responses[method] = list(responses)

    def asked_for(self, method: str) -> list[Params]:
        return [params for name, params in self.asked if name == method]

    async def tell(self, method: str, **params: Any) -> None:
        await self.connections[-1].send(json.dumps({"jsonrpc": "2.0", "method": method, "params": params}))

    def cut(self) -> None:
        self.connections[-1].transport.abort()

    async def converse(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        try:
            async for text in connection:
                await self._answer(connection, json.loads(text))
        except (Cut, ConnectionClosed):
            connection.transport.abort()
        except Close as close:
            await connection.close(close.code, close.reason)

    async def _answer(self, connection: ServerConnection, request: Params) -> None:
        method, params = request["method"], request["params"]
        self.asked.append((method, params))
        responses = self._responses[method]
        respond = responses.pop(0) if len(responses) > 1 else responses[0]
        answer: Params = {"jsonrpc": "2.0", "id": request["id"]}
        try:
            result = respond(params)
            answer["result"] = await result if asyncio.iscoroutine(result) else result
        except Refuse as refusal:
            answer["error"] = refusal.error
        except Silence:
            return
        await connection.send(json.dumps(answer))


@asynccontextmanager
async def scripted_server() -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer()
    async with serve(server.converse, "127.0.0.1", 0, close_timeout=0.2) as listening:
        server.port = listening.sockets[0].getsockname()[1]
        yield server


def raising(error: Exception) -> Respond:
    """Return a response that raises."""

    def respond(params: Params) -> Any:
        raise error

    return respond


async def until(fact: Callable[[], bool]) -> None:
    """Wait for a fact."""

    async def ask() -> bool:
        return fact()

    await eventually(ask, within=5.0)


def an_order(**changed: Any) -> Params:
    """Return an order as the server writes it."""
    return {
        "orderId": "o-1",
        "clientOrderId": "k-1",
        "accountId": "demo",
        "symbol": "AAPL",
        "side": "BUY",
        "type": "MARKET",
        "timeInForce": "DAY",
        "quantity": "10",
        "limitPrice": "",
        "collarPrice": "199.61",
        "filledQuantity": "0",
        "leavesQuantity": "10",
        "averagePrice": "",
        "state": "PENDING",
        "pendingAction": "NONE",
        "certainty": "CONFIRMED",
        "exchangeOrderId": "",
        "revision": "1",
        "createTime": "2026-09-01T12:00:00.000123Z",
        "updateTime": "2026-09-01T12:00:00.000123456Z",
    } | changed


def a_quote(symbol: str = "AAPL", **changed: Any) -> Params:
    """Return a quote as the server writes it."""
    return {
        "symbol": symbol,
        "price": "190.12",
        "bid": "190.11",
        "ask": "190.13",
        "open": "188.00",
        "high": "191.50",
        "low": "187.25",
        "previousClose": "188.50",
        "volume": "1234567",
        "epoch": "1756720800000",
        "seq": "42",
        "quoteTime": "2026-09-01T12:00:00Z",
        "state": "LIVE",
    } | changed


def an_update(position: str, previous: str, *, kind: str = "PLACED", **order: Any) -> Params:
    """Return an order update as the server writes it."""
    event = {"kind": kind, "eventTime": "2026-09-01T12:00:01Z", "executions": []}
    return {"position": position, "previous": previous, "event": event, "order": an_order(**order)}


def an_execution(exec_id: str, quantity: str, price: str) -> Params:
    """Return a fill as the server writes it."""
    return {"execId": exec_id, "quantity": quantity, "price": price, "executionTime": "2026-09-01T12:00:01Z"}
