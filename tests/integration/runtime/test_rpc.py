"""runtime/rpc.py: who may call, and how a failure crosses the wire."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from gen.trading.v1 import exchange_pb2 as pb
from gen.trading.v1 import exchange_pb2_grpc, order_pb2, order_pb2_grpc
from runtime.auth import TokenVerifier, current_principal, make_token
from runtime.errors import Kind, Outcome, ResourceExhausted
from runtime.rpc import Context, Service, open_channel, serve_rpc
from runtime.rpc_errors import error_from
from tests.servers import free_port

SECRET = "a secret that is only for tests, 32 bytes"
NAME = "trading.v1.ExchangeService"


class Full(ResourceExhausted):
    reason = "PROBE_FULL"


class Probe(exchange_pb2_grpc.ExchangeServiceServicer):
    """Answers, refuses, breaks, or takes too long."""

    async def GetVenueStatus(self, request: pb.GetVenueStatusRequest, context: Context) -> pb.GetVenueStatusResponse:
        return pb.GetVenueStatusResponse(instruments=len(current_principal().accounts))

    async def Reconcile(self, request: pb.ReconcileRequest, context: Context) -> pb.ReconcileResponse:
        if request.reason == "full":
            raise Full("no room", retry_after_seconds=1.5, limit=3)
        if request.reason == "slow":
            await asyncio.sleep(60)
        raise ZeroDivisionError("a secret that must not leave")

    async def ListBreaks(self, request: pb.ListBreaksRequest, context: Context) -> pb.ListBreaksResponse:
        return pb.ListBreaksResponse()


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    port = free_port()
    access = {"GetVenueStatus": "read", "Reconcile": "read", "ListBreaks": None}
    add: Any = exchange_pb2_grpc.add_ExchangeServiceServicer_to_server
    verifier = TokenVerifier(secret=SECRET, issuer="stockmesh", audience="stockmesh")
    probe = Probe()  # type: ignore[abstract]  # the other methods are not asked for
    services = [Service(NAME, add, probe, access)]
    async with (
        serve_rpc(host="127.0.0.1", port=port, services=services, verifier=verifier),
        open_channel(f"127.0.0.1:{port}") as opened,
    ):
        yield opened


def bearer(*scopes: str) -> list[tuple[str, str]]:
    token = make_token(secret=SECRET, subject="u", accounts=["demo"], scopes=scopes)
    return [("authorization", f"Bearer {token}")]


async def failure_of(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    return failure.value


async def test_a_call_with_the_scope_is_served_and_knows_who_asks(channel: grpc.aio.Channel) -> None:
    stub = exchange_pb2_grpc.ExchangeServiceStub(channel)

    assert (await stub.GetVenueStatus(pb.GetVenueStatusRequest(), metadata=bearer("read"), timeout=5)).instruments == 1


@pytest.mark.parametrize(
    ("metadata", "code", "reason"),
    [
        ([], grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING"),
        ([("authorization", "Bearer nonsense")], grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID"),
        ([("authorization", "Basic dTpw")], grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING"),
        (bearer("trade"), grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING"),
    ],
)
async def test_a_call_without_the_scope_is_refused(
    channel: grpc.aio.Channel, metadata: list[tuple[str, str]], code: grpc.StatusCode, reason: str
) -> None:
    stub = exchange_pb2_grpc.ExchangeServiceStub(channel)

    failure = await failure_of(stub.GetVenueStatus(pb.GetVenueStatusRequest(), metadata=metadata, timeout=5))

    assert (failure.code(), error_from(failure).reason) == (code, reason)


async def test_a_method_that_nobody_was_given_access_to_is_closed_to_all(channel: grpc.aio.Channel) -> None:
    stub = exchange_pb2_grpc.ExchangeServiceStub(channel)
    request = pb.SetTradingStateRequest()

    failure = await failure_of(stub.SetTradingState(request, metadata=bearer("read", "trade", "admin"), timeout=5))

    assert failure.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_a_method_that_is_open_to_all_needs_no_token(channel: grpc.aio.Channel) -> None:
    await exchange_pb2_grpc.ExchangeServiceStub(channel).ListBreaks(pb.ListBreaksRequest(), timeout=5)


async def test_a_refusal_arrives_as_it_was_raised(channel: grpc.aio.Channel) -> None:
    stub = exchange_pb2_grpc.ExchangeServiceStub(channel)

    failure = await failure_of(stub.Reconcile(pb.ReconcileRequest(reason="full"), metadata=bearer("read"), timeout=5))

    error = error_from(failure)
    assert (error.kind, error.reason, error.message) == (Kind.RESOURCE_EXHAUSTED, "PROBE_FULL", "no room")
    assert (error.outcome, error.metadata, error.retry_after_seconds) == (Outcome.NOT_EXECUTED, {"limit": "3"}, 1.5)
    status = rpc_status.from_call(failure)
    assert {detail.TypeName() for detail in status.details} == {
        error_details_pb2.ErrorInfo.DESCRIPTOR.full_name,
        error_details_pb2.RetryInfo.DESCRIPTOR.full_name,
    }


async def test_a_broken_method_tells_nothing_of_its_inside(channel: grpc.aio.Channel) -> None:
    stub = exchange_pb2_grpc.ExchangeServiceStub(channel)

    failure = await failure_of(stub.Reconcile(pb.ReconcileRequest(), metadata=bearer("read"), timeout=5))

    assert (failure.code(), error_from(failure).outcome) == (grpc.StatusCode.INTERNAL, Outcome.UNKNOWN)
    assert "secret" not in str(failure)


async def test_a_late_answer_is_an_unknown_outcome(channel: grpc.aio.Channel) -> None:
    stub = exchange_pb2_grpc.ExchangeServiceStub(channel)

    failure = await failure_of(stub.Reconcile(pb.ReconcileRequest(reason="slow"), metadata=bearer("read"), timeout=0.2))

    assert (failure.code(), error_from(failure).outcome) == (grpc.StatusCode.DEADLINE_EXCEEDED, Outcome.UNKNOWN)


async def test_a_peer_that_is_not_there_is_unavailable() -> None:
    async with open_channel(f"127.0.0.1:{free_port()}") as nobody:
        stub = exchange_pb2_grpc.ExchangeServiceStub(nobody)
        failure = await failure_of(stub.ListBreaks(pb.ListBreaksRequest(), timeout=5))

    assert error_from(failure).kind is Kind.UNAVAILABLE


async def test_health_tells_of_the_service_and_needs_no_token(channel: grpc.aio.Channel) -> None:
    health = health_pb2_grpc.HealthStub(channel)

    for name in ("", NAME):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_reflection_tells_the_names_that_json_has(channel: grpc.aio.Channel) -> None:
    call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(timeout=5)
    await call.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol="trading.v1.Order"))
    answer = await call.read()
    call.cancel()

    described = [
        descriptor_pb2.FileDescriptorProto.FromString(one)
        for one in answer.file_descriptor_response.file_descriptor_proto
    ]
    order = next(message for file in described for message in file.message_type if message.name == "Order")
    assert order.field[0].json_name == "orderId"


class Endless(order_pb2_grpc.OrderServiceServicer):
    """Sends one message and then waits for ever."""

    async def StreamOrderUpdates(
        self, request: order_pb2.StreamOrderUpdatesRequest, context: Context
    ) -> AsyncIterator[order_pb2.StreamOrderUpdatesResponse]:
        yield order_pb2.StreamOrderUpdatesResponse(position="1-1")
        await asyncio.Event().wait()


async def test_a_stop_ends_streams_at_once_and_says_why() -> None:
    port = free_port()
    add: Any = order_pb2_grpc.add_OrderServiceServicer_to_server
    endless = Endless()  # type: ignore[abstract]  # the other methods are not asked for
    service = Service("trading.v1.OrderService", add, endless, {"StreamOrderUpdates": "read"})
    verifier = TokenVerifier(secret=SECRET, issuer="stockmesh", audience="stockmesh")
    async with open_channel(f"127.0.0.1:{port}") as channel:
        async with serve_rpc(
            host="127.0.0.1", port=port, services=[service], verifier=verifier, grace_seconds=20.0
        ) as health:
            assert health is not None
            call = order_pb2_grpc.OrderServiceStub(channel).StreamOrderUpdates(
                order_pb2.StreamOrderUpdatesRequest(), metadata=bearer("read"), timeout=30
            )
            stream = aiter(call)
            assert (await anext(stream)).position == "1-1"
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 10
        assert error_from(await failure_of(anext(stream))).reason == "SERVER_STOPPING"
