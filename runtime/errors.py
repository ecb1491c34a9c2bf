"""Everything that can go wrong in words a caller can act on. Imports nothing, so that rules may raise it.

TradingError
├── InvalidArgument      the request can never succeed as it is
├── NotFound             there is no such thing, or it is another account's
├── AlreadyExists        the key is taken by something else
├── FailedPrecondition   the request is fine, the world is not
├── OutOfRange           a position lies outside of what is kept
├── ResourceExhausted    a limit is reached; later it may work
├── Unauthenticated      nobody knows who is asking
├── PermissionDenied     who is asking may not
├── Unavailable          a part is away; nothing happened
│   └── Contended        the database is busy with the same documents
├── DeadlineExceeded     time ran out; what happened is unknown
└── Internal             our fault
Malformed                a message on the bus that no repetition can mend (not an answer to a caller)
"""

from enum import Enum
from typing import ClassVar


class Kind(Enum):
    """Coarse class of a failure. The names are gRPC's status codes (https://grpc.io/docs/guides/status-codes/)."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    UNAVAILABLE = "UNAVAILABLE"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    INTERNAL = "INTERNAL"


class Outcome(Enum):
    """Whether the failed request had an effect all the same."""

    NOT_EXECUTED = "NOT_EXECUTED"
    EXECUTED = "EXECUTED"
    UNKNOWN = "UNKNOWN"


class TradingError(Exception):
    """A failure that may cross a process and reach a client.

    `reason` is stable and in UPPER_SNAKE_CASE (AIP-193); the message is for people; `metadata` holds what a program needs
    (limit, actual, field). `retry_after_seconds` is set where asking again later helps.
    """

    reason: str = "INTERNAL"
    kind: ClassVar[Kind] = Kind.INTERNAL
    outcome: Outcome = Outcome.NOT_EXECUTED

    def __init__(self, message: str, *, retry_after_seconds: float | None = None, **metadata: object) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_seconds = retry_after_seconds
        self.metadata = {name: str(value) for name, value in metadata.items()}


class InvalidArgument(TradingError):
    """The request can never succeed as it is."""

    reason = "INVALID_ARGUMENT"
    kind = Kind.INVALID_ARGUMENT


class NotFound(TradingError):
    """There is no such thing, or it belongs to another account: the two are not told apart."""

    reason = "NOT_FOUND"
    kind = Kind.NOT_FOUND


class AlreadyExists(TradingError):
    """The key is taken by something else."""

    reason = "ALREADY_EXISTS"
    kind = Kind.ALREADY_EXISTS


class FailedPrecondition(TradingError):
    """The request is fine, but not now."""

    reason = "FAILED_PRECONDITION"
    kind = Kind.FAILED_PRECONDITION


class OutOfRange(TradingError):
    """A position lies outside of what is kept."""

    reason = "OUT_OF_RANGE"
    kind = Kind.OUT_OF_RANGE


class ResourceExhausted(TradingError):
    """A limit is reached; the same request may work later."""

    reason = "RESOURCE_EXHAUSTED"
    kind = Kind.RESOURCE_EXHAUSTED


class Unauthenticated(TradingError):
    """Nobody knows who is asking."""

    reason = "UNAUTHENTICATED"
    kind = Kind.UNAUTHENTICATED


class PermissionDenied(TradingError):
    """Who is asking is known and may not."""

    reason = "PERMISSION_DENIED"
    kind = Kind.PERMISSION_DENIED


class Unavailable(TradingError):
    """A part that is needed is away; nothing happened."""

    reason = "UNAVAILABLE"
    kind = Kind.UNAVAILABLE


class Contended(Unavailable):
    """Others keep changing the same documents, or a dead process's transaction still locks them; nothing was written."""

    reason = "DATABASE_CONTENDED"


class DeadlineExceeded(TradingError):
    """Time ran out before the answer; ask again with the same key to learn what happened."""

    reason = "DEADLINE_EXCEEDED"
    kind = Kind.DEADLINE_EXCEEDED
    outcome = Outcome.UNKNOWN


class Internal(TradingError):
    """Our fault. The log has the details under the request id."""

    reason = "INTERNAL"
    kind = Kind.INTERNAL
    outcome = Outcome.UNKNOWN


FAMILIES: dict[Kind, type[TradingError]] = {
    family.kind: family
    for family in (
        InvalidArgument,
        NotFound,
        AlreadyExists,
        FailedPrecondition,
        OutOfRange,
        ResourceExhausted,
        Unauthenticated,
        PermissionDenied,
        Unavailable,
        DeadlineExceeded,
        Internal,
    )
}


def rebuilt(
    kind: Kind,
    reason: str,
    message: str,
    *,
    outcome: Outcome,
    metadata: dict[str, str],
    retry_after_seconds: float | None = None,
) -> TradingError:
    """Return the error that another process raised, as it was before it crossed the wire (its exact subclass is lost)."""
    error = FAMILIES[kind](message, retry_after_seconds=retry_after_seconds)
    error.reason, error.outcome, error.metadata = reason, outcome, metadata
    return error


class Malformed(Exception):
    """A message on the bus that can never be handled, however often it is delivered."""
