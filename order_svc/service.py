"""The use cases of orders: place, preview, cancel, replace, look up, and take in what the exchange said."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol
from uuid import uuid4

from order_svc import event, risk
from order_svc.event import Asks, Command, Event
from order_svc.fact import Fact, Kind
from order_svc.order import Order, PendingAction, State, Type
from order_svc.placement import Finished, MarketView, Placed, Placements, Wish
from runtime import logs
from runtime.errors import Contended, FailedPrecondition, InvalidArgument, NotFound, TradingError

logger = logs.get_logger("order_svc.service")


class OrderNotFound(NotFound):
    """There is no such order in the caller's account."""

    reason = "ORDER_NOT_FOUND"


class OrderClosed(FailedPrecondition):
    """The order has ended; it takes no more commands."""

    reason = "ORDER_CLOSED"


class ActionPending(FailedPrecondition):
    """Another cancel or replace of the order is not decided yet."""

    reason = "ACTION_PENDING"


class NothingToReplace(InvalidArgument):
    """The replace asks for what the order already is, or for a price of an order that has none."""

    reason = "NOTHING_TO_REPLACE"


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which of an account's orders are wanted."""

    symbol: str = ""
    states: frozenset[State] = frozenset()
    changed_since: datetime | None = None


Change = Callable[[Order], tuple[Order, Sequence[Event]]]


class OrderStore(Protocol):
    """Where orders live. Every method that a client's call leads to takes the account."""

    async def update(self, changes: Mapping[str, Change]) -> dict[str, Order]:
        """Change orders and store the events in one transaction; return the changed ones; unknown ids are left out."""

    async def get(self, account_id: str, order_id: str) -> Order | None:
        """Return one order of the account."""

    async def page(self, account_id: str, wanted: OrderFilter, *, size: int, token: str) -> tuple[Sequence[Order], str]:
        """Return orders of the account, newest first, and the token of the next page."""


