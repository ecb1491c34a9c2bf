"""Clients: they place, ask again with the same key until they know, cancel, replace, and remember what they were told."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

from order_svc.order import Order, Side, TimeInForce
from order_svc.placement import IdempotencyMismatch, Placed, Wish
from order_svc.service import ActionPending, NothingToReplace, OrderClosed, OrderNotFound
from runtime.errors import ResourceExhausted, TradingError, Unavailable
from tests.factories import some_terms
from tests.simulation.world import Host, World

ANSWER_SECONDS = 2.0
# Outcomes that leave the client as wise as before.
UNKNOWN = (Unavailable, ResourceExhausted, TimeoutError)


@dataclass
class Told:
    """What clients were told about one key."""

    wish: Wish
    firsts: int = 0
    revision: int = 0
    orders: list[Order] = field(default_factory=list)
    mismatches: int = 0


class Clients:
    """All clients of a run."""

    def __init__(self, world: World, hosts: list[Host], chance: random.Random) -> None:
        self._world, self._hosts, self._chance = world, hosts, chance
        self.told: dict[str, Told] = {}
        self.tasks: list[asyncio.Task[None]] = []

    def begin(self, *, accounts: int, orders: int, seconds: float) -> None:
        """Have accounts send orders over some time."""
        for number in range(orders):
            account, key = f"acc{self._chance.randrange(accounts)}", f"k{number}"
            delay = self._chance.random() * seconds
            work = self._life(account, key, delay, random.Random(self._chance.random()))
            self.tasks.append(self._world.loop.begin(work, process=None, name=f"client {key}"))

    @property
    def are_done(self) -> bool:
        """Tell whether every client knows what it wanted to know. What failed in one is raised."""
        for task in self.tasks:
            if task.done():
                task.result()
        return all(task.done() for task in self.tasks)

    async def _life(self, account: str, key: str, delay: float, chance: random.Random) -> None:
        await asyncio.sleep(delay)
        wish = _some_wish(account, key, chance, self._world)
        self.told[key] = told = Told(wish)
        calls = [self._place(wish, told, chance)]
        if chance.random() < 0.3:
            calls.append(self._place(wish, told, chance))
        if chance.random() < 0.15:
            other = replace(wish, terms=replace(wish.terms, quantity=wish.terms.quantity + 1))
            calls.append(self._place(other, told, chance))
        await asyncio.gather(*calls)
        if chance.random() < 0.3:
            await asyncio.sleep(chance.random() * 2.0)
            await self._change(told, chance, self._replaced)
        if chance.random() < 0.4:
            await asyncio.sleep(chance.choice([0.0, 0.01, 1.0, 5.0]) * chance.random())
            await self._change(told, chance, self._canceled)
        if chance.random() < 0.4:
            await asyncio.sleep(chance.random() * 10.0)
            await self._place(wish, told, chance)

    async def _place(self, wish: Wish, told: Told, chance: random.Random) -> None:
        """Place until the outcome is known."""
        while True:
            known = told.revision
            try:
                placed: Placed = await self._ask(
                    lambda room: room.orders.place(wish), chance, f"place {wish.client_order_id}"
                )
            except IdempotencyMismatch:
                told.mismatches += 1
                return
            except UNKNOWN:
                await asyncio.sleep(0.2 + chance.random())
                continue
            order = placed.order
            told.firsts += not placed.replayed
            told.orders.append(order)
            if order.revision < known:
                self._world.violated(f"{wish.client_order_id}: shown revision {known} and later {order.revision}")
            told.revision = max(told.revision, order.revision)
            if order.fingerprint != wish.fingerprint:
                self._world.violated(f"{wish.client_order_id}: answered with an order of other terms")
            return

    async def _change(
        self,
        told: Told,
        chance: random.Random,
        change: Callable[[Any, Order, random.Random], Coroutine[Any, Any, Order]],
    ) -> None:
        """Cancel or replace until the outcome is known."""
        if not told.orders:
            return
        order = told.orders[0]
        while True:
            try:
                changed: Order = await self._ask(
                    lambda room: change(room, order, chance), chance, f"{change.__name__} {order.client_order_id}"
                )
            except (OrderClosed, ActionPending, NothingToReplace):
                return
            except OrderNotFound:
                self._world.violated(f"{order.client_order_id}: placed, answered, and not found")
                return
            except UNKNOWN:
                await asyncio.sleep(0.2 + chance.random())
                continue
            told.revision = max(told.revision, changed.revision)
            return

    @staticmethod
    async def _canceled(room: Any, order: Order, chance: random.Random) -> Order:
        changed: Order = await room.orders.cancel(order.account_id, order.order_id)
        return changed

    @staticmethod
    async def _replaced(room: Any, order: Order, chance: random.Random) -> Order:
        quantity = chance.choice([1, 5, 15, 20])
        changed: Order = await room.orders.replace(
            order.account_id, order.order_id, quantity=quantity, limit_price_micros=None
        )
        return changed

    async def _ask(self, work: Callable[[Any], Coroutine[Any, Any, Any]], chance: random.Random, what: str) -> Any:
        """Have one of the order services do something. Raises TimeoutError when no answer comes: it may be done all the same."""
        loop, trace = self._world.loop, self._world.trace
        host = chance.choice(self._hosts)
        answer: asyncio.Future[Any] = loop.create_future()

        async def serve(room: Any) -> None:
            result, error = None, None
            try:
                result = await work(room)
            except TradingError as refusal:
                error = refusal
            if chance.random() >= self._world.network.weather.loss:
                loop.later(0.001, _settle, answer, result, error)

        def arrive() -> None:
            if host.room is not None and host.process is not None:
                loop.begin(serve(host.room), process=host.process, name=what)
            elif not answer.done():
                answer.set_exception(Unavailable("connection refused"))

        if chance.random() >= self._world.network.weather.loss:
            loop.later(0.001, arrive)
        async with asyncio.timeout(ANSWER_SECONDS):
            outcome = await answer
        trace.say("client", f"{what}: answered")
        return outcome


def _settle(answer: "asyncio.Future[Any]", result: Any, error: Exception | None) -> None:
    if not answer.done():
        if error is None:
            answer.set_result(result)
        else:
            answer.set_exception(error)


def _some_wish(account: str, key: str, chance: random.Random, world: World) -> Wish:
    terms = some_terms(
        quantity=chance.choice([1, 5, 10, 10, 12]),
        side=chance.choice([Side.BUY, Side.SELL]),
        limit_price_micros=190_000_000 + chance.randrange(-50, 50) * 10_000,
        time_in_force=chance.choice([TimeInForce.DAY, TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC]),
        submit_by=None,
    )
    return Wish(account, key, terms)
