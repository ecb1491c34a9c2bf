"""What operators may see and do. Every act is written down with who and why before it takes effect."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from exchange_gw.exchange import Clock, Execution, SessionState
from exchange_gw.feed import Feed
from exchange_gw.journal import Row
from exchange_gw.ports import Break
from exchange_gw.recovery import Comparison
from exchange_gw.service import Lane
from exchange_gw.trading import Act, Permission, Trading, TradingState
from runtime.errors import FailedPrecondition, InvalidArgument, NotFound


class DeadLetterNotFound(NotFound):
    """There is no such dead letter, or it has been replayed or discarded."""

    reason = "DEAD_LETTER_NOT_FOUND"


class DeadLetterWithoutOrigin(FailedPrecondition):
    """The letter does not tell on which subject it came, so it cannot be put back."""

    reason = "DEAD_LETTER_WITHOUT_ORIGIN"


class WhyRequired(InvalidArgument):
    """An act of an operator needs words that say why."""

    reason = "REASON_REQUIRED"


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A message that could not be handled."""

    letter_id: int
    stream: str
    subject: str
    reason: str
    detail: str
    order_id: str
    deliveries: int
    time: datetime | None
    payload: bytes


class Letters(Protocol):
    """Where dead letters lie."""

    async def newest(self, *, below: int | None, most: int) -> list[DeadLetter]:
        """Return letters with ids below a number, newest first."""

    async def find(self, letter_id: int) -> DeadLetter | None:
        """Return one letter."""

    async def put_back(self, letter: DeadLetter) -> None:
        """Say the message again where it came from."""

    async def drop(self, letter_id: int) -> None:
        """Take a letter away."""


class Records(Protocol):
    """The audit, and the breaks found."""

    async def record(self, act: Act) -> None:
        """Keep what an operator does."""

    async def breaks(self, *, before: tuple[datetime, str] | None, most: int) -> list[Break]:
        """Return breaks, newest first, from a place on."""


class Sessions(Protocol):
    """The sessions with the venue."""

    def states(self) -> Sequence[SessionState]:
        """Return how each stands."""


class VenueStatus(Struct, frozen=True):
    """The venue as this gateway sees it. `feed_age_ms` is -1 when no tick was heard."""

    sessions: Sequence[SessionState]
    permission: Permission
    feed_age_ms: int
    instruments: int
    unanswered: int


class Operations:
    """The operators' use cases."""

    def __init__(
        self,
        *,
        lanes: Sequence[Lane],
        feed: Feed,
        trading: Trading,
        letters: Letters,
        records: Records,
        sessions: Sessions,
        now: Clock,
    ) -> None:
        self._lanes, self._feed, self._trading = lanes, feed, trading
        self._letters, self._records, self._sessions, self._now = letters, records, sessions, now

    def status(self) -> VenueStatus:
        """Return how the venue stands."""
        return VenueStatus(
            sessions=self._sessions.states(),
            permission=self._trading.permission,
            feed_age_ms=self._feed.age_ms,
            instruments=self._feed.instruments,
            unanswered=sum(lane.unanswered for lane in self._lanes),
        )

    async def venue_order(self, order_id: str) -> tuple[Execution, Row | None]:
        """Return what the venue says of an order, and our row. Raises VenueUnreachable and VenueOrderUnknown."""
        # A venue answers for the whole firm, whichever session asks.
        lane = next((lane for lane in self._lanes if lane.is_open), self._lanes[0])
        return await lane.look_up(order_id)

    async def set_trading_state(self, state: TradingState, *, actor: str, why: str) -> Permission:
        """Allow something else to be sent from now on."""
        _require_why(why)
        return await self._trading.set(state, actor=actor, reason=why)

    async def reconcile(self, *, actor: str, why: str) -> Comparison:
        """Compare the journal with the venue's books now. Raises VenueUnreachable."""
        _require_why(why)
        await self._records.record(Act(self._now(), actor, "RECONCILE", why, {}))
        found = Comparison()
        for lane in self._lanes:
            found = found.plus(await lane.compare())
        return found

    async def breaks(self, *, before: tuple[datetime, str] | None, most: int) -> list[Break]:
        """Return what did not fit, newest first."""
        return await self._records.breaks(before=before, most=most)

    async def dead_letters(self, *, below: int | None, most: int) -> list[DeadLetter]:
        """Return dead letters, newest first."""
        return await self._letters.newest(below=below, most=most)

    async def dead_letter(self, letter_id: int) -> DeadLetter:
        """Return one dead letter. Raises DeadLetterNotFound."""
        letter = await self._letters.find(letter_id) if letter_id > 0 else None
        if letter is None:
            raise DeadLetterNotFound("there is no such dead letter", dead_letter_id=letter_id)
        return letter

    async def replay(self, letter_id: int, *, actor: str, why: str) -> DeadLetter:
        """Put a dead letter back where it came from. The letter then is gone; should that fail, replaying it again harms nobody."""
        letter = await self._act_on(letter_id, "REPLAY_DEAD_LETTER", actor=actor, why=why)
        if not letter.subject:
            raise DeadLetterWithoutOrigin("the letter does not tell where it came from", dead_letter_id=letter_id)
        await self._letters.put_back(letter)
        await self._letters.drop(letter_id)
        return letter

    async def discard(self, letter_id: int, *, actor: str, why: str) -> DeadLetter:
        """Drop a dead letter for good."""
        letter = await self._act_on(letter_id, "DISCARD_DEAD_LETTER", actor=actor, why=why)
        await self._letters.drop(letter_id)
        return letter

    async def _act_on(self, letter_id: int, action: str, *, actor: str, why: str) -> DeadLetter:
        _require_why(why)
        letter = await self.dead_letter(letter_id)
        detail = {"dead_letter_id": str(letter_id), "subject": letter.subject, "order_id": letter.order_id}
        await self._records.record(Act(self._now(), actor, action, why, detail))
        return letter


def _require_why(why: str) -> None:
    if not why.strip():
        raise WhyRequired("say why, for the audit", field="reason")
