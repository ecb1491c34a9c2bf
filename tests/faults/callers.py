"""Clients that write down what they ask and hear: over the WebSocket with the Python client, and over plain gRPC."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import grpc

from gen.trading.v1 import order_pb2 as pb
from gen.trading.v1 import order_pb2_grpc
from runtime.errors import Outcome as ServerOutcome
from runtime.money import text_from_micros
from runtime.rpc_errors import error_from
from stockmesh import Client
from stockmesh.errors import Outcome, StockmeshError
from tests.faults import view
from tests.faults.history import Event, History, Kind

CALL_SECONDS = 4.0
CLIENT_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Wish:
    """An order that a client wants; a price of 0 means MARKET."""

    key: str
    symbol: str
    side: str
    quantity: int
    limit_price_micros: int = 0

    @property
    def body(self) -> dict[str, Any]:
        """The wish as the history holds it."""
        kind = "LIMIT" if self.limit_price_micros else "MARKET"
        return {
            "symbol": self.symbol,
            "side": self.side,
            "type": kind,
            "quantity": self.quantity,
            "limit_price_micros": self.limit_price_micros,
        }

    @property
    def price(self) -> str | None:
        """The limit price as text."""
        return text_from_micros(self.limit_price_micros) if self.limit_price_micros else None


class Door(Protocol):
    """One way into the system, for one account. Every method returns a view, or raises what the door raises."""

    name: str

    async def place(self, wish: Wish) -> dict[str, Any]:
        """Place an order: {order, replayed}."""

    async def cancel(self, key: str) -> dict[str, Any]:
        """Ask for a cancel: {order}."""

    async def replace(self, key: str, quantity: int) -> dict[str, Any]:
        """Ask for another quantity: {order}."""

    async def get(self, key: str) -> dict[str, Any]:
        """Read one order: {order}."""

    async def get_by_id(self, order_id: str) -> dict[str, Any]:
        """Read one order by the server's id: {order}."""

    async def list(self) -> dict[str, Any]:
        """Read all orders: {orders}."""


class SocketDoor:
    """The Python client; it asks again by itself after a lost connection."""

    def __init__(self, client: Client, name: str) -> None:
        self._client, self.name = client, name

    async def place(self, wish: Wish) -> dict[str, Any]:
        placed = await self._client.place(
            wish.symbol, wish.side, wish.quantity, limit_price=wish.price, client_order_id=wish.key
        )
        return {"order": view.of_model(placed.order), "replayed": placed.replayed}

    async def cancel(self, key: str) -> dict[str, Any]:
        return {"order": view.of_model(await self._client.cancel(client_order_id=key))}

    async def replace(self, key: str, quantity: int) -> dict[str, Any]:
        return {"order": view.of_model(await self._client.replace(client_order_id=key, quantity=quantity))}

    async def get(self, key: str) -> dict[str, Any]:
        return {"order": view.of_model(await self._client.order(client_order_id=key))}

    async def get_by_id(self, order_id: str) -> dict[str, Any]:
        return {"order": view.of_model(await self._client.order(order_id))}

    async def list(self) -> dict[str, Any]:
        return {"orders": [view.of_model(order) async for order in self._client.orders()]}


class RpcDoor:
    """Plain gRPC to the order service; asks once."""

    def __init__(self, channel: grpc.aio.Channel, token: str, name: str) -> None:
        self._stub = order_pb2_grpc.OrderServiceStub(channel)
        self._metadata = [("authorization", f"Bearer {token}")]
        self.name = name

    async def _ask(self, method: Callable[..., Any], request: Any) -> Any:
        return await method(request, metadata=self._metadata, timeout=CALL_SECONDS)

    async def place(self, wish: Wish) -> dict[str, Any]:
        request = pb.PlaceOrderRequest(
            client_order_id=wish.key,
            symbol=wish.symbol,
            side=pb.Order.Side.Value(wish.side),
            type=pb.Order.LIMIT if wish.limit_price_micros else pb.Order.MARKET,
            quantity=wish.quantity,
            limit_price=wish.price or "",
        )
        placed = await self._ask(self._stub.PlaceOrder, request)
        return {"order": view.of_proto(placed.order), "replayed": placed.replayed}

    async def cancel(self, key: str) -> dict[str, Any]:
        answer = await self._ask(self._stub.CancelOrder, pb.CancelOrderRequest(client_order_id=key))
        return {"order": view.of_proto(answer.order)}

    async def replace(self, key: str, quantity: int) -> dict[str, Any]:
        request = pb.ReplaceOrderRequest(client_order_id=key, quantity=quantity)
        return {"order": view.of_proto((await self._ask(self._stub.ReplaceOrder, request)).order)}

    async def get(self, key: str) -> dict[str, Any]:
        answer = await self._ask(self._stub.GetOrder, pb.GetOrderRequest(client_order_id=key))
        return {"order": view.of_proto(answer.order)}

    async def get_by_id(self, order_id: str) -> dict[str, Any]:
        answer = await self._ask(self._stub.GetOrder, pb.GetOrderRequest(order_id=order_id))
        return {"order": view.of_proto(answer.order)}

    async def list(self) -> dict[str, Any]:
        answer = await self._ask(self._stub.ListOrders, pb.ListOrdersRequest(page_size=500))
        return {"orders": [view.of_proto(order) for order in answer.orders]}


class Caller:
    """One client of one account: every call is an INVOKE and an end in the history."""

    def __init__(self, door: Door, account: str, history: History) -> None:
        self.door, self.account, self._history = door, account, history

    async def call(self, what: str, key: str, asked: dict[str, Any], work: Awaitable[dict[str, Any]]) -> Event:
        """Do one thing and return how it ended."""
        name, account = self.door.name, self.account
        begun = self._history.add(name, Kind.INVOKE, what, account=account, key=key, value=asked)
        kind, value = Kind.INFO, dict[str, Any]()
        try:
            value = await work
            kind = Kind.OK
        except grpc.aio.AioRpcError as failure:
            error = error_from(failure)
            kind = Kind.FAIL if error.outcome is ServerOutcome.NOT_EXECUTED else Kind.INFO
            value = {"reason": error.reason, "words": error.message[:120]}
        except StockmeshError as refusal:
            kind = Kind.FAIL if refusal.outcome is Outcome.NOT_EXECUTED else Kind.INFO
            value = {"reason": refusal.reason, "words": refusal.message[:120]}
        except TimeoutError:
            pass
        return self._history.add(name, kind, what, account=account, key=key, call=begun.number, value=value)
