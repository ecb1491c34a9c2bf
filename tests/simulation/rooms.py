"""The real code, wired as its app.py wires it, with models in place of drivers: one order service, one gateway."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

from prometheus_client import CollectorRegistry

from exchange_gw.burial import Burial
from exchange_gw.bus import ReportPublisher
from exchange_gw.command_door import CommandDoor
from exchange_gw.conversation import Conversation
from exchange_gw.exchange import OrderEvent
from exchange_gw.figures import Figures as GatewayFigures
from exchange_gw.insistence import surely
from exchange_gw.rounds import Rhythm
from exchange_gw.service import Lane
from exchange_gw.trading import Trading
from exchange_gw.unanswered import Patience
from exchange_gw.waiting_room import WaitingRoom
from order_svc import risk
from order_svc.attention import Attention
from order_svc.attention import Patience as Silence
from order_svc.bus import hear_reports
from order_svc.figures import Figures
from order_svc.order import Order
from order_svc.placement import Placements
from order_svc.relay import Relay
from order_svc.service import Orders
from runtime.databases import DatabaseUnavailable
from runtime.jetstream import Bus
from runtime.leases import Lease
from runtime.process import Tasks
from tests.factories import a_market
from tests.simulation.bus import ModelBus
from tests.simulation.gateway_database import ModelJournal, ModelPermission
from tests.simulation.network import Server
from tests.simulation.orders_database import ModelOrderStore, ModelOutbox, away
from tests.simulation.session import ModelSession
from tests.simulation.waiting_room import ModelWaitingRoom
from tests.simulation.world import World

SESSION = "ORD-0"
RHYTHM = Rhythm(look=30.0, compare=60.0)
KEEP = timedelta(days=13)
# An order at rest is asked about sooner than usual, so that a run need not be long.
PATIENCE = Silence(5.0, 30.0)


class ModelFinished:
    """Redis: remembers, unless it was wiped or is away; then it knows nothing (Finished)."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def find(self, order_ids: Sequence[str]) -> dict[str, Order]:
        """Return what is remembered."""
        memory = self._world.redis
        try:
            return await self._world.network.call(
                Server.REDIS,
                lambda: {one: memory[one] for one in order_ids if one in memory},
                seconds=0.25,
                away=away,
                what="remembered?",
            )
        except DatabaseUnavailable:
            return {}

    async def remember(self, orders: Sequence[Order]) -> None:
        """Keep orders that have ended."""
        if not orders:
            return
        try:
            await self._world.network.call(
                Server.REDIS,
                lambda: self._world.redis.update({order.order_id: order for order in orders}),
                seconds=0.25,
                away=away,
                what="remember",
            )
        except DatabaseUnavailable:
            return


class ModelMarket:
    """A market that is open and lively (MarketView)."""

    def of(self, symbol: str) -> risk.Market:
        """Return the world as it is now."""
        return a_market()


class OrderRoom:
    """One order service; the ways to its neighbours are class attributes, so that a mutant can put another in."""

    bus_of: type[ModelBus] = ModelBus
    store_of: type[ModelOrderStore] = ModelOrderStore
    outbox_of: type[ModelOutbox] = ModelOutbox

    def __init__(self, world: World) -> None:
        self._world = world
        now, network = world.loop.now, world.network
        self.bus = self.bus_of(world.broker, network)
        self.store = self.store_of(world.orders, network)
        self.outbox = self.outbox_of(world.orders, network)
        finished, market = ModelFinished(world), ModelMarket()
        limits = risk.Limits()
        self.placements = Placements(
            self.store, finished, market, limits=limits, now=now, session_end=lambda then: then + timedelta(hours=8)
        )
        self.orders = Orders(self.store, self.placements, finished, market, limits=limits, now=now)

    async def run(self, tasks: Tasks) -> None:
        """Start the loops."""
        figures = Figures(CollectorRegistry())
        lease = Lease(cast("Bus", self.bus), "relay.orders")
        attention = Attention(self.store, self.bus, lease, patience=PATIENCE, figures=figures)
        relay = Relay(self.outbox, self.bus, self.bus, lease, figures=figures, watchers=(figures, attention))
        tasks.spawn(self.placements.run(), name="placements")
        tasks.spawn(
            hear_reports(cast("Bus", self.bus), self.orders, self._world.loop.now, figures.count_letter), name="reports"
        )
        tasks.spawn(relay.run(), name="relay")


class GatewayRoom:
    """One gateway with one lane; as above."""

    journal_of: type[ModelJournal] = ModelJournal
    session_of: type[ModelSession] = ModelSession

    def __init__(self, world: World) -> None:
        self._world = world
        loop, network = world.loop, world.network
        self.bus = ModelBus(world.broker, network)
        self.journal = self.journal_of(world.gateway, network)
        permission = ModelPermission(world.gateway)
        self._trading = Trading(permission, permission, loop.now)
        self._publisher = ReportPublisher(self.bus, room=1000, at_once=16)

        async def hear(events: Sequence[OrderEvent]) -> None:
            await self.lane.hear(events)

        self.session = self.session_of(world.exchange, network, hear)
        self.conversation = Conversation(
            figures=GatewayFigures(CollectorRegistry()),
            group=0,
            session=self.session,
            journal=self.journal,
            reports=self._publisher,
            trading=self._trading,
            patience=Patience(),
            owns=lambda account: True,
            now=loop.now,
            monotonic=loop.time,
        )
        self.lane = Lane(self.conversation, SESSION, RHYTHM)

    async def run(self, tasks: Tasks) -> None:
        """Start the loops, as the app does: mouths first, then what is left unanswered, then ears, then the line."""
        now = self._world.loop.now
        tasks.spawn(self._publisher.run(), name="reports")
        await surely(self._trading.load)
        await surely(self.lane.take_up)
        bus, room = cast("Bus", self.bus), ModelWaitingRoom(self._world.gateway, self._world.network)
        door = CommandDoor(
            bus,
            self.lane,
            room=cast("WaitingRoom", room),
            burial=Burial(bus, self._publisher, now, lambda stream, reason: None),
            group=0,
            groups=1,
            max_batch=100,
            keep=KEEP,
            now=now,
        )
        tasks.spawn(self.lane.run(), name="lane")
        tasks.spawn(door.run(), name="commands")
        tasks.spawn(self.session.run(), name="line")


async def live(room: Any) -> None:
    """Run a room until one of its loops dies."""
    async with asyncio.TaskGroup() as group:
        await room.run(Tasks(group))
        await asyncio.Event().wait()
