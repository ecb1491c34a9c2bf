"""In-memory stand-ins for what unit tests must not touch. The store's one passes the same suite as MongoDB's."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from order_svc.event import Event
from order_svc.order import Order
from order_svc.risk import Market
from order_svc.service import Change, OrderFilter
from order_svc.store import InvalidPageToken
from tests.factories import NOON, a_market


class FakeOrderStore:
    """Orders and what was said about them, in two dictionaries."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.said: list[Event] = []

    async def find(self, order_ids: Sequence[str]) -> dict[str, Order]:
        return {key: self.orders[key] for key in order_ids if key in self.orders}

    async def insert(self, orders: Sequence[Order], events: Sequence[Event]) -> dict[str, Order]:
        there = await self.find([order.order_id for order in orders])
        self.orders |= {order.order_id: order for order in orders if order.order_id not in there}
        self.said += [event for event in events if event.order.order_id not in there]
        return there

    async def update(self, changes: Mapping[str, Change]) -> dict[str, Order]:
        changed: dict[str, Order] = {}
        said: list[Event] = []
        for order in (await self.find(list(changes))).values():
            after, events = changes[order.order_id](order)
            if after is not order:
                changed[order.order_id] = after
                said += events
        self.orders |= changed
        self.said += said
        return changed

    async def get(self, account_id: str, order_id: str) -> Order | None:
        order = self.orders.get(order_id)
        return order if order and order.account_id == account_id else None

    async def page(self, account_id: str, wanted: OrderFilter, *, size: int, token: str) -> tuple[Sequence[Order], str]:
        if token and not token.isdigit():
            raise InvalidPageToken("not a token")
        found = [
            order
            for order in self.orders.values()
            if order.account_id == account_id
            and (not wanted.symbol or order.terms.symbol == wanted.symbol)
            and (not wanted.states or order.state in wanted.states)
            and (not wanted.changed_since or not order.is_terminal or order.update_time >= wanted.changed_since)
        ]
        found.sort(key=lambda order: (order.create_time, order.order_id), reverse=True)
        start = int(token or 0)
        more = len(found) > start + size
        return found[start : start + size], str(start + size) if more else ""


class FakeFinished:
    """Remembers nothing unless told to."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}

    async def find(self, order_ids: Sequence[str]) -> dict[str, Order]:
        return {key: self.orders[key] for key in order_ids if key in self.orders}

    async def remember(self, orders: Sequence[Order]) -> None:
        self.orders |= {order.order_id: order for order in orders}


class FakeMarket:
    """One market for every symbol."""

    def __init__(self) -> None:
        self.market: Market = a_market()

    def of(self, symbol: str) -> Market:
        return self.market


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.time: datetime = NOON

    def __call__(self) -> datetime:
        return self.time
