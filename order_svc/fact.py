"""What can happen to an order, and who says so. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Source(StrEnum):
    """Who decided something."""

    USER = "USER"
    RISK = "RISK"
    GATEWAY = "GATEWAY"
    EXCHANGE = "EXCHANGE"
    RECONCILIATION = "RECONCILIATION"


class Kind(StrEnum):
    """Kinds of fact."""

    SUBMITTED = "SUBMITTED"
    PLACED = "PLACED"
    FILL = "FILL"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    CANCELED = "CANCELED"
    CANCEL_REJECTED = "CANCEL_REJECTED"
    REPLACE_REQUESTED = "REPLACE_REQUESTED"
    REPLACED = "REPLACED"
    REPLACE_REJECTED = "REPLACE_REJECTED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    UNCERTAIN = "UNCERTAIN"
    BUST = "BUST"
    CORRECTION = "CORRECTION"


# Facts that only the exchange, or our own decision never to send, can make: each proves what became of the submission.
PROOF = frozenset(
    {Kind.PLACED, Kind.FILL, Kind.CANCELED, Kind.REPLACED, Kind.REPLACE_REJECTED, Kind.REJECTED, Kind.EXPIRED}
)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is as it is: a stable code, who decided, and words for a person."""

    code: str
    source: Source
    message: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened to an order. `fact_id` is its identity: the same id is the same fact, for ever.

    `time` is the clock of whoever did it, `record_time` ours when we stored it. Prices are micros, quantities shares.
    `cumulative` is the exchange's own count of the filled shares at that moment, 0 when it did not say. `hops` are the moments of
    the submission (microseconds since 1970: committed, published, intent, sent; 0 for unknown), on the first fact after it.
    """

    fact_id: str
    kind: Kind
    time: datetime
    record_time: datetime
    exec_id: str = ""
    exec_ref_id: str = ""
    quantity: int = 0
    price_micros: int = 0
    exchange_order_id: str = ""
    command_id: str = ""
    number: int = 0
    reason: Reason | None = None
    cumulative: int = 0
    hops: tuple[int, ...] = ()

    @property
    def identity(self) -> str:
        """Return what makes two facts one: for a fill the exchange's exec_id (FIX tag 17), else the fact's own id."""
        return f"exec:{self.exec_id}" if self.kind is Kind.FILL else self.fact_id
