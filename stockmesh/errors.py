"""Everything that can go wrong for a client, in words it can act on. Imports nothing.

StockmeshError
├── Refused            the server answered with an error: reason, outcome and retry are the server's
├── CannotConnect      no connection could be had
├── ConnectionLost     the connection went away before the answer
├── NoAnswer           the deadline passed before the answer (also a TimeoutError)
├── SessionClosed      the server closed the session for good (close codes from 4500): the same again would fail again
├── UnexpectedAnswer   the server sent something that is not in the contract
└── FellBehind         a reader of order updates is too slow for its queue
"""

from collections.abc import Mapping
from enum import StrEnum


class Outcome(StrEnum):
    """Whether the failed request had an effect all the same."""

    NOT_EXECUTED = "NOT_EXECUTED"
    EXECUTED = "EXECUTED"
    UNKNOWN = "UNKNOWN"


class Retry(StrEnum):
    """Whether asking again helps."""

    NEVER = "never"
    """The same request fails again."""
    SAME_KEY = "same_key"
    """Ask again with the same client_order_id: it gives the truth and never a second order."""
    AFTER = "after"
    """Ask again after retry_after_seconds."""


class StockmeshError(Exception):
    """A failure: `reason` is stable and in UPPER_SNAKE_CASE, `message` is for people, `details` for programs."""

    reason = "INTERNAL"
    outcome = Outcome.NOT_EXECUTED
    retry = Retry.NEVER

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        outcome: Outcome | None = None,
        retry: Retry | None = None,
        retry_after_seconds: float | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.reason
        self.outcome = outcome or self.outcome
        self.retry = retry or self.retry
        self.retry_after_seconds = retry_after_seconds
        self.details = dict(details or {})

    def __str__(self) -> str:
        return f"{self.reason}: {self.message} (outcome {self.outcome})"


class Refused(StockmeshError):
    """The server answered with an error."""


class CannotConnect(StockmeshError):
    """No connection could be had; nothing was sent."""

    reason = "CANNOT_CONNECT"
    retry = Retry.SAME_KEY


class ConnectionLost(StockmeshError):
    """The connection went away before the answer came."""

    reason = "CONNECTION_LOST"
    outcome = Outcome.UNKNOWN
    retry = Retry.SAME_KEY


class NoAnswer(StockmeshError, TimeoutError):
    """The deadline passed before the answer came."""

    reason = "NO_ANSWER"
    outcome = Outcome.UNKNOWN
    retry = Retry.SAME_KEY


class SessionClosed(StockmeshError):
    """The server closed the session for good: `code` is the WebSocket close code, 4500 or more."""

    reason = "SESSION_CLOSED"

    def __init__(self, message: str, *, code: int, reason: str | None = None) -> None:
        super().__init__(message, reason=reason)
        self.code = code


class UnexpectedAnswer(StockmeshError):
    """The server sent something that is not in the contract."""

    reason = "UNEXPECTED_ANSWER"
    outcome = Outcome.UNKNOWN


class FellBehind(StockmeshError):
    """The reader is slower than the account's updates; go on with order_updates(from_position=position)."""

    reason = "FELL_BEHIND"

    def __init__(self, message: str, *, position: str) -> None:
        super().__init__(message)
        self.position = position
