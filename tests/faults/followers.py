"""Clients that follow their account's order updates over every interruption, and write down each frame."""

import asyncio
import json
from typing import Any, NoReturn

import grpc
import websockets

from gen.trading.v1 import order_pb2 as pb
from gen.trading.v1 import order_pb2_grpc
from runtime.positions import PositionNotRecoverable
from runtime.rpc_errors import error_from
from stockmesh import Client
from stockmesh.errors import StockmeshError
from stockmesh.models import OrderSnapshot
from tests.faults import view
from tests.faults.history import History, Kind

PAUSE_SECONDS = 0.2
ANSWER_SECONDS = 8.0
# The server sends a heartbeat every 10 s; a longer silence is a dead link.
SILENCE_SECONDS = 25.0


class Follower:
    """What all followers share: whose they are, where they are, and how they write."""

    def __init__(self, name: str, account: str, history: History) -> None:
        self.name, self.account, self._history = name, account, history
        self.position = ""
        # Why it is not following, as far as it has been told.
        self.trouble = ""
        self.revisions: dict[str, int] = {}

    def began(self, *, recovered: bool, position: str, asked: str = "") -> None:
        """Write down from where it goes on."""
        self._tell("began", {"recovered": recovered, "position": position, "from": asked})
        if not recovered:
            self.position = position

    def snapshot(self, orders: list[view.View]) -> None:
        """Write down how things stand."""
        self._tell("snapshot", {"orders": orders})
        self._see(*orders)

    def update(self, position: str, previous: str, order: view.View) -> None:
        """Write down a change."""
        value = {"position": position, "previous": previous, "order": order}
        self._history.add(
            self.name, Kind.TOLD, "update", account=self.account, key=order["client_order_id"], value=value
        )
        self.position = position
        self._see(order)

    def _tell(self, what: str, value: dict[str, Any]) -> None:
        self._history.add(self.name, Kind.TOLD, what, account=self.account, value=value)

    def _see(self, *orders: view.View) -> None:
        for order in orders:
            known = self.revisions.get(order["order_id"], 0)
            self.revisions[order["order_id"]] = max(known, order["revision"])


class SocketFollower(Follower):
    """A bare WebSocket that trusts nothing: it also looks for the canaries of other accounts in every byte."""

    def __init__(self, url: str, token: str, account: str, others: tuple[str, ...], history: History) -> None:
        super().__init__(f"socket-{account}", account, history)
        self._url, self._token, self._others = url, token, others

    async def run(self) -> NoReturn:
        """Follow for ever."""
        while True:
            try:
                async with websockets.connect(self._url, compression=None, open_timeout=ANSWER_SECONDS) as socket:
                    await self._converse(socket)
            except (OSError, TimeoutError, websockets.WebSocketException) as error:
                self.trouble = repr(error)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _converse(self, socket: websockets.ClientConnection) -> None:
        await self._ask(socket, 1, "session.authenticate", {"token": self._token})
        asked = self.position
        answer = await self._ask(socket, 2, "orders.subscribe", {"from": asked} if asked else {})
        self.began(recovered=answer["recovered"], position=answer["position"], asked=asked)
        while True:
            async with asyncio.timeout(SILENCE_SECONDS):
                self._take(await self._read(socket))

    async def _ask(self, socket: websockets.ClientConnection, number: int, method: str, params: Any) -> Any:
        await socket.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                frame = await self._read(socket)
                if frame.get("id") == number:
                    if "error" in frame:
                        raise TimeoutError(frame["error"])
                    return frame["result"]

    async def _read(self, socket: websockets.ClientConnection) -> Any:
        text = await socket.recv(decode=True)
        if canaries := [other for other in self._others if f"{other}." in text]:
            self._tell("canary", {"canaries": canaries, "frame": text[:300]})
        return json.loads(text)

    def _take(self, frame: Any) -> None:
        params = frame.get("params", {})
        match frame.get("method"):
            case "orders.update":
                self.update(params["position"], params["previous"], view.of_json(params["order"]))
            case "orders.snapshot":
                self.snapshot([view.of_json(order) for order in params["orders"]])


class ClientFollower(Follower):
    """The Python client's own reading of updates."""

    def __init__(self, client: Client, account: str, history: History) -> None:
        super().__init__(f"client-{account}", account, history)
        self._client = client

    async def run(self) -> NoReturn:
        """Follow for ever; the client mends its connection by itself."""
        while True:
            try:
                async for item in self._client.order_updates(self.position or None):
                    if isinstance(item, OrderSnapshot):
                        self.began(recovered=False, position=item.position)
                        self.snapshot([view.of_model(order) for order in item.orders])
                    else:
                        self.update(item.position, item.previous, view.of_model(item.order))
            except StockmeshError as error:
                self.trouble = repr(error)
            await asyncio.sleep(PAUSE_SECONDS)


class RpcFollower(Follower):
    """StreamOrderUpdates, as a partner uses it: from the last position, or anew with a list of all orders."""

    def __init__(self, channel: grpc.aio.Channel, token: str, account: str, history: History) -> None:
        super().__init__(f"stream-{account}", account, history)
        self._stub = order_pb2_grpc.OrderServiceStub(channel)
        self._metadata = [("authorization", f"Bearer {token}")]

    async def run(self) -> NoReturn:
        """Follow for ever."""
        while True:
            try:
                await self._follow()
            except grpc.aio.AioRpcError as failure:
                self.trouble = f"{failure.code()}: {failure.details()}"
                if error_from(failure).reason == PositionNotRecoverable.reason:
                    self.position = ""
            except TimeoutError as error:
                self.trouble = repr(error)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _follow(self) -> None:
        asked = self.position
        call = self._stub.StreamOrderUpdates(pb.StreamOrderUpdatesRequest(from_position=asked), metadata=self._metadata)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                first = await call.read()
            if not isinstance(first, pb.StreamOrderUpdatesResponse):
                return
            if not asked:
                # First listen, then ask: what changes in between waits in the stream.
                listed = await self._stub.ListOrders(
                    pb.ListOrdersRequest(page_size=500), metadata=self._metadata, timeout=ANSWER_SECONDS
                )
            self.began(recovered=bool(asked), position=first.position, asked=asked)
            if not asked:
                self.snapshot([view.of_proto(order) for order in listed.orders])
            while True:
                async with asyncio.timeout(SILENCE_SECONDS):
                    response = await call.read()
                if not isinstance(response, pb.StreamOrderUpdatesResponse):
                    return
                if response.HasField("update"):
                    update = response.update
                    self.update(update.position, update.previous, view.of_proto(update.order))
        finally:
            call.cancel()
