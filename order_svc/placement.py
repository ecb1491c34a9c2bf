"""Placing orders: the key decides, then the checks, and many callers share one transaction."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Protocol

from order_svc import event, risk
from order_svc.event import Event
from order_svc.identity import fingerprint_of, order_id_of
from order_svc.order import Order, Terms, TimeInForce, Type
from order_svc.pace import Pace
from runtime.batching import Batcher
from runtime.crash_points import reach
from runtime.errors import AlreadyExists, Contended, InvalidArgument, TradingError

# One flush pays for many orders; where there was company a moment ago it is worth waiting for.
MAX_BATCH = 100
MAX_WAIT_SECONDS = 0.02
CALM_WAIT_SECONDS = 0.002
# MARKET, IOC and FOK are about the price of now.
QUICK_SUBMIT_SECONDS = 30.0
# Keys are nearly always new, so the insert alone finds out. A taken one costs its batch a second transaction; clients that repeat
# themselves seldom do it once, so for so long keys are read first.
CAREFUL_SECONDS = 1.0


class IdempotencyMismatch(AlreadyExists):
    """The key was used before for an order with other terms."""

    reason = "IDEMPOTENCY_MISMATCH"


class SubmitByPassed(InvalidArgument):
    """The order's latest time of submission is already over."""

    reason = "SUBMIT_BY_PASSED"


@dataclass(frozen=True)
class Wish:
    """What a client wants placed. `submit_by_given` tells the client's own time limit from one that we add."""

    account_id: str
    client_order_id: str
    terms: Terms
    submit_by_given: bool = False
    # When the edge had it, for the timeline only.
    receive_time: datetime | None = None

    @cached_property
    def order_id(self) -> str:
        """Return the id that the order has, or would have."""
        return order_id_of(self.account_id, self.client_order_id)

    @property
    def fingerprint(self) -> str:
        """Return what must be equal for a repetition to be one."""
        return fingerprint_of(self.terms, submit_by_given=self.submit_by_given)


@dataclass(frozen=True, slots=True)
class Placed:
    """The order, and whether it was there before."""

    order: Order
    replayed: bool


class NewOrders(Protocol):
    """Where new orders are stored."""

    async def find(self, order_ids: Sequence[str]) -> dict[str, Order]:
        """Return those of the orders that exist. The ids are functions of the callers' own accounts and keys."""

    async def insert(self, orders: Sequence[Order], events: Sequence[Event]) -> dict[str, Order]:
        """Store new orders and events in one transaction; return those orders that were there before instead."""


class Finished(Protocol):
    """A fast memory of orders that have ended; it may forget at any moment and is never asked for the truth."""

    async def find(self, order_ids: Sequence[str]) -> dict[str, Order]:
        """Return those of the orders that it remembers."""

    async def remember(self, orders: Sequence[Order]) -> None:
        """Keep orders that have ended."""


class MarketView(Protocol):
    """What is known of the market now."""

    def of(self, symbol: str) -> risk.Market:
        """Return the world as it is now for a symbol."""


