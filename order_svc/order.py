"""What an order is: its terms, and the facts known of it. Everything else follows. Pure: no clock, no network, no storage.

An order is a fold over a *set* of facts: the same facts, in any order and however often, give the same order. That is what makes
redelivery, reordering and repair harmless (brokers' bugs of this kind are nearly all "last event wins").
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from order_svc.fact import PROOF, Fact, Kind, Reason
from runtime.money import average_micros


class Side(StrEnum):
    """Direction (FIX tag 54)."""

    BUY = "BUY"
    SELL = "SELL"


class Type(StrEnum):
    """Kind of price (FIX tag 40)."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"


class TimeInForce(StrEnum):
    """How long an order lives (FIX tag 59)."""

    DAY = "DAY"
    IOC = "IOC"
    FOK = "FOK"
    GTC = "GTC"


class State(StrEnum):
    """Where an order is in its life; see `_state_of` for how it follows from the facts."""

    PENDING = "PENDING"
    SUBMITTED = "SUBMITTED"
    PLACED = "PLACED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


# Terminal means no more commands; late facts still apply.
TERMINAL = frozenset({State.FILLED, State.CANCELED, State.REJECTED, State.EXPIRED})
OPEN = frozenset(State) - TERMINAL


class PendingAction(StrEnum):
    """What was asked for and is not decided yet."""

    NONE = "NONE"
    CANCEL = "CANCEL"
    REPLACE = "REPLACE"


class Certainty(StrEnum):
    """Whether the state is known to be the exchange's."""

    CONFIRMED = "CONFIRMED"
    UNCERTAIN = "UNCERTAIN"


@dataclass(frozen=True, slots=True)
class Terms:
    """What the client wants. Prices are micros; 0 means none. `submit_by` is None when it may be sent at any time."""

    symbol: str
    side: Side
    type: Type
    time_in_force: TimeInForce
    quantity: int
    limit_price_micros: int = 0
    collar_price_micros: int = 0
    submit_by: datetime | None = None


