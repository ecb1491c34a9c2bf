"""Whoever holds another account's ids, keys, positions and page tokens learns nothing by them: not even that they exist.

Every method of the socket and every RPC of all services is tried with each field that can name something of an account: once with
what is somebody else's, once with what is nobody's. The answers are the same, byte for byte.
"""

import asyncio
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from edge.params import PARAMS
from gen.trading.v1 import exchange_pb2, order_pb2, price_pb2
from infra.local.running import System
from order_svc.identity import order_id_of
from tests.socket_client import Socket, connected

SERVICES: tuple[ServiceDescriptor, ...] = (
    *price_pb2.DESCRIPTOR.services_by_name.values(),
    *order_pb2.DESCRIPTOR.services_by_name.values(),
    *exchange_pb2.DESCRIPTOR.services_by_name.values(),
)
# Names of fields that can name something of an account. Prices belong to all, and so do the tokens of their pages.
NAMING = frozenset(
    {"order_id", "client_order_id", "account_id", "from_position", "from", "page_token", "dead_letter_id", "break_id"}
)
ORDER = {"symbol": "AAPL", "side": "BUY", "type": "LIMIT", "quantity": "10", "limitPrice": "1.00"}
# What a request needs beside the field that is tried.
NEEDED: dict[str, dict[str, Any]] = {
    "orders.place": {**ORDER, "clientOrderId": "k"},
    "orders.preview": {"order": ORDER},
    "orders.replace": {"quantity": 20},
    "prices.history": {"symbol": "AAPL", "interval": "1d"},
    "PlaceOrder": {"symbol": "AAPL", "side": 1, "type": 1, "quantity": 10, "limit_price": "1.00"},
    "ReplaceOrder": {"quantity": 20},
    "GetPrices": {"symbol": "AAPL", "interval": "1d"},
}
# A key names an order only within its account, so a foreign one is as good as a new one: it makes an order of the stranger's own.
OWN_NAMESPACE = {
    ("orders.place", "clientOrderId"),
    ("PlaceOrder", "client_order_id"),
    ("PreviewOrder", "client_order_id"),
}
STREAM_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Belongings:
    """What somebody else has, by the name of the field that names it; and the same of nobody."""

    foreign: dict[str, str]
    unknown: dict[str, str]


