"""What may be sent: the journal's rows, and what follows for a command from the row that its order has. Pure.

One row per order, and the first one written holds for ever: it is what keeps an order from being sent twice, or sent after it
was canceled, whichever message comes again, late, or out of order.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum, StrEnum

from msgspec import Struct

from exchange_gw.command import Asks, Command
from exchange_gw.report import Verdict


class Decision(StrEnum):
    """The two things that can be decided about an order."""

    SEND = "SEND"
    NEVER_SEND = "NEVER_SEND"


class Row(Struct, frozen=True, kw_only=True):
    """The decision about an order. `logon` numbers the session that it was last sent in; the number grows with every logon.

    `claim` names the attempt that wrote it: whoever repeats a write of which the outcome is unknown finds its own row.
    `verdict` says why it will never reach the venue: with NEVER_SEND from the start, with SEND once it is proven that the
    venue never got it and it may not be sent any more.
    """

    command: Command
    decision: Decision
    decide_time: datetime
    claim: str = ""
    logon: int = 0
    verdict: Verdict | None = None

    @property
    def order_id(self) -> str:
        """Return the order decided on."""
        return self.command.order_id


class Standpoint(Struct, frozen=True):
    """What is true for a lane while it looks at some commands."""

    now: datetime
    logon: int
    is_open: bool


class Plan(Enum):
    """What to do with the journal before a command is carried out."""

    CLAIM = "insert SEND"
    BURY = "insert NEVER_SEND"
    LOOK = "read the row"
    PASS = "needs no row"  # noqa: S105 - not a password
    WAIT = "not now"


class Deed(Enum):
    """What to do for a command once its row is known."""

    SEND = "hand it to the session"
    TELL = "report the verdict"
    ASK = "ask the venue"
    WAIT = "not now"


# A change of an order that nobody has sent yet looks again so often.
LOOK_AGAIN = timedelta(seconds=1)


def plan_for(command: Command, here: Standpoint, *, allowed: bool, sent: bool) -> Plan:
    """Return what a command needs from the journal. `allowed` is the operators' word, `sent` that we know it was sent."""
    match command.asks:
        case Asks.SUBMIT:
            if command.is_late(here.now):
                return Plan.BURY
            return Plan.CLAIM if here.is_open and allowed else Plan.WAIT
        case Asks.CANCEL:
            return Plan.PASS if sent or command.is_known_at_venue else Plan.BURY
        case _:
            return Plan.PASS if sent or command.is_known_at_venue else Plan.LOOK


def new_row(command: Command, plan: Plan, here: Standpoint, *, claim: str) -> Row:
    """Return the row that a plan to CLAIM or BURY inserts."""
    if plan is Plan.CLAIM:
        return Row(command=command, decision=Decision.SEND, decide_time=here.now, claim=claim, logon=here.logon)
    verdict = Verdict.CANCELED_UNSENT if command.asks is Asks.CANCEL else Verdict.EXPIRED_UNSENT
    return Row(command=command, decision=Decision.NEVER_SEND, decide_time=here.now, claim=claim, verdict=verdict)


def deed_for(command: Command, row: Row | None, here: Standpoint, *, plan: Plan, inserted: bool, allowed: bool) -> Deed:
    """Return what to do for a command whose order has this row, written for this very command if `inserted`."""
    if row is not None and row.verdict is not None:
        return Deed.TELL
    if command.asks is Asks.SUBMIT:
        # A row from before: what was sent and not answered is watched; this one was answered, so the venue may be asked,
        # and whatever it says the order is not sent again.
        return Deed.SEND if inserted else Deed.ASK
    if command.asks is Asks.QUERY:
        return Deed.ASK
    nobody_sent_it = row is None and plan is not Plan.PASS
    if nobody_sent_it or not (here.is_open and allowed):
        return Deed.WAIT
    return Deed.SEND


def waves(commands: Sequence[Command]) -> list[list[int]]:
    """Split commands into runs in which no order occurs twice, by index, so that each order's commands keep their order."""
    rounds: list[list[int]] = []
    seen: dict[str, int] = {}
    for index, command in enumerate(commands):
        place = seen.get(command.order_id, 0)
        if place == len(rounds):
            rounds.append([])
        rounds[place].append(index)
        seen[command.order_id] = place + 1
    return rounds