@dataclass(frozen=True)
class Order:
    """An order: who wants what, since when, and the facts known of it (sorted, each once)."""

    order_id: str
    client_order_id: str
    account_id: str
    fingerprint: str
    terms: Terms
    create_time: datetime
    update_time: datetime
    revision: int = 1
    facts: tuple[Fact, ...] = field(default=())
    # When the edge had the request; None when nobody said.
    receive_time: datetime | None = None

    def with_facts(self, facts: Iterable[Fact], *, now: datetime) -> "Order":
        """Return the order that also knows these facts; the very same order when it knew them all."""
        known = {fact.identity for fact in self.facts}
        new: dict[str, Fact] = {}
        for fact in facts:
            if fact.identity not in known:
                new.setdefault(fact.identity, fact)
        if not new:
            return self
        merged = sorted((*self.facts, *new.values()), key=_place)
        return replace(self, facts=tuple(merged), revision=self.revision + 1, update_time=now)

    @cached_property
    def fills(self) -> tuple[Fact, ...]:
        """Return the fills that count: each exec_id once, without those taken back, corrections in place of what they correct."""
        undone = {fact.exec_ref_id for fact in self._of(Kind.BUST, Kind.CORRECTION)}
        return tuple(fact for fact in self._of(Kind.FILL, Kind.CORRECTION) if fact.exec_id not in undone)

    @cached_property
    def filled_quantity(self) -> int:
        """Return the shares filled so far."""
        return sum(fill.quantity for fill in self.fills)

    @cached_property
    def average_price_micros(self) -> int:
        """Return the average price of the filled shares; 0 when there is none."""
        total = sum(fill.quantity * fill.price_micros for fill in self.fills)
        return average_micros(total, self.filled_quantity) if self.filled_quantity else 0

    @cached_property
    def _last_replace(self) -> Fact | None:
        return max(self._of(Kind.REPLACED), key=lambda fact: fact.number, default=None)

    @property
    def active_number(self) -> int:
        """Return the number of the last change that the exchange took; 0 for none."""
        return self._last_replace.number if self._last_replace else 0

    @property
    def next_number(self) -> int:
        """Return the number that the next change gets."""
        return 1 + max((fact.number for fact in self._of(Kind.REPLACE_REQUESTED)), default=0)

    @property
    def quantity(self) -> int:
        """Return the shares ordered; after a replace the new total, never below what is filled (FIX 4.4 volume 4, D.11)."""
        last = self._last_replace
        if last is None or not last.quantity:
            return self.terms.quantity
        return max(last.quantity, self.filled_quantity)

    @property
    def limit_price_micros(self) -> int:
        """Return the worst acceptable price; after a replace the new one; 0 for MARKET."""
        last = self._last_replace
        return last.price_micros if last and last.price_micros else self.terms.limit_price_micros

    @cached_property
    def state(self) -> State:
        """Return where the order is in its life."""
        return _state_of({fact.kind for fact in self.facts}, self.filled_quantity, self.quantity)

    @property
    def is_terminal(self) -> bool:
        """Tell whether the order takes no more commands."""
        return self.state in TERMINAL

    @property
    def leaves_quantity(self) -> int:
        """Return the shares that can still be filled."""
        return 0 if self.is_terminal else max(self.quantity - self.filled_quantity, 0)

    @property
    def overfilled_quantity(self) -> int:
        """Return the shares filled beyond the order: the exchange's error, kept and told, never dropped."""
        return max(self.filled_quantity - self.quantity, 0)

    @property
    def missing_quantity(self) -> int:
        """Return the shares filled by the exchange's own count that no fill is known of; 0 when all are known."""
        counted = [fact for fact in self.facts if fact.cumulative]
        if not counted:
            return 0
        # The count only grows, whatever arrives first, unless the exchange takes fills back: then the latest count holds.
        taken_back = bool(self._of(Kind.BUST, Kind.CORRECTION))
        count = counted[-1].cumulative if taken_back else max(fact.cumulative for fact in counted)
        return max(count - self.filled_quantity, 0)

    @cached_property
    def _undecided(self) -> tuple[Fact, ...]:
        """The cancels and replaces without an answer, oldest first.

        A replace is answered by what names its command or a number that is not below its own: a replacement that is learnt from
        the exchange's books names no command.
        """
        answers = self._of(Kind.CANCEL_REJECTED, Kind.REPLACED, Kind.REPLACE_REJECTED)
        commands = {fact.command_id for fact in answers}
        number = max((fact.number for fact in answers if fact.kind is not Kind.CANCEL_REJECTED), default=0)
        return tuple(
            fact
            for fact in self._of(Kind.CANCEL_REQUESTED, Kind.REPLACE_REQUESTED)
            if fact.command_id not in commands and (fact.kind is Kind.CANCEL_REQUESTED or fact.number > number)
        )

    @cached_property
    def pending(self) -> Fact | None:
        """Return the request that is not decided yet: the latest cancel or replace without an answer."""
        return self._undecided[-1] if self._undecided and not self.is_terminal else None

    @property
    def pending_action(self) -> PendingAction:
        """Return what was asked for and is not decided yet."""
        if self.pending is None:
            return PendingAction.NONE
        return PendingAction.CANCEL if self.pending.kind is Kind.CANCEL_REQUESTED else PendingAction.REPLACE

    @cached_property
    def doubt(self) -> Fact | None:
        """Return the fact that makes the order uncertain; None when the exchange has said what it is about."""
        if self.is_terminal:
            return None
        proved = any(fact.kind in PROOF for fact in self.facts)
        answered = {fact.command_id for fact in self.facts if fact.kind is not Kind.UNCERTAIN and fact.command_id}
        for fact in reversed(self._of(Kind.UNCERTAIN)):
            about_change = fact.command_id and fact.command_id == (self.pending.command_id if self.pending else None)
            if about_change or not (proved or fact.command_id in answered):
                return fact
        return None

    @property
    def certainty(self) -> Certainty:
        """Return whether the state is known to be the exchange's."""
        return Certainty.UNCERTAIN if self.doubt else Certainty.CONFIRMED

    @property
    def reason(self) -> Reason | None:
        """Return why the order ended as it did, or why it is uncertain."""
        if self.doubt:
            return self.doubt.reason
        ending = self._ending
        return ending.reason if ending else None

    @property
    def _ending(self) -> Fact | None:
        kind = {State.CANCELED: Kind.CANCELED, State.REJECTED: Kind.REJECTED, State.EXPIRED: Kind.EXPIRED}.get(
            self.state
        )
        return self._of(kind)[0] if kind else None

    @property
    def place_time(self) -> datetime | None:
        """Return when the exchange took it; a fill that overtook its acknowledgement proves it too."""
        return min((fact.time for fact in self._of(Kind.PLACED, Kind.FILL)), default=None)

    @property
    def close_time(self) -> datetime | None:
        """Return when the order ended."""
        if self.state is State.FILLED:
            return max(fact.time for fact in self.fills)
        return self._ending.time if self._ending else None

    @property
    def exchange_order_id(self) -> str:
        """Return the exchange's id (FIX tag 37) as it last said it."""
        return next((fact.exchange_order_id for fact in reversed(self.facts) if fact.exchange_order_id), "")

    def _of(self, *kinds: Kind) -> tuple[Fact, ...]:
        return tuple(fact for fact in self.facts if fact.kind in kinds)


def _state_of(kinds: set[Kind], filled: int, quantity: int) -> State:
    """Return the state that follows from the facts: the first line that holds.

    A complete fill beats everything, since shares have changed hands; a late fill after a cancel keeps CANCELED unless it
    completes the order; an acknowledgement after anything later changes nothing.
    """
    if filled >= quantity:
        return State.FILLED
    for kind, state in (
        (Kind.CANCELED, State.CANCELED),
        (Kind.EXPIRED, State.EXPIRED),
        (Kind.REJECTED, State.REJECTED),
    ):
        if kind in kinds:
            return state
    if filled:
        return State.PARTIALLY_FILLED
    if kinds & {Kind.PLACED, Kind.REPLACED, Kind.REPLACE_REJECTED}:
        return State.PLACED
    return State.SUBMITTED if Kind.SUBMITTED in kinds else State.PENDING


_KINDS = list(Kind)


def _place(fact: Fact) -> tuple[datetime, int, str]:
    """Return where a fact stands among its order's: by time, then as things usually follow one another."""
    return fact.time, _KINDS.index(fact.kind), fact.fact_id