@pytest.fixture(scope="module")
async def belongings(system: System) -> Belongings:
    owner = f"owner-{uuid4().hex[:8]}"
    keys = [uuid4().hex, uuid4().hex]
    async with connected(system.where.websocket, system.token(owner)) as socket:
        await socket.ask("orders.subscribe")
        orders = [(await socket.ask("orders.place", **ORDER, clientOrderId=key))["order"] for key in keys]
        update = await socket.until("orders.update", lambda told: told["order"]["orderId"] == orders[1]["orderId"])
        token = (await socket.ask("orders.list", pageSize=1))["nextPageToken"]
    created, _, sequence = update["position"].partition("-")
    foreign = {
        "order_id": orders[0]["orderId"],
        "client_order_id": keys[0],
        "account_id": owner,
        "from_position": update["position"],
        "page_token": token,
        "dead_letter_id": orders[0]["orderId"],
        "break_id": orders[0]["orderId"],
    }
    unknown = {
        "order_id": "zq" * (len(foreign["order_id"]) // 2),
        "client_order_id": uuid4().hex,
        "account_id": f"other-{uuid4().hex[:8]}",
        # Positions count the updates of all accounts, so that a number says nothing of whose it is.
        "from_position": f"{created}-{int(sequence) - 1}",
        # Nobody's order, at the same time.
        "page_token": urlsafe_b64encode(urlsafe_b64decode(token).partition(b":")[0] + b":" + b"zq" * 13).decode(),
        "dead_letter_id": "zq" * (len(foreign["order_id"]) // 2),
        "break_id": "zq" * (len(foreign["order_id"]) // 2),
    }
    return Belongings(foreign, unknown)


@pytest.fixture
def token(system: System, account: str) -> str:
    return system.token(account)


@pytest.fixture
async def stranger(system: System, token: str) -> AsyncIterator[Socket]:
    async with connected(system.where.websocket, token) as socket:
        yield socket


def frames() -> Iterator[tuple[str, str, str]]:
    """Return every method, the field that names something, and its name in the protos."""
    for method, kind in PARAMS.items():
        for name, field in zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True):
            if field in NAMING or name in NAMING:
                yield method, name, field
    yield "orders.preview", "order.accountId", "account_id"


def calls() -> Iterator[tuple[MethodDescriptor, str]]:
    """Return every RPC with each field of its request that names something; also those that have none."""
    for service in SERVICES:
        for method in service.methods:
            names = [field.name for field in method.input_type.fields if field.name in NAMING]
            yield from ((method, name) for name in names or [""])
            if method.name == "PreviewOrder":
                yield from ((method, name) for name in ("client_order_id", "account_id"))


async def test_no_frame_tells_whether_a_foreign_thing_exists(
    stranger: Socket, account: str, belongings: Belongings
) -> None:
    # Last what leaves an order behind.
    tried = sorted(frames(), key=lambda one: one[:2] in OWN_NAMESPACE)
    assert len(tried) > 15
    for method, name, field in tried:
        theirs, nobodys = [
            without(await ask(stranger, method, name, values[field]), values[field], account)
            for values in (belongings.foreign, belongings.unknown)
        ]
        if (method, name) in OWN_NAMESPACE:
            assert json.loads(theirs)["result"]["replayed"] is False
            assert belongings.foreign["account_id"] not in theirs
            continue
        assert theirs == nobodys, (method, name)
        # The field's own value is taken out of the answer.
        assert not {belongings.foreign[kept] for kept in ("order_id", "account_id")} & set(theirs.split('"')), (
            method,
            name,
        )


async def ask(socket: Socket, method: str, name: str, value: str) -> str:
    """Return the answer as text; of a snapshot only whose orders it holds."""
    outer, _, inner = name.rpartition(".")
    params = {**NEEDED.get(method, {}), name: value} if not outer else {outer: {**ORDER, inner: value}}
    answer = await socket.ask_raw(json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": "x"}), "x")
    answer.get("error", {}).get("data", {}).get("details", {}).pop("requestId", None)
    if name == "from":
        assert not answer["result"]["recovered"]
        snapshot = await socket.until("orders.snapshot")
        answer = {"answer": answer, "accounts": sorted({order["accountId"] for order in snapshot["orders"]})}
    return json.dumps(answer)


def without(answer: str, given: str, account: str) -> str:
    """Return an answer without what was given, and without the id that a key would have in the stranger's own account."""
    return answer.replace(order_id_of(account, given), "<own>").replace(given, "<given>") if given else answer


async def test_no_call_tells_whether_a_foreign_thing_exists(
    system: System, token: str, account: str, belongings: Belongings
) -> None:
    where = {"PriceService": system.where.price_svc, "OrderService": system.where.order_svc}
    metadata = (("authorization", f"Bearer {token}"),)
    channels = {
        service.name: grpc.aio.insecure_channel(where.get(service.name, system.where.exchange_gw))
        for service in SERVICES
    }
    try:
        for method, field in sorted(calls(), key=lambda one: (one[0].name, one[1]) in OWN_NAMESPACE):
            channel = channels[method.containing_service.name]
            answers = [
                without(
                    await call(channel, method, field, values.get(field, ""), metadata), values.get(field, ""), account
                )
                for values in (belongings.foreign, belongings.unknown)
            ]
            if method.containing_service.name == "ExchangeService":
                assert "SCOPE_MISSING" in answers[0], method.full_name
            if (method.name, field) in OWN_NAMESPACE:
                assert belongings.foreign["account_id"] not in answers[0]
                continue
            if field:
                assert answers[0] == answers[1], (method.full_name, field)
    finally:
        for channel in channels.values():
            await channel.close()


async def call(
    channel: grpc.aio.Channel, method: MethodDescriptor, field: str, value: str, metadata: tuple[tuple[str, str], ...]
) -> str:
    """Return what a call comes to, as text."""
    asked: type[Message] = GetMessageClass(method.input_type)
    request: Any = asked(**NEEDED.get(method.name, {}))
    target = request
    if method.name == "PreviewOrder":
        target = request.order
        target.MergeFrom(order_pb2.PlaceOrderRequest(**NEEDED["PlaceOrder"]))
    if field:
        setattr(target, field, value)
    path = f"/{method.containing_service.full_name}/{method.name}"
    codec: dict[str, Any] = {
        "request_serializer": asked.SerializeToString,
        "response_deserializer": GetMessageClass(method.output_type).FromString,
    }
    try:
        if method.server_streaming:
            answer = await first(channel.unary_stream(path, **codec)(request, metadata=metadata, timeout=5))
        else:
            answer = str(await channel.unary_unary(path, **codec)(request, metadata=metadata, timeout=5))
    except grpc.aio.AioRpcError as error:
        trailers = [(key, told) for key, told in error.trailing_metadata() or () if key == "grpc-status-details-bin"]
        answer = f"{error.code()} {error.details()} {trailers}"
    return answer


async def first(stream: Any) -> str:
    """Return the first message of a stream, or that it is silent."""
    try:
        async with asyncio.timeout(STREAM_SECONDS):
            async for message in stream:
                return str(message)
    except TimeoutError:
        pass
    finally:
        stream.cancel()
    return "silent"
