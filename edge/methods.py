"""The methods that pass one request to a service: which call, how long it may take, whether it changes an order."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import uuid4

from google.protobuf.message import Message

from edge import params as p
from edge.asking import Method, ask
from edge.errors import Overloaded
from edge.rendering import json_of
from edge.replies import Done
from edge.room import Rank
from edge.session import Identity, Session
from gen.trading.v1 import order_pb2 as orders
from gen.trading.v1 import price_pb2 as prices
from runtime.auth import TokenMissing
from runtime.crash_points import reach
from runtime.errors import TradingError

if TYPE_CHECKING:
    from gen.trading.v1.order_pb2_grpc import OrderServiceAsyncStub
    from gen.trading.v1.price_pb2_grpc import PriceServiceAsyncStub

# How long a service may take. A change that is late has an unknown outcome, so it gets longer.
READ_SECONDS = 3.0
CHANGE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Request:
    """One call: the session it came from, its parameters, and the id under which the logs of all services name it."""

    session: Session
    params: Any
    id: str
    # When its frame came, in seconds of the loop.
    received: float

    @property
    def identity(self) -> Identity:
        """Who asks. Raises TokenMissing before the client has authenticated."""
        if self.session.identity is None:
            raise TokenMissing("authenticate first: session.authenticate, or the header 'authorization: Bearer …'")
        return self.session.identity

    def left(self, seconds: float) -> float:
        """Return how many of the seconds that the request may take are left. Raises Overloaded when there are none."""
        left = self.received + seconds - asyncio.get_running_loop().time()
        if left <= 0:
            raise Overloaded("the request waited too long to be begun", retry_after_seconds=1.0)
        return left


Run: TypeAlias = Callable[[Request], Awaitable[Done]]


@dataclass(frozen=True, slots=True)
class Served:
    """How one method is served. `has_effect` says that it changes an order, `is_open` that it needs no token.

    `rank` is what it is worth when there is too much to do; None for what costs next to nothing, or is asked for all at once.
    """

    read: Callable[[bytes], p.Params]
    run: Run
    has_effect: bool = False
    is_open: bool = False
    rank: Rank | None = None
    # Counts against the account's orders.
    is_order: bool = False


def price_methods(service: "PriceServiceAsyncStub") -> Mapping[str, Served]:
    """Return the methods that the price service answers."""
    history = _passing(service.GetPrices, prices.GetPricesRequest, prices.GetPricesResponse, seconds=READ_SECONDS)
    search = _passing(
        service.SearchInstruments,
        prices.SearchInstrumentsRequest,
        prices.SearchInstrumentsResponse,
        seconds=READ_SECONDS,
    )
    status = _passing(
        service.GetMarketStatus, prices.GetMarketStatusRequest, prices.GetMarketStatusResponse, seconds=READ_SECONDS
    )
    return {
        "prices.history": Served(p.reader(p.History), history, rank=Rank.HISTORY),
        "instruments.search": Served(p.reader(p.Search), search, rank=Rank.HISTORY),
        "market.status": Served(p.reader(p.NoParams), status, rank=Rank.HISTORY),
    }


def price_page(service: "PriceServiceAsyncStub") -> Run:
    """Return what asks for the prices of every instrument, page by page."""
    return _passing(service.GetPrices, prices.GetPricesRequest, prices.GetPricesResponse, seconds=READ_SECONDS)


def order_methods(service: "OrderServiceAsyncStub") -> Mapping[str, Served]:
    """Return the methods that the order service answers."""
    preview = _passing(
        service.PreviewOrder, orders.PreviewOrderRequest, orders.PreviewOrderResponse, seconds=READ_SECONDS
    )
    cancel = _passing(
        service.CancelOrder, orders.CancelOrderRequest, orders.CancelOrderResponse, seconds=CHANGE_SECONDS
    )
    replace = _passing(
        service.ReplaceOrder, orders.ReplaceOrderRequest, orders.ReplaceOrderResponse, seconds=CHANGE_SECONDS
    )
    get = _passing(service.GetOrder, orders.GetOrderRequest, orders.GetOrderResponse, seconds=READ_SECONDS)
    listing = _passing(service.ListOrders, orders.ListOrdersRequest, orders.ListOrdersResponse, seconds=READ_SECONDS)
    timeline = _passing(
        service.GetOrderTimeline,
        orders.GetOrderTimelineRequest,
        orders.GetOrderTimelineResponse,
        seconds=READ_SECONDS,
    )
    placing = _placing(service.PlaceOrder)
    return {
        "orders.place": Served(p.reader(p.PlaceOrder), placing, has_effect=True, rank=Rank.ORDER, is_order=True),
        "orders.preview": Served(p.reader(p.PreviewOrder), preview, rank=Rank.ORDER),
        "orders.cancel": Served(p.reader(p.OneOrder), cancel, has_effect=True, rank=Rank.CANCEL),
        "orders.replace": Served(p.reader(p.ReplaceOrder), replace, has_effect=True, rank=Rank.ORDER, is_order=True),
        "orders.get": Served(p.reader(p.OneOrder), get, rank=Rank.STATUS),
        "orders.list": Served(p.reader(p.ListOrders), listing, rank=Rank.STATUS),
        "orders.timeline": Served(p.reader(p.OneOrder), timeline, rank=Rank.STATUS),
    }


def _passing(method: Method, asked: type[Message], answered: type[Message], *, seconds: float) -> Run:
    async def run(request: Request) -> Done:
        token = request.identity.token
        message = p.request_of(asked, request.params)
        left = request.left(seconds)
        return Done(json_of(await ask(method, message, answered, seconds=left, token=token, request_id=request.id)))

    return run


def _placing(method: Method) -> Run:
    async def run(request: Request) -> Done:
        reach("K0")
        received_ms = time.time_ns() // 1_000_000
        token = request.identity.token
        message = p.request_of(orders.PlaceOrderRequest, request.params)
        left = request.left(CHANGE_SECONDS)
        # With a key from the start, even a client that sent none can ask what became of its order.
        message.client_order_id = message.client_order_id or uuid4().hex
        try:
            placed = await ask(
                method,
                message,
                orders.PlaceOrderResponse,
                seconds=left,
                token=token,
                request_id=request.id,
                received_ms=received_ms,
            )
        except TradingError as error:
            error.metadata["client_order_id"] = message.client_order_id
            raise
        reach("K4")
        return Done(json_of(placed))

    return run
