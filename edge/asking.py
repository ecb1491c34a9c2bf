"""One call to a service: with who asks, a deadline, and the service's own error when it fails."""

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import grpc
from google.protobuf.message import Message

from runtime import logs
from runtime.errors import TradingError
from runtime.rpc_errors import error_from

Response = TypeVar("Response", bound=Message)
# A method of a gRPC stub.
Method: TypeAlias = Callable[..., Any]

# What a client is told where gRPC itself failed; its own words name addresses that are nobody's business.
_WORDS = {
    "UNAVAILABLE": "a service that is needed cannot be reached now",
    "DEADLINE_EXCEEDED": "no answer came in time",
    "INTERNAL": "something broke on our side",
}

logger = logs.get_logger("edge.asking")


async def ask(
    method: Method,
    request: Message,
    kind: type[Response],
    *,
    seconds: float,
    token: str,
    request_id: str,
    received_ms: int = 0,
) -> Response:
    """Return what the service answers within `seconds`. Raises the TradingError that it raised, or one that says what broke.

    `received_ms` is when the client's request arrived here (ms since 1970), where the service keeps that.
    """
    metadata = [("x-request-id", request_id)]
    if received_ms:
        metadata.append(("x-received-time", str(received_ms)))
    if token:
        metadata.append(("authorization", f"Bearer {token}"))
    call = method(request, timeout=seconds, metadata=metadata)
    try:
        response = await call
    except grpc.aio.AioRpcError as failure:
        raise _told(failure, request_id) from None
    finally:
        # grpc #43462: a call that is only forgotten is never freed.
        call.cancel()
    assert isinstance(response, kind)  # noqa: S101 - tells the type; stubs are untyped here
    return response


def _told(failure: grpc.aio.AioRpcError, request_id: str) -> TradingError:
    error = error_from(failure)
    words = _WORDS.get(error.reason)
    if words is not None:
        logger.warning("call failed", request_id=request_id, code=failure.code().name, details=failure.details())
        error.message = words
    return error
