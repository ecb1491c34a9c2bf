"""A model of the order service's MongoDB: transactions are all or nothing, their outcome may stay unknown, the oplog may roll."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId

from order_svc import wire
from order_svc.event import Event
from order_svc.order import OPEN, Order, State
from order_svc.outbox import Entry, Reign, ResumeImpossible
from order_svc.service import Change, OrderFilter
from runtime.databases import OPERATION_SECONDS, DatabaseUnavailable
from tests.simulation.network import Network, Server

AWAIT_SECONDS = 1.0
MOST_CONFLICTS = 50


@dataclass
class OrdersDatabase:
    """What is on its disk. `written` is told of every order that a commit changes: before (if there was one) and after."""

    now: Callable[[], datetime]
    orders: dict[str, Order] = field(default_factory=dict)
    outbox: dict[ObjectId, Entry] = field(default_factory=dict)
    oplog: list[Entry] = field(default_factory=list)
    rolled: int = 0
    token: Mapping[str, Any] | None = None
    born: int = 0
    epoch: int = 0
    mark: str = ""
    written: Callable[[Order | None, Order], None] = lambda before, after: None
    _waiting: list["asyncio.Future[None]"] = field(default_factory=list)

    def commit(self, orders: Sequence[Order], events: Sequence[Event], commit_time_us: int) -> None:
        """Write orders and what is said about them, at once; `commit_time_us` is when the writer began to."""
        for order in orders:
            self.written(self.orders.get(order.order_id), order)
            self.orders[order.order_id] = order
        # Ids of concurrent transactions tell nothing about their order.
        entry_id = ObjectId(random.randbytes(12))
        entry = Entry(entry_id, commit_time_us, tuple(wire.message_of(event) for event in events))
        self.outbox[entry_id] = entry
        self.oplog.append(entry)

        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.done():
                one.set_result(None)

    async def next_entry(self) -> None:
        """Return when something is written."""
        written = asyncio.get_running_loop().create_future()
        self._waiting.append(written)
        await written

    def roll(self) -> None:
        """Forget the oplog: no token of before can be resumed after."""
        self.rolled += len(self.oplog)
        self.oplog.clear()

    @property
    def microseconds(self) -> int:
        """Return the time in microseconds since 1970."""
        return int(self.now().timestamp() * 1_000_000)

    @property
    def position(self) -> int:
        """Return the number of entries ever written."""
        return self.rolled + len(self.oplog)


def away(text: str) -> DatabaseUnavailable:
    """Return what the driver's seam raises when no answer comes."""
    return DatabaseUnavailable(text, retry_after_seconds=1.0)


class ModelOrderStore:
    """One process's way to the orders (NewOrders and OrderStore)."""

    def __init__(self, database: OrdersDatabase, network: Network) -> None:
        self._database, self._network = database, network

    async def _ask(self, effect: Callable[[], Any], what: str) -> Any:
        return await self._network.call(Server.ORDERS_DATABASE, effect, seconds=OPERATION_SECONDS, away=away, what=what)

    async def find(self, order_ids: Sequence[str]) -> dict[str, Order]:
        """Return those of the orders that exist."""
        if not order_ids:
            return {}
        orders = self._database.orders
        found: dict[str, Order] = await self._ask(
            lambda: {key: orders[key] for key in order_ids if key in orders}, f"find {len(order_ids)}"
        )
        return found

    async def open_among(self, *, after: str, limit: int) -> tuple[Collection[str], str]:
        """Return the open ones of the next orders by id, and the id to go on from."""
        orders = self._database.orders

        def look() -> tuple[Collection[str], str]:
            page = [order_id for order_id in sorted(orders) if order_id > after][:limit]
            return [one for one in page if orders[one].state in OPEN or orders[one].missing_quantity], page[-1] if len(
                page
            ) == limit else ""

        found: tuple[Collection[str], str] = await self._ask(look, "open orders?")
        return found

    async def insert(self, orders: Sequence[Order], events: Sequence[Event]) -> dict[str, Order]:
        """Store new orders; the primary key decides, losers are returned as they were there before."""
        began = self._database.microseconds

        def write() -> dict[str, Order]:
            known = self._database.orders
            there = {order.order_id: known[order.order_id] for order in orders if order.order_id in known}
            rest = [order for order in orders if order.order_id not in there]
            if rest:
                self._database.commit(rest, [event for event in events if event.order.order_id not in there], began)
            return there

        there: dict[str, Order] = await self._ask(write, f"insert {' '.join(order.order_id for order in orders)}")
        return there

    async def update(self, changes: Mapping[str, Change]) -> dict[str, Order]:
        """Change orders in one transaction; one that was changed meanwhile is a write conflict, and all runs again."""
        for _ in range(MOST_CONFLICTS):
            snapshot = await self.find(sorted(changes))
            changed: dict[str, Order] = {}
            events: list[Event] = []
            for order_id, before in snapshot.items():
                after, said = changes[order_id](before)
                if after is not before:
                    changed[order_id] = after
                    events += said
            if not changed:
                return changed
            expected = {order_id: snapshot[order_id].revision for order_id in changed}
            began = self._database.microseconds
            if await self._ask(
                lambda: self._write(changed, events, expected, began),  # noqa: B023 - it is awaited in this round
                f"update {' '.join(changed)}",
            ):
                return changed
        raise away("the transaction met a conflict too often")

    def _write(
        self, changed: Mapping[str, Order], events: Sequence[Event], expected: Mapping[str, int], began: int
    ) -> bool:
        if not self.is_unchanged(expected):
            return False
        self._database.commit(list(changed.values()), events, began)
        return True

    def is_unchanged(self, expected: Mapping[str, int]) -> bool:
        """Tell whether the orders still have the revisions that they were read with."""
        return all(self._database.orders[order_id].revision == revision for order_id, revision in expected.items())

    async def get(self, account_id: str, order_id: str) -> Order | None:
        """Return one order of the account."""
        order = (await self.find([order_id])).get(order_id)
        return order if order and order.account_id == account_id else None

    async def page(self, account_id: str, wanted: OrderFilter, *, size: int, token: str) -> tuple[Sequence[Order], str]:
        """Nobody pages here."""
        raise AssertionError("the simulation asks for no pages")


