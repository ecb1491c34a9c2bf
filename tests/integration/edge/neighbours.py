"""Small services in the place of price_svc and order_svc: the real contract over real gRPC, holding what a test puts in."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from gen.trading.v1 import order_pb2, order_pb2_grpc, price_pb2, price_pb2_grpc
from runtime import subjects
from runtime.auth import READ, TRADE, TokenVerifier, current_principal
from runtime.errors import FailedPrecondition, NotFound
from runtime.jetstream import Bus
from runtime.rpc import Context, Service, serve_rpc
from tests.servers import free_port

SECRET = "a secret of at least thirty-two bytes"
VERIFIER = TokenVerifier(secret=SECRET, issuer="stockmesh", audience="stockmesh")


Kind: TypeAlias = "order_pb2.OrderEvent.Kind.ValueType"
LIVE = price_pb2.Quote.LIVE


class UnknownSymbol(NotFound):
    reason = "UNKNOWN_SYMBOL"


class OrderNotFound(NotFound):
    reason = "ORDER_NOT_FOUND"


class MarketClosed(FailedPrecondition):
    reason = "MARKET_CLOSED"


@dataclass
class Prices(price_pb2_grpc.PriceServiceServicer):
    """Knows some symbols, and counts how often it is asked."""

    quotes: dict[str, price_pb2.Quote] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    pause_seconds: float = 0.0

    async def GetPrices(self, request: price_pb2.GetPricesRequest, context: Context) -> price_pb2.GetPricesResponse:
        symbols = tuple(request.symbols) or ((request.symbol,) if request.symbol else tuple(self.quotes))
        self.asked.append(symbols)
        await asyncio.sleep(self.pause_seconds)
        unknown = [symbol for symbol in symbols if symbol not in self.quotes]
        if unknown:
            raise UnknownSymbol("no such symbol", symbols=",".join(unknown[:10]))
        bars = [price_pb2.Bar(open="1.00", close="2.00", volume=7, final=True)] if request.timerange else []
        return price_pb2.GetPricesResponse(
            prices=[price_pb2.StockPrice(quote=self.quotes[symbol], bars=bars) for symbol in symbols]
        )

    async def SearchInstruments(
        self, request: price_pb2.SearchInstrumentsRequest, context: Context
    ) -> price_pb2.SearchInstrumentsResponse:
        return price_pb2.SearchInstrumentsResponse(
            instruments=[price_pb2.Instrument(symbol="AAPL", name="Apple", lot_size=1, tradable=True)]
        )

    async def GetMarketStatus(
        self, request: price_pb2.GetMarketStatusRequest, context: Context
    ) -> price_pb2.GetMarketStatusResponse:
        return price_pb2.GetMarketStatusResponse(
            state=price_pb2.GetMarketStatusResponse.OPEN, feed_age_ms=12, priced_instruments=len(self.quotes)
        )


@dataclass
class Orders(order_pb2_grpc.OrderServiceServicer):
    """Keeps orders by account and key, and says each change on the bus as the relay does."""

    bus: Bus
    orders: dict[tuple[str, str], order_pb2.Order] = field(default_factory=dict)
    requests: list[order_pb2.PlaceOrderRequest] = field(default_factory=list)
    pause_seconds: float = 0.0

    async def PlaceOrder(self, request: order_pb2.PlaceOrderRequest, context: Context) -> order_pb2.PlaceOrderResponse:
        self.requests.append(request)
        account = current_principal().account(request.account_id)
        if request.symbol == "CLOSED":
            raise MarketClosed("the venue is closed", field="limit_price", limit="1")
        await asyncio.sleep(self.pause_seconds)
        key = (account, request.client_order_id)
        if key in self.orders:
            return order_pb2.PlaceOrderResponse(order=self.orders[key], replayed=True)
        order = order_pb2.Order(
            order_id=f"{account}/{request.client_order_id}",
            client_order_id=request.client_order_id,
            account_id=account,
            symbol=request.symbol,
            side=request.side or order_pb2.Order.Side.Value(request.order_type.upper()),
            type=request.type,
            quantity=request.quantity,
            limit_price=request.limit_price or request.amount.string_value,
            state=order_pb2.Order.PENDING,
            certainty=order_pb2.Order.CONFIRMED,
            pending_action=order_pb2.Order.NONE,
            revision=1,
        )
        order.create_time.GetCurrentTime()
        self.orders[key] = order
        await self.say(order, order_pb2.OrderEvent.CREATED)
        return order_pb2.PlaceOrderResponse(order=order)

    async def say(self, order: order_pb2.Order, kind: Kind) -> int:
        """Publish what happened to an order; return its sequence in the stream."""
        update = order_pb2.OrderUpdate(event=order_pb2.OrderEvent(kind=kind), order=order)
        return await self.bus.publish(
            subjects.order_update(order.account_id),
            update.SerializeToString(),
            event_id=f"{order.order_id}:{order.revision}",
        )

    async def change(self, order: order_pb2.Order, kind: Kind = order_pb2.OrderEvent.PLACED) -> int:
        """Change an order once more, and say so."""
        order.revision += 1
        return await self.say(order, kind)

    async def GetOrder(self, request: order_pb2.GetOrderRequest, context: Context) -> order_pb2.GetOrderResponse:
        key = (current_principal().account(request.account_id), request.client_order_id)
        if key not in self.orders:
            raise OrderNotFound("no such order")
        return order_pb2.GetOrderResponse(order=self.orders[key])

    async def ListOrders(self, request: order_pb2.ListOrdersRequest, context: Context) -> order_pb2.ListOrdersResponse:
        account = current_principal().account(request.account_id)
        return order_pb2.ListOrdersResponse(orders=[order for key, order in self.orders.items() if key[0] == account])


@dataclass(frozen=True)
class Neighbours:
    """Both services, and where they are."""

    prices: Prices
    orders: Orders
    price_target: str
    order_target: str


@asynccontextmanager
async def neighbours(bus: Bus, symbols: Iterable[str] = ()) -> AsyncIterator[Neighbours]:
    """Serve both for the block."""
    # What a test does not need is left to gRPC's own "unimplemented".
    prices = Prices({symbol: a_quote(symbol) for symbol in symbols})  # type: ignore[abstract]
    orders = Orders(bus)  # type: ignore[abstract]
    ports = free_port(), free_port()
    price_service = Service(
        "trading.v1.PriceService",
        price_pb2_grpc.add_PriceServiceServicer_to_server,
        prices,
        dict.fromkeys(("GetPrices", "SearchInstruments", "GetMarketStatus")),
    )
    order_service = Service(
        "trading.v1.OrderService",
        order_pb2_grpc.add_OrderServiceServicer_to_server,
        orders,
        {"PlaceOrder": TRADE, "GetOrder": READ, "ListOrders": READ},
    )
    async with (
        serve_rpc(host="127.0.0.1", port=ports[0], services=[price_service], verifier=VERIFIER, grace_seconds=0.1),
        serve_rpc(host="127.0.0.1", port=ports[1], services=[order_service], verifier=VERIFIER, grace_seconds=0.1),
    ):
        yield Neighbours(prices, orders, f"127.0.0.1:{ports[0]}", f"127.0.0.1:{ports[1]}")


def a_quote(symbol: str, *, price: str = "100.00", epoch: int = 1, seq: int = 1) -> price_pb2.Quote:
    """Return a live quote."""
    quote = price_pb2.Quote(symbol=symbol, price=price, bid=price, ask=price, epoch=epoch, seq=seq, state=LIVE)
    quote.quote_time.FromSeconds(1_760_000_000 + seq)
    return quote


async def say_quotes(bus: Bus, *quotes: price_pb2.Quote, statuses: Iterable[price_pb2.PriceStatus] = ()) -> None:
    """Say quotes as a price service does."""
    batch = price_pb2.QuoteBatch(quotes=quotes, statuses=statuses, ticks_sequence=sum(quote.seq for quote in quotes))
    await bus.publish_live(subjects.quotes_live(0), batch.SerializeToString())
