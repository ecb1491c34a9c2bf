"""What the gateway says about orders: facts, each with an id that is a function of what happened. Pure."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class Kind(StrEnum):
    """Kinds of fact."""

    SUBMITTED = "SUBMITTED"
    PLACED = "PLACED"
    FILL = "FILL"
    CANCELED = "CANCELED"
    CANCEL_REJECTED = "CANCEL_REJECTED"
    REPLACED = "REPLACED"
    REPLACE_REJECTED = "REPLACE_REJECTED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    UNCERTAIN = "UNCERTAIN"
    BUST = "BUST"
    CORRECTION = "CORRECTION"


class Source(StrEnum):
    """Who decided."""

    USER = "USER"
    GATEWAY = "GATEWAY"
    EXCHANGE = "EXCHANGE"


class Reason(Struct, frozen=True):
    """Why something is as it is: a stable code, who decided, and words for a person."""

    code: str
    source: Source
    message: str = ""


class Verdict(StrEnum):
    """Why an order will never reach the venue."""

    CANCELED_UNSENT = "CANCELED_UNSENT"
    EXPIRED_UNSENT = "EXPIRED_UNSENT"


VENUE_SILENT = Reason("VENUE_SILENT", Source.GATEWAY, "the exchange has not answered yet; the gateway keeps asking")
DEAD_LETTERED = "DEAD_LETTERED"
NOTHING_SAID = -1


class Hops(Struct):
    """When a submission passed the places on its way to the venue; None for what is not known."""

    commit_time: datetime | None = None
    publish_time: datetime | None = None
    intent_time: datetime | None = None
    send_time: datetime | None = None


class Report(Struct, frozen=True, kw_only=True):
    """A fact about an order; the same id is the same fact. Prices are micros, quantities shares.

    `is_answer` says that it was asked for: whoever asked wants to hear it even if it was said before. `hops` comes with the
    first fact after a submission.
    """

    report_id: str
    kind: Kind
    order_id: str
    gateway_time: datetime
    client_order_id: str = ""
    account_id: str = ""
    exchange_order_id: str = ""
    exec_id: str = ""
    exec_ref_id: str = ""
    last_quantity: int = 0
    last_price_micros: int = 0
    cumulative_quantity: int = NOTHING_SAID
    command_id: str = ""
    new_quantity: int = 0
    new_limit_price_micros: int = 0
    replace_number: int = 0
    reason: Reason | None = None
    exchange_time: datetime | None = None
    is_answer: bool = False
    hops: Hops | None = None


_VERDICTS = {
    Verdict.CANCELED_UNSENT: (
        Kind.CANCELED,
        Reason("CANCELED_UNSENT", Source.USER, "canceled before it was sent to the exchange"),
    ),
    Verdict.EXPIRED_UNSENT: (
        Kind.EXPIRED,
        Reason("EXPIRED_UNSENT", Source.GATEWAY, "its time to be sent to the exchange ran out"),
    ),
}


def verdict_report(order_id: str, verdict: Verdict, now: datetime) -> Report:
    """Return the fact that an order ended without the venue."""
    kind, reason = _VERDICTS[verdict]
    return Report(
        report_id=report_id_of(kind, order_id),
        kind=kind,
        order_id=order_id,
        reason=reason,
        cumulative_quantity=0,
        gateway_time=now,
    )


def submitted_report(order_id: str, now: datetime) -> Report:
    """Return the fact that an order has been decided to be sent and is being handed over."""
    return Report(
        report_id=report_id_of(Kind.SUBMITTED, order_id), kind=Kind.SUBMITTED, order_id=order_id, gateway_time=now
    )


def silence_report(order_id: str, *, cl_ord_id: str, command_id: str, logon: int, now: datetime) -> Report:
    """Return the fact that the venue has not answered a request that was sent in the session `logon`."""
    return Report(
        report_id=report_id_of(Kind.UNCERTAIN, order_id, cl_ord_id, logon),
        kind=Kind.UNCERTAIN,
        order_id=order_id,
        command_id=command_id,
        reason=VENUE_SILENT,
        gateway_time=now,
    )


def dead_letter_report(order_id: str, *, command_id: str, sequence: int, detail: str, now: datetime) -> Report:
    """Return the fact that a command of an order cannot be handled and waits for an operator."""
    return Report(
        report_id=report_id_of(Kind.UNCERTAIN, order_id, "dead_lettered", sequence),
        kind=Kind.UNCERTAIN,
        order_id=order_id,
        command_id=command_id,
        reason=Reason(DEAD_LETTERED, Source.GATEWAY, detail),
        gateway_time=now,
    )


def report_id_of(kind: Kind, order_id: str, *more: object) -> str:
    """Return the id of a fact: the order, what happened, and what tells it from another of the same kind."""
    return ":".join((order_id, kind.value.lower(), *map(str, more)))
