"""The port to a venue: what any exchange offers, in our own words. FIX is one way to speak it (fix.py). Pure."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeAlias

from msgspec import Struct

from exchange_gw.command import Command
from exchange_gw.tick import Instrument, Phase, Tick
from runtime.errors import Outcome, Unavailable


class VenueUnreachable(Unavailable):
    """No session with the exchange stands now, or it does not answer."""

    reason = "VENUE_UNREACHABLE"
    # What was handed over before the session fell may have arrived.
    outcome = Outcome.UNKNOWN


class Standing(StrEnum):
    """How we stand with the venue in one session."""

    AWAY = "AWAY"  # nobody answers
    REFUSED = "REFUSED"  # it answers and does not let us in: another gateway has the session
    LOGGED_ON = "LOGGED_ON"


class ExecType(StrEnum):
    """What an execution report tells (ExecType, tag 150)."""

    NEW = "NEW"
    FILL = "FILL"
    CANCELED = "CANCELED"
    REPLACED = "REPLACED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    STATUS = "STATUS"
    BUST = "BUST"
    CORRECTION = "CORRECTION"
    PENDING = "PENDING"  # the venue has a request and has not carried it out
    OTHER = "OTHER"


class OrdStatus(StrEnum):
    """Where the venue says an order is (OrdStatus, tag 39; the values are FIX's)."""

    NEW = "0"
    PARTIALLY_FILLED = "1"
    FILLED = "2"
    DONE_FOR_DAY = "3"
    CANCELED = "4"
    PENDING_CANCEL = "6"
    STOPPED = "7"
    REJECTED = "8"
    SUSPENDED = "9"
    PENDING_NEW = "A"
    CALCULATED = "B"
    EXPIRED = "C"
    ACCEPTED_FOR_BIDDING = "D"
    PENDING_REPLACE = "E"
    UNKNOWN = ""


ENDED = frozenset({OrdStatus.FILLED, OrdStatus.CANCELED, OrdStatus.REJECTED, OrdStatus.EXPIRED})

# Words for OrdRejReason (103) and CxlRejReason (102) that we act on.
UNKNOWN_ORDER = "UNKNOWN_ORDER"
DUPLICATE_ORDER = "DUPLICATE_ORDER"


class Part(Struct, frozen=True):
    """Place of a status in the answer to a question about all orders."""

    request_id: str
    total: int
    is_last: bool


class Execution(Struct, frozen=True, kw_only=True):
    """What the venue says of an order: something happened, or (STATUS) this is how it stands. Prices are micros.

    Without an order (`is_empty`) it only says that the answer to a question about all orders has no entries.
    """

    cl_ord_id: str
    exec_type: ExecType
    status: OrdStatus
    orig_cl_ord_id: str = ""
    exchange_order_id: str = ""
    exec_id: str = ""
    exec_ref_id: str = ""
    account_id: str = ""
    symbol: str = ""
    quantity: int = 0
    price_micros: int = 0
    last_quantity: int = 0
    last_price_micros: int = 0
    cumulative_quantity: int = 0
    leaves_quantity: int = 0
    refusal: str = ""
    text: str = ""
    time: datetime | None = None
    request_id: str = ""
    part: Part | None = None

    @property
    def is_unknown(self) -> bool:
        """Tell whether the venue says that it has no such order."""
        return self.exec_type is ExecType.STATUS and self.refusal == UNKNOWN_ORDER

    @property
    def is_empty(self) -> bool:
        """Tell whether it ends an answer that has no entries."""
        return self.part is not None and not self.part.total


class TradePart(Struct, frozen=True, kw_only=True):
    """Part of an answer about executions: one of them as a report of its kind, or (None) that there are none.

    `refusal` says why there is no answer, `is_unsupported` that there never will be one.
    """

    request_id: str
    is_last: bool
    trade: Execution | None = None
    refusal: str = ""
    is_unsupported: bool = False


class ChangeRefused(Struct, frozen=True, kw_only=True):
    """The venue refuses a cancel or a replace."""

    cl_ord_id: str
    orig_cl_ord_id: str
    is_replace: bool
    refusal: str
    text: str = ""
    exchange_order_id: str = ""
    time: datetime | None = None


class Unsupported(Struct, frozen=True, kw_only=True):
    """The venue could not take a message at all; `name` is the ClOrdID it had, or the id of the question."""

    message_type: str
    name: str
    code: str
    text: str


class LoggedOn(Struct, frozen=True):
    """The session stands."""


class LoggedOut(Struct, frozen=True):
    """The session is over, whoever ended it. What was handed over and not answered may or may not have arrived."""


OrderEvent: TypeAlias = LoggedOn | LoggedOut | Execution | TradePart | ChangeRefused | Unsupported
# Called with what was heard, in order; while it waits nothing more is read from the venue.
OrderListener: TypeAlias = Callable[[Sequence[OrderEvent]], Awaitable[None]]


class OrderSession(Protocol):
    """One session for orders. Sending raises VenueUnreachable when it does not stand."""

    @property
    def standing(self) -> Standing:
        """Return how we stand."""

    async def send(self, command: Command, *, again: bool = False) -> None:
        """Hand over a SUBMIT, CANCEL or REPLACE; `again` says that the venue may have had it before (PossResend)."""

    async def ask(self, command: Command, *, request_id: str = "") -> None:
        """Ask how the order of a command stands (H)."""

    async def ask_about(self, order_id: str, *, request_id: str) -> None:
        """Ask how an order stands of which only the id is known."""

    async def ask_all(self, request_id: str) -> None:
        """Ask how all orders stand (AF)."""

    async def ask_trades(self, request_id: str, *, since: datetime) -> None:
        """Ask for all executions since a time by the venue's clock (AD)."""

    async def ask_trades_of(self, command: Command, request_id: str) -> None:
        """Ask for all executions of the order of a command (AD)."""

    def hang_up(self) -> None:
        """End a session that makes no sense any more; it is built up again."""


class Listed(Struct, frozen=True):
    """Some of the instruments that the venue trades; `is_last` ends the list."""

    instruments: tuple[Instrument, ...]
    is_last: bool


MarketEvent: TypeAlias = LoggedOn | LoggedOut | Listed | list[Tick] | Phase
MarketListener: TypeAlias = Callable[[Sequence[MarketEvent]], Awaitable[None]]


class MarketSession(Protocol):
    """The session for market data."""

    async def list_instruments(self, *, epoch: int) -> None:
        """Ask for all instruments; what is heard from now on carries the epoch."""

    async def watch(self, symbols: Sequence[str]) -> None:
        """Ask for the prices of symbols from now on."""

    def hang_up(self) -> None:
        """End a session that makes no sense any more; it is built up again."""


class SessionState(Struct, frozen=True):
    """How one session stands, for operators."""

    sender: str
    target: str
    standing: Standing
    change_time: datetime | None
    logons: int


class Clock(Protocol):
    """Tells the time."""

    def __call__(self) -> datetime:
        """Return now, in UTC."""
