"""The flaw: an order is read, changed and written back, and nobody looks whether it is still what was read."""

import asyncio
from collections.abc import Mapping

from order_svc.documents import document_of
from order_svc.event import Message
from order_svc.order import Order
from order_svc.outbox import outbox_document
from order_svc.service import Change
from order_svc.store import MongoOrderStore
from tests.faults.mutants import put

# What a busy machine takes now and then.
PAUSE_SECONDS = 0.05


def apply() -> None:
    """Put it in."""

    async def update(store: MongoOrderStore, changes: Mapping[str, Change]) -> dict[str, Order]:
        before = await store.find(list(changes))
        await asyncio.sleep(PAUSE_SECONDS)
        changed: dict[str, Order] = {}
        messages: list[Message] = []
        for order_id, order in before.items():
            after, events = changes[order_id](order)
            if after is not order:
                changed[order_id] = after
                messages += [store._encode(event) for event in events]
        for order in changed.values():
            await store._orders.replace_one({"_id": order.order_id}, document_of(order), upsert=True)
        if messages:
            await store._outbox.insert_one(outbox_document(messages))
        return changed

    put(MongoOrderStore, "update", update)
