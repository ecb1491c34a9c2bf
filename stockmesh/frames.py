"""JSON-RPC 2.0 as text: requests out; responses, errors and notifications in. Pure."""

from dataclasses import dataclass
from typing import Any

import msgspec

from stockmesh.errors import Outcome, Refused, Retry, UnexpectedAnswer

# https://www.jsonrpc.org/specification#error_object; the server's own errors carry their reason in `data`.
STANDARD_REASONS = {
    -32700: "PARSE_ERROR",
    -32600: "INVALID_REQUEST",
    -32601: "METHOD_NOT_FOUND",
    -32602: "INVALID_PARAMS",
    -32603: "INTERNAL",
}
# Close codes: https://www.rfc-editor.org/rfc/rfc6455#section-7.4; from 4500 on the same again would fail again.
FIRST_FINAL_CODE = 4500
LAST_PRIVATE_CODE = 4999


@dataclass(frozen=True, slots=True)
class Answer:
    """The response to the request with this id: a result, or an error."""

    id: int
    result: Any = None
    error: Refused | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """Something that the server tells without being asked."""

    method: str
    params: dict[str, Any]


def request(identity: int, method: str, params: dict[str, Any]) -> str:
    """Return the text frame of a request."""
    frame = {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}
    return msgspec.json.encode(frame).decode()


def parse(text: str | bytes) -> Answer | Notification:
    """Return what a frame of the server says. Raises UnexpectedAnswer when it is no JSON-RPC 2.0 of ours."""
    try:
        frame = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UnexpectedAnswer(f"the server sent a frame that is no JSON: {error}") from None
    if not isinstance(frame, dict) or frame.get("jsonrpc") != "2.0":
        raise UnexpectedAnswer("the server sent a frame that is no JSON-RPC 2.0")
    method, identity = frame.get("method"), frame.get("id")
    if isinstance(method, str) and identity is None:
        params = frame.get("params")
        return Notification(method, params if isinstance(params, dict) else {})
    refusal = _refusal(frame["error"]) if isinstance(frame.get("error"), dict) else None
    if refusal is not None and identity is None:
        # The server could not read what was sent, so it cannot say of which request it speaks.
        raise UnexpectedAnswer(f"the server could not read a frame: {refusal.message}")
    if not isinstance(identity, int) or (refusal is None and "result" not in frame):
        raise UnexpectedAnswer("the server sent a response without an id, or with neither a result nor an error")
    return Answer(identity, frame.get("result"), refusal)


def _refusal(error: dict[str, Any]) -> Refused:
    given = error.get("data")
    data: dict[str, Any] = given if isinstance(given, dict) else {}
    retry_after_ms = data.get("retryAfterMs")
    details = data.get("details")
    code = error.get("code")
    return Refused(
        _words(error.get("message"), details if isinstance(details, dict) else {}),
        reason=str(data.get("reason") or STANDARD_REASONS.get(code if isinstance(code, int) else 0, "INTERNAL")),
        outcome=_word(Outcome, data.get("outcome"), Outcome.NOT_EXECUTED),
        retry=_word(Retry, data.get("retry"), Retry.NEVER),
        retry_after_seconds=retry_after_ms / 1000
        if isinstance(retry_after_ms, int | float) and retry_after_ms
        else None,
        details=details if isinstance(details, dict) else {},
    )


def _words(message: object, details: dict[str, Any]) -> str:
    """Return what is wrong: for the protocol's own errors, whose message is fixed, the details say it."""
    problem, field = details.get("problem"), details.get("field")
    if not problem:
        return str(message or "refused")
    return f"{field}: {problem}" if field else str(problem)


def _word(kind: Any, given: object, default: Any) -> Any:
    return kind(given) if given in set(kind) else default


def is_final(code: int) -> bool:
    """Tell whether a close code ends the session for good."""
    return FIRST_FINAL_CODE <= code <= LAST_PRIVATE_CODE