class ModelOutbox:
    """One process's way to the outbox (the relay's Outbox)."""

    def __init__(self, database: OrdersDatabase, network: Network) -> None:
        self._database, self._network = database, network

    async def _ask(self, effect: Callable[[], Any], what: str) -> Any:
        return await self._network.call(Server.ORDERS_DATABASE, effect, seconds=OPERATION_SECONDS, away=away, what=what)

    async def follow(
        self, resume_after: Mapping[str, Any] | None
    ) -> AsyncGenerator[tuple[Entry | None, Mapping[str, Any]], None]:
        """Return every new entry with its token; None with a token when nothing came for a while."""
        database = self._database
        place: int = await self._ask(lambda: _opened(database, resume_after), "watch")
        while True:
            if place >= database.position:
                with suppress(TimeoutError):
                    async with asyncio.timeout(AWAIT_SECONDS):
                        await database.next_entry()
            read: tuple[list[Entry], int] = await self._ask(lambda: _read(database, place), "getMore")  # noqa: B023
            entries, place = read
            for number, entry in enumerate(entries, place - len(entries) + 1):
                yield entry, {"_data": number}
            if not entries:
                yield None, {"_data": place}

    async def old(self, *, older_than: timedelta, after: ObjectId | None, limit: int) -> list[tuple[ObjectId, int]]:
        """Return ids and commit times of entries of some age, in the order of the ids."""
        database = self._database

        def look() -> list[tuple[ObjectId, int]]:
            latest = database.microseconds - int(older_than.total_seconds() * 1_000_000)
            found = [
                (one.entry_id, one.commit_time_us)
                for one in database.outbox.values()
                if one.commit_time_us <= latest and (after is None or one.entry_id > after)
            ]
            return sorted(found)[:limit]

        found: list[tuple[ObjectId, int]] = await self._ask(look, "old entries?")
        return found

    async def load(self, entry_ids: Collection[ObjectId]) -> list[Entry]:
        """Return those of the entries that are still there, in the order of their commits."""
        wanted, outbox = sorted(entry_ids), self._database.outbox

        def look() -> list[Entry]:
            found = [outbox[one] for one in wanted if one in outbox]
            return sorted(found, key=lambda one: (one.commit_time_us, one.entry_id))

        entries: list[Entry] = await self._ask(look, f"load {len(wanted)}")
        return entries

    async def note_landed(self, entry_ids: Collection[ObjectId]) -> None:
        """Keep that the broker has these."""
        landed, outbox = sorted(entry_ids), self._database.outbox
        if landed:
            await self._ask(
                lambda: outbox.update({one: replace(outbox[one], landed=True) for one in landed if one in outbox}),
                f"landed {len(landed)}",
            )

    async def take_over(self) -> Reign:
        """Begin a reign."""
        database, mark = self._database, random.randbytes(8).hex()

        def begin() -> Reign:
            database.epoch, database.mark = database.epoch + 1, mark
            return Reign(database.epoch, mark, database.token, database.born)

        reign: Reign = await self._ask(begin, "take over")
        return reign

    async def still_pending(self, order_ids: Collection[str]) -> set[str]:
        """Return those of the orders that have not left PENDING."""
        if not order_ids:
            return set()
        orders = self._database.orders
        pending: set[str] = await self._ask(
            lambda: {key for key in order_ids if key not in orders or orders[key].state is State.PENDING},
            "still pending?",
        )
        return pending

    async def revisions(self, order_ids: Collection[str]) -> Mapping[str, int]:
        """Return the revision that each of the orders has now."""
        wanted, orders = sorted(order_ids), self._database.orders
        found: dict[str, int] = await self._ask(
            lambda: {key: orders[key].revision for key in wanted if key in orders}, f"revisions {len(wanted)}"
        )
        return found

    async def settle(self, entry_ids: Collection[ObjectId]) -> None:
        """Forget entries."""
        if entry_ids:
            gone = sorted(entry_ids)
            await self._ask(lambda: [self._database.outbox.pop(one, None) for one in gone], f"settle {len(gone)}")

    async def save_token(self, reign: Reign, token: Mapping[str, Any], *, born: int) -> bool:
        """Keep the place, if the reign is the newest."""
        database = self._database

        def keep() -> bool:
            if (database.epoch, database.mark) != (reign.epoch, reign.mark):
                return False
            database.token, database.born = token, born
            return True

        kept: bool = await self._ask(keep, f"token {token['_data']}")
        return kept


def _opened(database: OrdersDatabase, resume_after: Mapping[str, Any] | None) -> int:
    if resume_after is None:
        return database.position
    return _checked(database, int(resume_after["_data"]))


def _checked(database: OrdersDatabase, place: int) -> int:
    if place < database.rolled:
        raise ResumeImpossible("history lost")
    return place


def _read(database: OrdersDatabase, place: int) -> tuple[list[Entry], int]:
    _checked(database, place)
    return database.oplog[place - database.rolled :], database.position
