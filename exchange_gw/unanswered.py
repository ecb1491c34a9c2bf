"""What was handed to the venue and not answered: when to ask, when to say so, and when absence is proven. Pure.

A time-out is not a rejection, and silence proves nothing. Times are monotonic seconds.
"""

import random
from collections.abc import Iterable, Iterator

from msgspec import Struct

from exchange_gw.command import Asks, Command, number_of

MOST_SECONDS_BETWEEN_QUESTIONS = 30.0
ENOUGH_UNKNOWNS = 2


class Patience(Struct, frozen=True):
    """How long is too long, in seconds."""

    submitted_after: float = 0.1
    ask_after: float = 1.0
    uncertain_after: float = 3.0
    absence_grace: float = 2.0


class Open(Struct):
    """A request without an answer. `logon` numbers the session that it was last sent in, `batch` its note in the database."""

    command: Command
    logon: int
    batch: str
    since: float
    next_question: float
    questions: int = 0
    # For a submission: SUBMITTED has been told, or something that proves more.
    announced: bool = False
    told: bool = False
    unknowns: int = 0
    first_unknown: float = 0.0
    # The same said in the session that the order was sent in: a reason to begin another one.
    doubts: int = 0
    first_doubt: float = 0.0
    # For a change: the venue knows the order and has not made the change, so it may be asked for again.
    unmade: bool = False

    @property
    def cl_ord_id(self) -> str:
        """Return the request's name at the venue."""
        return self.command.cl_ord_id


class Unanswered:
    """All requests of a lane without an answer."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self._open: dict[str, Open] = {}
        self._of_order: dict[str, list[Open]] = {}
        self._left: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, command: Command, *, logon: int, batch: str, now: float) -> Open:
        """Take in a request that is being sent, or was. One that is known already stays as it is."""
        known = self._open.get(command.cl_ord_id)
        if known is not None:
            return known
        asked = now + self.patience.ask_after
        entry = Open(command=command, logon=logon, batch=batch, since=now, next_question=asked)
        self._open[command.cl_ord_id] = entry
        self._of_order.setdefault(command.order_id, []).append(entry)
        self._left[batch] = self._left.get(batch, 0) + 1
        return entry

    def __iter__(self) -> Iterator[Open]:
        return iter(list(self._open.values()))

    def get(self, cl_ord_id: str) -> Open | None:
        """Return a request by its name, if it is without an answer."""
        return self._open.get(cl_ord_id)

    def of_order(self, order_id: str) -> tuple[Open, ...]:
        """Return the requests about an order without an answer."""
        return tuple(self._of_order.get(order_id, ()))

    def settle(self, entry: Open) -> None:
        """Take a request out that has been answered."""
        if self._open.pop(entry.cl_ord_id, None) is None:
            return
        rest = [other for other in self._of_order[entry.command.order_id] if other is not entry]
        if rest:
            self._of_order[entry.command.order_id] = rest
        else:
            del self._of_order[entry.command.order_id]
        self._left[entry.batch] -= 1

    @property
    def batches(self) -> tuple[str, ...]:
        """Return the batches known."""
        return tuple(self._left)

    def finished_batches(self) -> list[str]:
        """Return the batches of which every request has been answered."""
        return [batch for batch, left in self._left.items() if not left]

    def forget(self, batches: Iterable[str]) -> None:
        """Forget finished batches; one that is forgotten already, or has begun again, stays as it is."""
        for batch in batches:
            if not self._left.get(batch, 1):
                del self._left[batch]

    def begin(self, batch: str) -> None:
        """Know a batch before it is noted; it is not finished before `complete`, even while it has no request yet."""
        self._left[batch] = self._left.get(batch, 0) + 1

    def abandon(self, batch: str) -> None:
        """Forget a batch of which nobody knows what was noted; whoever takes up notes finds out."""
        self._left.pop(batch, None)

    def complete(self, batch: str) -> None:
        """Note that no more requests will be added to a batch."""
        self._left[batch] -= 1

    def to_tell(self, now: float) -> list[Open]:
        """Return, once each, the requests that have been without an answer for too long."""
        return self._mark_told(entry for entry in self if now - entry.since > self.patience.uncertain_after)

    def all_to_tell(self) -> list[Open]:
        """Return the requests, once each, when the session is over: whether they arrived is unknown."""
        return self._mark_told(self)

    @staticmethod
    def _mark_told(entries: Iterable[Open]) -> list[Open]:
        untold = [entry for entry in entries if not entry.told]
        for entry in untold:
            entry.told = True
        return untold

    def to_ask(self, now: float, *, most: int) -> list[Open]:
        """Return requests to ask the venue about now; each is asked about again later, with growing delays and jitter."""
        due = [entry for entry in self if entry.next_question <= now][:most]
        for entry in due:
            entry.questions += 1
            delay = min(self.patience.ask_after * 2**entry.questions, MOST_SECONDS_BETWEEN_QUESTIONS)
            entry.next_question = now + delay * random.uniform(0.75, 1.25)  # noqa: S311 - only spreads questions
        return due

    def ask_all_now(self, now: float) -> None:
        """Ask about everything as soon as possible: a new session stands."""
        for entry in self:
            entry.next_question, entry.doubts, entry.first_doubt = now, 0, 0.0

    def hear_unknown(self, order_id: str, *, logon: int, now: float) -> None:
        """Note that the venue says it does not know an order, in the session `logon`.

        It counts only in a session newer than the one that the order was sent in: in the same one it may be on its way.
        """
        for entry in self.of_order(order_id):
            if entry.command.asks is not Asks.SUBMIT:
                continue
            entry.next_question = min(entry.next_question, now + self.patience.absence_grace)
            if logon <= entry.logon:
                entry.first_doubt = entry.first_doubt if entry.doubts else now
                entry.doubts += 1
            else:
                entry.first_unknown = entry.first_unknown if entry.unknowns else now
                entry.unknowns += 1

    def is_absent(self, entry: Open, now: float) -> bool:
        """Tell whether it is proven that the venue never got an order."""
        return entry.unknowns >= ENOUGH_UNKNOWNS and now - entry.first_unknown >= self.patience.absence_grace

    def absent(self, now: float) -> list[Open]:
        """Return the orders of which it is proven that the venue never got them."""
        return [entry for entry in self if self.is_absent(entry, now)]

    def needs_new_session(self, now: float) -> bool:
        """Tell whether the absence of an order can only be proven in another session than this one, and is likely."""
        return any(
            entry.doubts >= ENOUGH_UNKNOWNS and now - entry.first_doubt >= self.patience.absence_grace
            for entry in self._open.values()
        )

    def sent_again(self, entry: Open, *, logon: int, now: float) -> None:
        """Note that a request was sent once more; whatever was proven before is void."""
        entry.logon, entry.unknowns, entry.first_unknown, entry.unmade = logon, 0, 0.0, False
        entry.doubts, entry.first_doubt = 0, 0.0
        entry.next_question = now + self.patience.ask_after


def answered_by(entries: Iterable[Open], cl_ord_id: str, *, ended: bool) -> list[Open]:
    """Return those requests about one order that a report of it answers.

    The order has had `cl_ord_id` as its newest name, or it is the name of the request that the report answers. Any report
    proves that the venue got the order; only its end, or its own answer, settles a cancel; a change is settled by its number.
    """
    answered = []
    for entry in entries:
        match entry.command.asks:
            case Asks.SUBMIT:
                answers = True
            case Asks.REPLACE:
                answers = ended or number_of(cl_ord_id) >= entry.command.number
            case _:
                answers = ended
        if answers:
            answered.append(entry)
    return answered
