"""The operators' door of the exchange gateway, an order's timeline, and the health of every service, through gRPC.

Imported when an operator's command runs: gRPC and the contract's classes cost 0.3 s at the start.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gen.trading.v1 import exchange_pb2, order_pb2
from gen.trading.v1.exchange_pb2_grpc import ExchangeServiceStub
from gen.trading.v1.order_pb2_grpc import OrderServiceStub
from gen.trading.v1.price_pb2 import TickBatch
from runtime.errors import Kind
from runtime.rpc import open_channel
from runtime.rpc_errors import error_from
from stockmesh.errors import CannotConnect, Outcome, Refused, Retry

# What a session for orders has in its name.
ORDERS_SESSION = "-ORD-"
HEALTH_SECONDS = 2.0
CALL_SECONDS = 5.0
# A comparison with the exchange's books takes as long as the exchange takes.
RECONCILE_SECONDS = 60.0

# What a dead letter's bytes are, by the stream they came from.
PAYLOADS: dict[str, type[Message]] = {
    "TICKS": TickBatch,
    "ORDER_COMMANDS": exchange_pb2.OrderCommand,
    "ORDER_REPORTS": exchange_pb2.ExecutionReport,
}


GATEWAY, ORDERS = ("the exchange gateway", ExchangeServiceStub), ("order_svc", OrderServiceStub)


@dataclass(frozen=True, slots=True)
class Health:
    """How one part answered: its state in words, whether that is good, and after how many milliseconds."""

    name: str
    address: str
    state: str
    is_well: bool
    milliseconds: float


def ask(targets: Sequence[str], token: str, method: str, *, seconds: float = CALL_SECONDS, **fields: Any) -> Any:
    """Call a method of the gateway's ExchangeService and return its answer; of several replicas the one that trades is asked.

    Raises CannotConnect or Refused.
    """
    request = getattr(exchange_pb2, f"{method}Request")(**fields)

    async def run() -> Any:
        target = targets[0] if len(targets) == 1 else await _trading(targets, token)
        return await _call(GATEWAY, target, token, method, request, seconds=seconds)

    return asyncio.run(run())


async def venue_status(target: str, token: str) -> Any:
    """Return how one replica of the gateway stands with the venue. Raises CannotConnect or Refused."""
    request = exchange_pb2.GetVenueStatusRequest()
    return await _call(GATEWAY, target, token, "GetVenueStatus", request)


def timeline(targets: Sequence[str], token: str, order: str) -> Any:
    """Return what happened to an order, named by its id or by its client's key; any replica knows.

    Raises CannotConnect or Refused.
    """

    async def run() -> Any:
        ways = [{"order_id": order}, {"client_order_id": order}]
        while True:
            request, target = order_pb2.GetOrderTimelineRequest(**ways.pop(0)), _any_of(targets)
            try:
                return await _call(ORDERS, target, token, "GetOrderTimeline", request)
            except Refused as refusal:
                if not ways or refusal.reason != "ORDER_NOT_FOUND":
                    raise

    return asyncio.run(run())


async def _trading(targets: Sequence[str], token: str) -> str:
    """Return the replica of the gateway that has a session for orders, else one that answers."""
    answers = await asyncio.gather(*(venue_status(target, token) for target in targets), return_exceptions=True)
    reached = [
        (target, found) for target, found in zip(targets, answers, strict=True) if not isinstance(found, BaseException)
    ]
    for target, found in reached:
        if any(session.logged_on and ORDERS_SESSION in session.sender_comp_id for session in found.sessions):
            return target
    return reached[0][0] if reached else targets[0]


def _any_of(targets: Sequence[str]) -> str:
    return targets[0] if len(targets) == 1 else f"ipv4:{','.join(targets)}"


async def _call(
    door: tuple[str, Any], target: str, token: str, method: str, request: Message, *, seconds: float = CALL_SECONDS
) -> Any:
    name, stub = door
    async with open_channel(target) as channel:
        call = getattr(stub(channel), method)
        try:
            return await call(request, timeout=seconds, metadata=(("authorization", f"Bearer {token}"),))
        except grpc.aio.AioRpcError as failure:
            raise _error(name, target, failure) from None


def _error(who: str, target: str, failure: grpc.aio.AioRpcError) -> CannotConnect | Refused:
    error = error_from(failure)
    # Only gRPC itself answers without a reason of our own: nobody is there.
    if error.reason == Kind.UNAVAILABLE.value:
        return CannotConnect(f"{who} does not answer at {target}")
    after = error.retry_after_seconds
    is_unknown = error.outcome.value == Outcome.UNKNOWN
    return Refused(
        error.message,
        reason=error.reason,
        outcome=Outcome(error.outcome.value),
        retry=Retry.SAME_KEY if is_unknown else Retry.AFTER if after is not None else Retry.NEVER,
        retry_after_seconds=after,
        details=error.metadata,
    )


def as_json(message: Message) -> dict[str, Any]:
    """Return a message as the contract's JSON."""
    return json_format.MessageToDict(message, always_print_fields_with_no_presence=True)


def payload_as_json(letter: exchange_pb2.DeadLetter) -> dict[str, Any] | None:
    """Return what a dead letter's bytes say; None when they cannot be read."""
    kind = PAYLOADS.get(letter.stream)
    if kind is None:
        return None
    with suppress(DecodeError):
        return json_format.MessageToDict(kind.FromString(letter.payload))
    return None


async def check(name: str, address: str, service: str) -> Health:
    """Ask a service for its health (grpc.health.v1)."""
    began = time.monotonic()
    state = "no answer"
    with suppress(grpc.aio.AioRpcError):
        async with open_channel(address) as channel:
            request = health_pb2.HealthCheckRequest(service=service)
            answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=HEALTH_SECONDS)
            state = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return Health(name, address, state, state == "SERVING", (time.monotonic() - began) * 1000)


async def check_http(name: str, host: str, port: int, path: str) -> Health:
    """Ask a part for its health by HTTP; any status below 400 is good."""
    began = time.monotonic()
    state, is_well = "no answer", False
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(HEALTH_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\n\r\n".encode())
                status = (await reader.readline()).decode("latin-1").split(" ")
                code = int(status[1]) if len(status) > 1 and status[1].isdigit() else 0
                is_well = 0 < code < 400  # noqa: PLR2004 - HTTP's own border
                state = "SERVING" if is_well else f"HTTP {code}"
            finally:
                writer.close()
    return Health(name, f"{host}:{port}", state, is_well, (time.monotonic() - began) * 1000)