class Orders:
    """The use cases of one account's user, and of the exchange's reports. `now` is the clock."""

    def __init__(
        self,
        store: OrderStore,
        placements: Placements,
        finished: Finished,
        market: MarketView,
        *,
        limits: risk.Limits,
        now: Callable[[], datetime],
    ) -> None:
        self._store, self._placements, self._finished, self._market = store, placements, finished, market
        self._limits, self._now = limits, now

    async def place(self, wish: Wish) -> Placed:
        """Store the order durably, or return the one that the key already has; see Placements.place."""
        return await self._placements.place(wish)

    def preview(self, wish: Wish) -> Order:
        """Return the order that `place` would store. Raises the same refusals."""
        return self._placements.admitted(wish)

    async def cancel(self, account_id: str, order_id: str) -> Order:
        """Ask for a cancel and return the order; asking again while one is pending changes nothing.

        Raises OrderNotFound and OrderClosed.
        """

        def change(order: Order) -> tuple[Order, Sequence[Event]]:
            if order.pending_action is PendingAction.CANCEL:
                return order, ()
            _require_open(order)
            command_id = f"{order.order_id}:cancel:{uuid4().hex[:12]}"
            asked = self._asked(order, Kind.CANCEL_REQUESTED, command_id)
            return asked, (event.change_between(order, asked), Command(command_id, Asks.CANCEL, asked))

        return await self._change(account_id, order_id, change)

    async def replace(
        self, account_id: str, order_id: str, *, quantity: int | None, limit_price_micros: int | None
    ) -> Order:
        """Ask for another quantity or limit price and return the order.

        Raises OrderNotFound, OrderClosed, ActionPending, NothingToReplace and the refusals of the pre-trade checks.
        """

        def change(order: Order) -> tuple[Order, Sequence[Event]]:
            _require_open(order)
            if order.pending:
                raise ActionPending("wait until the pending cancel or replace is decided", pending=order.pending_action)
            wanted = replace(
                order.terms,
                quantity=quantity or order.quantity,
                limit_price_micros=limit_price_micros or order.limit_price_micros,
            )
            if order.terms.type is Type.MARKET or (
                (wanted.quantity, wanted.limit_price_micros) == (order.quantity, order.limit_price_micros)
            ):
                raise NothingToReplace("name another quantity or limit price of a LIMIT order")
            risk.check(wanted, self._market.of(wanted.symbol), self._limits)
            number = order.next_number
            command_id = f"{order.order_id}:replace:{number}"
            terms = {"quantity": wanted.quantity, "price": wanted.limit_price_micros, "number": number}
            asked = self._asked(order, Kind.REPLACE_REQUESTED, command_id, **terms)
            command = Command(command_id, Asks.REPLACE, asked, wanted.quantity, wanted.limit_price_micros, number)
            return asked, (event.change_between(order, asked), command)

        return await self._change(account_id, order_id, change)

    def _asked(
        self, order: Order, kind: Kind, command_id: str, *, quantity: int = 0, price: int = 0, number: int = 0
    ) -> Order:
        now = self._now()
        fact = Fact(
            fact_id=command_id,
            kind=kind,
            time=now,
            record_time=now,
            command_id=command_id,
            quantity=quantity,
            price_micros=price,
            number=number,
        )
        return order.with_facts([fact], now=now)

    async def _change(self, account_id: str, order_id: str, change: Change) -> Order:
        order = await self.get(account_id, order_id)
        changed = await self._store.update({order_id: change})
        return changed.get(order_id, order)

    async def get(self, account_id: str, order_id: str) -> Order:
        """Return one order of the account. Raises OrderNotFound, for another account's order too."""
        order = await self._store.get(account_id, order_id)
        if order is None:
            raise OrderNotFound("there is no such order in this account", order_id=order_id)
        return order

    async def page(self, account_id: str, wanted: OrderFilter, *, size: int, token: str) -> tuple[Sequence[Order], str]:
        """Return orders of the account, newest first, and the token of the next page (empty on the last)."""
        return await self._store.page(account_id, wanted, size=size, token=token)

    async def take_in(self, facts: Mapping[str, Sequence[Fact]]) -> set[str]:
        """Fold facts into their orders, all in one transaction; return the orders that could not be changed now.

        Facts about orders that are not ours are logged and dropped. Raises DatabaseUnavailable when none could be changed.
        """
        folds = {order_id: self._fold(new) for order_id, new in facts.items()}
        locked: set[str] = set()
        try:
            changed = await self._store.update(folds)
        except Contended:
            if len(folds) == 1:
                raise
            changed, locked = await self._fold_singly(folds)
        for order_id in facts.keys() - changed.keys() - locked:
            logger.debug("no news in facts, or no such order", order_id=order_id)
        for order in changed.values():
            if order.overfilled_quantity:
                logger.error("overfilled by the exchange", order_id=order.order_id, shares=order.overfilled_quantity)
        await self._finished.remember([order for order in changed.values() if order.is_terminal])
        return locked

    async def _fold_singly(self, folds: Mapping[str, Change]) -> tuple[dict[str, Order], set[str]]:
        """Change each order by itself, as one of them is locked; return the changed ones and those that stay as they are."""
        changed: dict[str, Order] = {}
        locked: set[str] = set()

        async def one(order_id: str, change: Change) -> None:
            try:
                changed.update(await self._store.update({order_id: change}))
            except TradingError:
                locked.add(order_id)

        async with asyncio.TaskGroup() as group:
            for order_id, change in folds.items():
                group.create_task(one(order_id, change))
        return changed, locked

    def _fold(self, facts: Iterable[Fact]) -> Change:
        def change(order: Order) -> tuple[Order, Sequence[Event]]:
            folded = order.with_facts(facts, now=self._now())
            if folded is order:
                return order, ()
            return folded, (event.change_between(order, folded),)

        return change


def estimated_amount_micros(order: Order) -> int:
    """Return the most that the order can cost, or the least that it can bring, without fees."""
    return order.terms.quantity * (order.terms.limit_price_micros or order.terms.collar_price_micros)


def _require_open(order: Order) -> None:
    if order.is_terminal:
        raise OrderClosed(f"the order has ended: {order.state}", state=order.state)