class Placements:
    """Takes wishes and makes orders of them, at most `max_batch` in one transaction.

    `now` is the clock, `session_end` tells when the venue's day ends.
    """

    def __init__(
        self,
        store: NewOrders,
        finished: Finished,
        market: MarketView,
        *,
        limits: risk.Limits,
        now: Callable[[], datetime],
        session_end: Callable[[datetime], datetime],
        max_batch: int = MAX_BATCH,
    ) -> None:
        self._store, self._finished, self._market = store, finished, market
        self._limits, self._now, self._session_end = limits, now, session_end
        self._pace = Pace(limits)
        self._careful_until = 0.0
        self._batcher: Batcher[Wish, Placed] = Batcher(
            self._place_together, max_items=max_batch, max_wait=MAX_WAIT_SECONDS, calm_wait=CALM_WAIT_SECONDS
        )

    async def run(self) -> None:
        """Store what waits, for ever; one of the process's loops."""
        await self._batcher.run()

    async def place(self, wish: Wish) -> Placed:
        """Store the order durably, or return the one that the key already has.

        Raises IdempotencyMismatch, a refusal of the pre-trade checks, or DatabaseUnavailable (outcome unknown).
        """
        return await self._batcher.add(wish)

    @property
    def waiting(self) -> int:
        """How many wishes wait for a transaction."""
        return self._batcher.depth

    @property
    def capacity(self) -> int:
        """How many may wait; more are refused."""
        return self._batcher.capacity

    async def _place_together(self, wishes: Sequence[Wish]) -> Sequence[Placed | Exception]:
        known = await self._known([wish.order_id for wish in wishes])
        reach("K1")
        new, makers, refused = self._judged(wishes, known)
        if refused:
            # The key comes before any check: what was placed once is answered with its order even if it would be refused now.
            known |= await self._store.find([wishes[index].order_id for index in refused])
        # Keys that turn out to be taken: the primary key has decided, its order is the answer.
        kept_out = await self._store_together(list(new.values()))
        if any(isinstance(end, Order) for end in kept_out.values()):
            self._careful_until = time.monotonic() + CAREFUL_SECONDS
        ends: Mapping[str, Order | Exception] = {**new, **kept_out, **known}

        def outcome(index: int, wish: Wish) -> Placed | Exception:
            if index in refused and wish.order_id not in known:
                return refused[index]
            is_its_own = makers.get(wish.order_id) == index and wish.order_id not in kept_out
            return _outcome(wish, ends[wish.order_id], is_its_own=is_its_own)

        return [outcome(index, wish) for index, wish in enumerate(wishes)]

    async def _known(self, keys: Sequence[str]) -> dict[str, Order]:
        ended = await self._finished.find(keys)
        if time.monotonic() >= self._careful_until:
            return ended
        return ended | await self._store.find([key for key in keys if key not in ended])

    def _judged(
        self, wishes: Sequence[Wish], known: Mapping[str, Order]
    ) -> tuple[dict[str, Order], dict[str, int], dict[int, Exception]]:
        """Return the new orders, which wish makes each, and why others make none. A refusal is its wish's alone."""
        new: dict[str, Order] = {}
        makers: dict[str, int] = {}
        refused: dict[int, Exception] = {}
        for index, wish in enumerate(wishes):
            if wish.order_id in known or wish.order_id in new:
                continue
            try:
                new[wish.order_id] = self._admitted_now(wish)
                makers[wish.order_id] = index
            except TradingError as refusal:
                refused[index] = refusal
        return new, makers, refused

    def _admitted_now(self, wish: Wish) -> Order:
        order = self.admitted(wish)
        self._pace.admit(order, time.monotonic())
        return order

    async def _store_together(self, orders: Sequence[Order]) -> Mapping[str, Order | Exception]:
        """Store new orders; return for those that were not stored the order that has their key, or what kept them out."""
        if not orders:
            return {}
        try:
            return await self._insert(orders)
        except Contended:
            # One of them is locked. Each by itself, so that only that one's caller has to come again.
            alone = await asyncio.gather(*(self._insert([order]) for order in orders), return_exceptions=True)
        kept_out: dict[str, Order | Exception] = {}
        for order, result in zip(orders, alone, strict=True):
            if isinstance(result, Exception):
                kept_out[order.order_id] = result
            elif isinstance(result, BaseException):
                raise result
            else:
                kept_out |= result
        return kept_out

    async def _insert(self, orders: Sequence[Order]) -> dict[str, Order]:
        events = [said for order in orders for said in (event.submit(order), event.created(order))]
        return await self._store.insert(orders, events)

    def admitted(self, wish: Wish) -> Order:
        """Return the order that the wish makes. Raises SubmitByPassed or a refusal of the pre-trade checks."""
        now = self._now()
        terms = wish.terms
        if terms.submit_by is None:
            terms = replace(terms, submit_by=self._default_submit_by(terms, now))
        elif terms.submit_by <= now:
            raise SubmitByPassed(
                "submit_by is over already",
                field="submit_by",
                limit=now.isoformat(),
                actual=terms.submit_by.isoformat(),
            )
        return Order(
            order_id=wish.order_id,
            client_order_id=wish.client_order_id,
            account_id=wish.account_id,
            fingerprint=wish.fingerprint,
            terms=risk.check(terms, self._market.of(terms.symbol), self._limits),
            create_time=now,
            update_time=now,
            receive_time=wish.receive_time,
        )

    def _default_submit_by(self, terms: Terms, now: datetime) -> datetime | None:
        if terms.type is Type.MARKET or terms.time_in_force in (TimeInForce.IOC, TimeInForce.FOK):
            return now + timedelta(seconds=QUICK_SUBMIT_SECONDS)
        return None if terms.time_in_force is TimeInForce.GTC else self._session_end(now)


def _outcome(wish: Wish, end: Order | Exception, *, is_its_own: bool) -> Placed | Exception:
    """Return the answer to a wish whose key ended so; `is_its_own` says that this very wish has made the order."""
    if isinstance(end, Exception):
        return end
    return Placed(end, replayed=False) if is_its_own else _replay(end, wish)


def _replay(first: Order, wish: Wish) -> Placed | Exception:
    if first.fingerprint == wish.fingerprint:
        return Placed(first, replayed=True)
    return IdempotencyMismatch(
        "this client_order_id was used for an order with other terms; use a new one for a new order",
        client_order_id=wish.client_order_id,
        order_id=first.order_id,
    )
