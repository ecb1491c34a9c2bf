"""Looks after open orders without news: asks the exchange, by QUERY commands, what became of them, and concludes nothing itself.

Whoever relays hears of every change; what was open before is read once, in small pages. Questions need no durability: a lost one is
asked again. An undecided cancel or replace is published once more with the question, under its own id: the broker drops it if it
has it, and has it again if it was wiped.
"""

import heapq
import random
import time
from asyncio import sleep
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from pymongo.errors import PyMongoError

from order_svc import event
from order_svc.event import News
from order_svc.figures import Figures
from order_svc.lanes import Fence, Poster
from order_svc.order import Certainty, Order
from order_svc.standing import Standing, standing_of
from order_svc.wire import message_of
from runtime import logs
from runtime.errors import TradingError

TICK_SECONDS = 0.5
# At most in one tick; what is due beyond that waits for the next.
ASK_AT_ONCE = 20
PAGE, PAGES_AT_ONCE = 500, 10
# Open orders that are watched; beyond that new ones are found by another reading of the database, later.
MAX_WATCHED = 200_000
READ_AGAIN_SECONDS = 900.0
# How rare questions about one order become, as a multiple of the first wait.
RAREST = 64
JITTER = 0.2

logger = logs.get_logger("order_svc.attention")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long silence is normal, in seconds: while an answer is owed, and while an order rests in the book."""

    waiting_seconds: float = 5.0
    resting_seconds: float = 300.0


class Orders(Protocol):
    """Where orders can be read."""

    async def find(self, order_ids: Sequence[str]) -> dict[str, Order]:
        """Return those of the orders that exist."""

    async def open_among(self, *, after: str, limit: int) -> tuple[Collection[str], str]:
        """Return those of the next orders by id that are open or lack fills, and the id to go on from; empty at the end."""


@dataclass(slots=True, eq=False)
class _Watched:
    wait: float
    asked: int = 0


class Attention:
    """Watches open orders while this process relays."""

    def __init__(self, orders: Orders, bus: Poster, lease: Fence, *, patience: Patience, figures: Figures) -> None:
        self._orders, self._bus, self._lease = orders, bus, lease
        self._patience, self._figures = patience, figures
        self._watched: dict[str, _Watched] = {}
        # What is due when; items of orders that had news since are stale and dropped when they come up.
        self._due: list[tuple[float, int, str, _Watched]] = []
        self._count = 0
        self._read_from: str | None = ""
        self._read_again_at = float("inf")

    def hear(self, news: News) -> None:
        """Take in what an update says."""
        self._watch(news.order_id, news.standing)

    def landed(self, news: News) -> None:
        """Nothing: what counts is what the database has."""

    async def run(self) -> None:
        """Ask about what is due, and read what was open before, for as long as this process relays."""
        self._watched.clear()
        self._due.clear()
        self._read_from = ""
        while True:
            await sleep(TICK_SECONDS)
            try:
                await self._ask(self._take_due())
                for _ in range(PAGES_AT_ONCE):
                    await self._read_on()
            except (PyMongoError, TradingError) as error:
                logger.warning("open orders not looked after for now", error=repr(error))

    def _watch(self, order_id: str, standing: Standing) -> None:
        if standing in (Standing.CLOSED, Standing.NEW):
            self._watched.pop(order_id, None)
            return
        if order_id not in self._watched and len(self._watched) >= MAX_WATCHED:
            self._read_again_at = min(self._read_again_at, time.monotonic() + READ_AGAIN_SECONDS)
            return
        owed = standing is Standing.WAITING
        watched = _Watched(self._patience.waiting_seconds if owed else self._patience.resting_seconds)
        self._watched[order_id] = watched
        self._put_off(order_id, watched)

    def _put_off(self, order_id: str, watched: _Watched) -> None:
        wait = watched.wait * min(2**watched.asked, RAREST) * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
        self._count += 1
        heapq.heappush(self._due, (time.monotonic() + wait, self._count, order_id, watched))
        if len(self._due) > 2 * len(self._watched) + 1_000:
            self._due = [item for item in self._due if self._watched.get(item[2]) is item[3]]
            heapq.heapify(self._due)

    def _take_due(self) -> list[str]:
        """Return the orders to ask about now; each is put off until the next time."""
        now, due = time.monotonic(), list[str]()
        while self._due and self._due[0][0] <= now and len(due) < ASK_AT_ONCE:
            _, _, order_id, watched = heapq.heappop(self._due)
            if self._watched.get(order_id) is watched:
                watched.asked += 1
                self._put_off(order_id, watched)
                due.append(order_id)
        return due

    async def _ask(self, order_ids: Sequence[str]) -> None:
        found = await self._orders.find(order_ids)
        for order_id in order_ids:
            order = found.get(order_id)
            if order is None or standing_of(order) in (Standing.CLOSED, Standing.NEW):
                self._watched.pop(order_id, None)
                continue
            logger.info("order without news, asking", order_id=order_id, state=order.state)
            self._figures.queries.inc()
            undecided = event.asked_before(order)
            for command in (undecided, event.query(order, int(time.time()))):
                if command is not None:
                    message = message_of(command)
                    self._lease.require()
                    await (
                        await self._bus.post(
                            message.subject, message.payload, event_id=message.event_id, headers=message.headers
                        )
                    )

    async def _read_on(self) -> None:
        """Read one page of what is in the database, as long as there is something left to read."""
        if self._read_from is None:
            if time.monotonic() >= self._read_again_at:
                self._read_from, self._read_again_at = "", float("inf")
            return
        open_ids, last = await self._orders.open_among(after=self._read_from, limit=PAGE)
        unknown = [order_id for order_id in open_ids if order_id not in self._watched]
        for order in (await self._orders.find(unknown)).values():
            self._figures.judge(order.order_id, is_certain=order.certainty is Certainty.CONFIRMED)
            if order.order_id not in self._watched:
                self._watch(order.order_id, standing_of(order))
        self._read_from = last or None
