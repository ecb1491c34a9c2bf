"""What an edge answers and tells: JSON-RPC 2.0 responses, errors and notifications as ready bytes. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import msgspec

from edge.frames import (
    APPLICATION_ERROR,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    Fault,
)
from runtime.errors import Kind, Outcome, TradingError

Retry: TypeAlias = Literal["never", "same_key", "after"]

encode = msgspec.json.Encoder().encode
# The specification's own words for its own codes.
_MESSAGES = {
    PARSE_ERROR: "Parse error",
    INVALID_REQUEST: "Invalid Request",
    METHOD_NOT_FOUND: "Method not found",
    INVALID_PARAMS: "Invalid params",
    INTERNAL_ERROR: "Internal error",
}
# Failures that pass by themselves; without a word from the service, ask again after this.
_PASSING = frozenset({Kind.UNAVAILABLE, Kind.RESOURCE_EXHAUSTED, Kind.DEADLINE_EXCEEDED})
RETRY_AFTER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Done:
    """What a request came to: the JSON text of its result, and what happens once that is on its way.

    A result that is a function is made at the moment of sending: then nothing newer can have been sent before it.
    """

    result: bytes | Callable[[], bytes]
    then: Callable[[], None] | None = None


def result(identity: bytes, text: bytes) -> bytes:
    """Return the response to a request that went well; both arguments are JSON texts."""
    return b'{"jsonrpc":"2.0","result":%b,"id":%b}' % (text, identity)


def batch(responses: Iterable[bytes]) -> bytes:
    """Return the one frame that answers a batch."""
    return b"[%b]" % b",".join(responses)


def notification(method: str, params: bytes) -> bytes:
    """Return a frame that asks for no answer; `params` is JSON text."""
    return b'{"jsonrpc":"2.0","method":"%b","params":%b}' % (method.encode(), params)


def fault(identity: bytes, broken: Fault) -> bytes:
    """Return the error response to a frame that breaks the protocol."""
    details = {"problem": broken.problem} | ({"field": broken.field} if broken.field else {})
    return _error(identity, broken.code, _MESSAGES[broken.code], broken.reason, details=details)


def internal(identity: bytes, *, request_id: str) -> bytes:
    """Return the error response to a request that broke this edge; the log has it under the request id."""
    return _error(
        identity,
        INTERNAL_ERROR,
        _MESSAGES[INTERNAL_ERROR],
        "INTERNAL",
        outcome=Outcome.UNKNOWN,
        retry="same_key",
        details={"requestId": request_id},
    )


def refusal(identity: bytes, error: TradingError, *, has_effect: bool, **details: str) -> bytes:
    """Return the error response to a request that a service, or this edge in its name, refuses.

    `has_effect` says that the request changes something, so that it matters whether it was executed.
    """
    retry, after_seconds = _retry(error, has_effect=has_effect)
    told = {_camel(key): value for key, value in error.metadata.items()} | details
    if "field" in told:
        told["field"] = _camel(told["field"])
    return _error(
        identity,
        APPLICATION_ERROR,
        error.message,
        error.reason,
        outcome=error.outcome if has_effect else Outcome.NOT_EXECUTED,
        retry=retry,
        retry_after_ms=round(after_seconds * 1000),
        details=told,
    )


def _retry(error: TradingError, *, has_effect: bool) -> tuple[Retry, float]:
    after = error.retry_after_seconds
    if has_effect and error.outcome is Outcome.UNKNOWN:
        return "same_key", after or 0.0
    if after is not None or error.kind in _PASSING:
        return "after", RETRY_AFTER_SECONDS if after is None else after
    return "never", 0.0


def _error(
    identity: bytes,
    code: int,
    message: str,
    reason: str,
    *,
    outcome: Outcome = Outcome.NOT_EXECUTED,
    retry: Retry = "never",
    retry_after_ms: int = 0,
    details: dict[str, Any],
) -> bytes:
    error = {
        "code": code,
        "message": message,
        "data": {
            "reason": reason,
            "outcome": outcome.value,
            "retry": retry,
            "retryAfterMs": retry_after_ms,
            "details": details,
        },
    }
    return b'{"jsonrpc":"2.0","error":%b,"id":%b}' % (encode(error), identity)


def _camel(name: str) -> str:
    """Return a proto field's name as JSON spells it: limit_price is limitPrice."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
