"""gRPC doors: the builder for servers, and the interceptor that every call passes."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import uuid4

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from prometheus_client import CollectorRegistry

from runtime import logs, reflecting
from runtime.admission import Admission, Context, metadata_value
from runtime.auth import TokenVerifier
from runtime.channels import open_channel
from runtime.credentials import server_credentials
from runtime.errors import DeadlineExceeded, Internal, TradingError, Unavailable
from runtime.figures import RpcFigures, shared
from runtime.health import Health
from runtime.partners import Partners
from runtime.principal import Principal, TokenExpired, TokenRevoked
from runtime.rpc_errors import abort_with
from runtime.tls import Tls

__all__ = ["Context", "GoingAway", "Health", "Service", "metadata_value", "open_channel", "serve_rpc"]

# The server's half of what runtime/channels.py asks for.
SERVER_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_receive_message_length", 1 << 20),
    ("grpc.max_concurrent_streams", 1_000),
    ("grpc.so_reuseport", 0),
)
# A call that comes without a deadline gets this one.
DEFAULT_DEADLINE_SECONDS = 10.0
# Answer a little before the caller gives up, so that it learns which hop was late.
DEADLINE_MARGIN_SECONDS = 0.02
# Status codes that no refusal of ours has.
OK, CANCELLED = "OK", "CANCELLED"


@dataclass(frozen=True, slots=True)
class Service:
    """One gRPC service of a server: its full name, gRPC's own adder, the servicer, and the scope each method needs.

    A method that `access` does not name is refused for everybody; None opens it to callers without a token.
    """

    name: str
    add: Callable[[Any, grpc.aio.Server], None]
    servicer: object
    access: Mapping[str, str | None]


class GoingAway(Unavailable):
    """This server stops; another one, or the next one, serves. A stream goes on there from its last position."""

    reason = "SERVER_STOPPING"


@asynccontextmanager
async def serve_rpc(
    *,
    host: str,
    port: int,
    services: Sequence[Service],
    verifier: TokenVerifier,
    partners: Partners | None = None,
    tls: Tls | None = None,
    reflect: bool = True,
    grace_seconds: float = 5.0,
    registry: CollectorRegistry | None = None,
) -> AsyncIterator[Health]:
    """Serve until the block is left; then refuse new calls, let running ones end within the grace, and stop.

    Calls are counted in the registry. Raises OSError when the port is taken, and TlsError.
    """
    access = {f"/{service.name}/{method}": scope for service in services for method, scope in service.access.items()}
    door = _Door(Admission(access, verifier, partners), shared(registry or CollectorRegistry(), RpcFigures))
    verifier.on_revoked(door.end_streams_of)
    server = grpc.aio.server(interceptors=[door], options=SERVER_OPTIONS)
    for service in services:
        service.add(service.servicer, server)
    health_servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    names = [service.name for service in services]
    if reflect:
        reflecting.reflect(server, [*names, health.SERVICE_NAME])
    try:
        if tls is None:
            server.add_insecure_port(f"{host}:{port}")
        else:
            server.add_secure_port(f"{host}:{port}", server_credentials(tls))
    except RuntimeError as error:
        raise OSError(f"cannot listen on {host}:{port}: {error}") from None
    await server.start()
    told = Health(health_servicer, names)
    await told.set_serving(True)
    try:
        yield told
    finally:
        await health_servicer.enter_graceful_shutdown()
        # Streams have no end of their own to wait for.
        door.end_streams()
        await server.stop(grace_seconds)


Behaviour: TypeAlias = Callable[[Any, Context], Awaitable[Any]]


class _Door(grpc.aio.ServerInterceptor):
    """Every call of our services passes here: who asks, may they, until when; and how a failure is told."""

    def __init__(self, admission: Admission, figures: RpcFigures) -> None:
        self._admission, self._figures = admission, figures
        # Wrapped once: a method's handler is the same for every call.
        self._wrapped: dict[str, Any] = {}
        # Streams under way, with the id of the token that they were opened with.
        self._streams: dict[asyncio.Timeout, str] = {}
        self._stopping = False
        self._logger = logs.get_logger("runtime.rpc")

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wrap the method's behaviour; health and reflection are open to all."""
        method = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            # The stubs describe the blocking API's handlers; these are asyncio's.
            handler: Any = await continuation(handler_call_details)
            if handler is None:
                return None
            wrapped = self._wrapped[method] = self._wrap(method, handler)
        return wrapped

    def _wrap(self, method: str, handler: Any) -> Any:
        if method.startswith(("/grpc.health.", "/grpc.reflection.")):
            return handler
        if handler.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(
                self._streaming(method, handler.unary_stream),
                handler.request_deserializer,
                handler.response_serializer,
            )
        if handler.unary_unary is None:
            # Nothing of ours is a stream of requests; what passed here would pass unasked.
            return None
        return grpc.unary_unary_rpc_method_handler(
            self._unary(method, handler.unary_unary), handler.request_deserializer, handler.response_serializer
        )

    def _unary(self, method: str, behaviour: Behaviour) -> Behaviour:
        calls = self._figures.of(method)

        async def call(request: Any, context: Context) -> Any:
            with logs.bind(request_id=_request_id(context)):
                started = time.monotonic()
                try:
                    async with asyncio.timeout(_seconds_left(context)):
                        await self._admission.admit(method, context)
                        answer = await behaviour(request, context)
                    calls.answered(OK, time.monotonic() - started)
                    return answer
                except TimeoutError:
                    failure: TradingError = DeadlineExceeded(
                        "no answer before the deadline; ask again with the same key"
                    )
                except TradingError as error:
                    failure = error
                except (asyncio.CancelledError, grpc.aio.AbortError):
                    calls.answered(CANCELLED, time.monotonic() - started)
                    raise
                except Exception as error:
                    failure = self._our_fault(method, error)
                self._tell(method, failure, started)
                calls.answered(failure.kind.value, time.monotonic() - started)
                return await abort_with(context, failure)

        return call

    def _streaming(self, method: str, behaviour: Callable[[Any, Context], Any]) -> Callable[[Any, Context], Any]:
        calls = self._figures.of(method)

        async def call(request: Any, context: Context) -> AsyncIterator[Any]:
            with logs.bind(request_id=_request_id(context)), calls.streaming():
                started, principal = time.monotonic(), None
                try:
                    principal = await self._admission.admit(method, context)
                    async with self._while_good(principal):
                        async for response in behaviour(request, context):
                            yield response
                    calls.answered(OK)
                    return
                except TimeoutError:
                    failure: TradingError = self._end_of_stream(principal)
                except TradingError as error:
                    failure = error
                except (asyncio.CancelledError, grpc.aio.AbortError, GeneratorExit):
                    calls.answered(CANCELLED)
                    raise
                except Exception as error:
                    failure = self._our_fault(method, error)
                self._tell(method, failure, started)
                calls.answered(failure.kind.value)
                await abort_with(context, failure)

        return call

    @asynccontextmanager
    async def _while_good(self, principal: Principal | None) -> AsyncIterator[None]:
        """Let a stream run until it ends, the server stops, or who opened it counts no longer. Raises TimeoutError then."""
        seconds = max(principal.expires_at - time.time(), 0.0) if principal else None
        async with asyncio.timeout(seconds) as limit:
            self._streams[limit] = principal.token_id if principal else ""
            try:
                yield
            finally:
                del self._streams[limit]

    def _end_of_stream(self, principal: Principal | None) -> TradingError:
        if self._stopping or principal is None:
            return GoingAway("the server stops; go on from the last position", retry_after_seconds=0.5)
        if time.time() < principal.expires_at:
            return TokenRevoked("the token was revoked; go on from the last position with a new one")
        return TokenExpired("the token has expired; go on from the last position with a new one")

    def end_streams(self) -> None:
        """End all streams now: the server stops."""
        self._stopping = True
        for limit in self._streams:
            _end(limit)

    def end_streams_of(self, token_id: str) -> None:
        """End the streams that were opened with a token."""
        for limit, opened_with in self._streams.items():
            if opened_with == token_id:
                _end(limit)

    def _our_fault(self, method: str, error: Exception) -> TradingError:
        self._logger.error("call failed", method=method, exc_info=error)
        return Internal("something broke on our side; the log has it under the request id")

    def _tell(self, method: str, failure: TradingError, started: float) -> None:
        elapsed_ms = round((time.monotonic() - started) * 1000, 1)
        self._logger.info(
            "call refused", method=method, reason=failure.reason, outcome=failure.outcome.value, ms=elapsed_ms
        )


def _end(limit: asyncio.Timeout) -> None:
    if not limit.expired():
        limit.reschedule(asyncio.get_running_loop().time())


def _request_id(context: Context) -> str:
    given = metadata_value(context, "x-request-id")
    return given[:64] if given.isprintable() and given else uuid4().hex


def _seconds_left(context: Context) -> float:
    remaining = context.time_remaining()
    if remaining is None:
        return DEFAULT_DEADLINE_SECONDS
    return float(max(remaining - DEADLINE_MARGIN_SECONDS, 0.001))
