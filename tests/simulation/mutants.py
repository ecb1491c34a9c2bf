"""The code with one mistake in it each, made by wrapping what it works with: a simulation that overlooks one proves nothing."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from exchange_gw.command import Asks, Command
from exchange_gw.journal import Row
from exchange_gw.ports import Note
from order_svc.event import Event
from order_svc.order import Order
from order_svc.outbox import Entry
from tests.simulation.gateway_database import ModelJournal
from tests.simulation.network import Network
from tests.simulation.orders_database import ModelOrderStore, ModelOutbox, OrdersDatabase
from tests.simulation.rooms import GatewayRoom, OrderRoom
from tests.simulation.run import Rooms
from tests.simulation.session import ModelSession


class _HastyStore(ModelOrderStore):
    async def insert(self, orders: Sequence[Order], events: Sequence[Event]) -> dict[str, Order]:
        async def later() -> None:
            await asyncio.sleep(0.05)
            await super(_HastyStore, self).insert(orders, events)

        self._writing = asyncio.create_task(later())
        return {}


class _AckBeforeCommit(OrderRoom):
    store_of = _HastyStore


class _CarelessStore(ModelOrderStore):
    def is_unchanged(self, expected: Mapping[str, int]) -> bool:
        return True


class _FoldWithoutRevision(OrderRoom):
    store_of = _CarelessStore


class _OverwritingStore(ModelOrderStore):
    async def insert(self, orders: Sequence[Order], events: Sequence[Event]) -> dict[str, Order]:
        began = self._database.microseconds
        await self._ask(lambda: self._database.commit(orders, events, began), "overwrite")
        return {}


class _DuplicateAnsweredAsNew(OrderRoom):
    store_of = _OverwritingStore


class _ForgetfulOutbox(ModelOutbox):
    def __init__(self, database: OrdersDatabase, network: Network) -> None:
        super().__init__(database, network)
        self._kept = database

    async def follow(
        self, resume_after: Mapping[str, Any] | None
    ) -> AsyncGenerator[tuple[Entry | None, Mapping[str, Any]], None]:
        async for entry, place in super().follow(resume_after):
            self._kept.token = place
            if entry is not None:
                self._kept.outbox.pop(entry.entry_id, None)
            yield entry, place


class _DoneBeforePublished(OrderRoom):
    outbox_of = _ForgetfulOutbox


class _NoJournal(ModelJournal):
    async def decide(self, note: Note, group: int, rows: Sequence[Row]) -> dict[str, Row]:
        await super().decide(note, group, ())
        return {}


class _SendWithoutRow(GatewayRoom):
    journal_of = _NoJournal


class _ImpatientSession(ModelSession):
    async def ask(self, command: Command, *, request_id: str = "") -> None:
        if command.asks is Asks.SUBMIT:
            await self.send(command, again=True)
        else:
            await super().ask(command, request_id=request_id)


class _ResendWithoutAsking(GatewayRoom):
    session_of = _ImpatientSession


MUTANTS = {
    "ack before commit": Rooms(order=_AckBeforeCommit),
    "fold without revision": Rooms(order=_FoldWithoutRevision),
    "duplicate key answered as new": Rooms(order=_DuplicateAnsweredAsNew),
    "settled and token saved before published": Rooms(order=_DoneBeforePublished),
    "sent without a row in the journal": Rooms(gateway=_SendWithoutRow),
    "sent again without asking": Rooms(gateway=_ResendWithoutAsking),
}
