"""One call to a service: with who asks, a deadline, and the service's own error when it fails."""

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import grpc
from google.protobuf.message import Message

from runtime.rpc_errors import error_from

Response = TypeVar("Response", bound=Message)
# A method of a gRPC stub.
Method: TypeAlias = Callable[..., Any]


async def ask(
    method: Method, request: Message, kind: type[Response], *, seconds: float, token: str, request_id: str
) -> Response:
    """Return what the service answers within `seconds`. Raises the TradingError that it raised, or one that says what broke."""
    metadata = [("x-request-id", request_id)]
    if token:
        metadata.append(("authorization", f"Bearer {token}"))
    call = method(request, timeout=seconds, metadata=metadata)
    try:
        response = await call
    except grpc.aio.AioRpcError as failure:
        raise error_from(failure) from None
    finally:
        # grpc #43462: a call that is only forgotten is never freed.
        call.cancel()
    assert isinstance(response, kind)  # noqa: S101 - tells the type; stubs are untyped here
    return response
