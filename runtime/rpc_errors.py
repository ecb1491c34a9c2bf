"""How an error crosses a gRPC hop: google.rpc.Status with ErrorInfo and RetryInfo (AIP-193), and back into the same error."""

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from runtime.errors import Kind, Outcome, TradingError, rebuilt

DOMAIN = "stockmesh"
OUTCOME = "outcome"

_KIND_OF_CODE = {code: Kind(code.name) for code in grpc.StatusCode if code.name in Kind.__members__}
# What a server that is not ours, or gRPC itself, may answer.
_KIND_OF_CODE |= {
    grpc.StatusCode.CANCELLED: Kind.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED: Kind.UNAVAILABLE,
    grpc.StatusCode.UNKNOWN: Kind.INTERNAL,
    grpc.StatusCode.DATA_LOSS: Kind.INTERNAL,
    grpc.StatusCode.UNIMPLEMENTED: Kind.INTERNAL,
}


def status_of(error: TradingError) -> status_pb2.Status:
    """Return the google.rpc.Status that tells a client everything about the error that it may know."""
    info = error_details_pb2.ErrorInfo(
        reason=error.reason, domain=DOMAIN, metadata={**error.metadata, OUTCOME: error.outcome.value}
    )
    details = [_packed(info)]
    if error.retry_after_seconds is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(round(error.retry_after_seconds * 1000))
        details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    code = grpc.StatusCode[error.kind.value].value[0]
    return status_pb2.Status(code=code, message=error.message, details=details)


def _packed(message: error_details_pb2.ErrorInfo | error_details_pb2.RetryInfo) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


async def abort_with(context: "grpc.aio.ServicerContext[object, object]", error: TradingError) -> None:
    """End the call with the error. Always raises."""
    status = rpc_status.to_status(status_of(error))
    await context.abort(status.code, status.details, tuple(status.trailing_metadata))


def error_from(failure: grpc.aio.AioRpcError) -> TradingError:
    """Return the error that the other side raised; when gRPC itself failed, one that says so.

    Without an ErrorInfo the outcome is what the status allows to conclude: a call that never left was not executed, a call
    that was cut is UNKNOWN.
    """
    kind = _KIND_OF_CODE.get(failure.code(), Kind.INTERNAL)
    reason, metadata, retry_after = kind.value, dict[str, str](), None
    outcome = Outcome.NOT_EXECUTED if kind in _NEVER_EXECUTED else Outcome.UNKNOWN
    status = _status_in(failure)
    for detail in status.details if status else ():
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            reason, metadata = info.reason, dict(info.metadata)
            outcome = Outcome(metadata.pop(OUTCOME, outcome.value))
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToMilliseconds() / 1000
    return rebuilt(
        kind, reason, failure.details() or reason, outcome=outcome, metadata=metadata, retry_after_seconds=retry_after
    )


_NEVER_EXECUTED = frozenset(Kind) - {Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED, Kind.INTERNAL}


def _status_in(failure: grpc.aio.AioRpcError) -> status_pb2.Status | None:
    for key, value in failure.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            return status_pb2.Status.FromString(value)
    return None
