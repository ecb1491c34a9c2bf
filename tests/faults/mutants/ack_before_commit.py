"""The flaw: orders are answered while their transaction is still to come."""

import asyncio
from collections.abc import Sequence

from order_svc.event import Event
from order_svc.order import Order
from order_svc.store import MongoOrderStore
from tests.faults.mutants import put

LATE_SECONDS = 0.2


def apply() -> None:
    """Put it in."""
    insert, later = MongoOrderStore.insert, set[asyncio.Task[None]]()

    async def insert_late(store: MongoOrderStore, orders: Sequence[Order], events: Sequence[Event]) -> None:
        await asyncio.sleep(LATE_SECONDS)
        await insert(store, orders, events)

    async def answer_first(
        store: MongoOrderStore, orders: Sequence[Order], events: Sequence[Event]
    ) -> dict[str, Order]:
        task = asyncio.create_task(insert_late(store, orders, events))
        later.add(task)
        task.add_done_callback(later.discard)
        return {}

    put(MongoOrderStore, "insert", answer_first)
