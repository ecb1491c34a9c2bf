"""gRPC door of orders: in, do, out."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from gen.trading.v1 import order_pb2 as pb
from gen.trading.v1 import order_pb2_grpc
from order_svc import request as requests
from order_svc import wire
from order_svc.identity import order_id_of
from order_svc.order import Order
from order_svc.service import OrderFilter, Orders, estimated_amount_micros
from runtime import logs
from runtime.auth import READ, TRADE, current_principal
from runtime.errors import InvalidArgument, Outcome, ResourceExhausted, TradingError
from runtime.money import text_or_empty
from runtime.rpc import Context, Service, metadata_value

NAME = "trading.v1.OrderService"
ACCESS: dict[str, str | None] = {
    "PlaceOrder": TRADE,
    "PreviewOrder": TRADE,
    "CancelOrder": TRADE,
    "ReplaceOrder": TRADE,
    "GetOrder": READ,
    "ListOrders": READ,
    "ListExecutions": READ,
    "GetOrderTimeline": READ,
    "StreamOrderUpdates": READ,
}
# When the edge had the request, in milliseconds since 1970.
RECEIVED = "x-received-time"
DEFAULT_PAGE, EXECUTIONS_PAGE, MAX_PAGE = 50, 100, 500

logger = logs.get_logger("order_svc.rpc")


class TooManyStreams(ResourceExhausted):
    """This server carries as many streams as it may."""

    reason = "TOO_MANY_STREAMS"


class InvalidPageSize(InvalidArgument):
    """The page size is not 0 to 500."""

    reason = "INVALID_PAGE_SIZE"


class Updates(Protocol):
    """The account's stream of changes."""

    def follow(self, account_id: str, from_position: str) -> AsyncIterator[pb.StreamOrderUpdatesResponse]:
        """Return every change from a position on."""


class _Selector(Protocol):
    """What requests about one order have in common."""

    @property
    def order_id(self) -> str: ...
    @property
    def client_order_id(self) -> str: ...
    @property
    def account_id(self) -> str: ...


class OrderServicer(order_pb2_grpc.OrderServiceServicer):
    """trading.v1.OrderService; the contract is told in protos/trading/v1/order.proto."""

    def __init__(
        self,
        orders: Orders,
        updates: Updates,
        *,
        max_streams: int,
        count_placed: Callable[[str], None],
        count_refusal: Callable[[str], None],
        pushed: Callable[[str], datetime | None],
    ) -> None:
        self._orders, self._updates = orders, updates
        self._count_placed, self._count_refusal, self._pushed = count_placed, count_refusal, pushed
        self._streams, self._max_streams = 0, max_streams

    async def PlaceOrder(self, request: pb.PlaceOrderRequest, context: Context) -> pb.PlaceOrderResponse:
        """Store an order durably, or answer with the one that the key has."""
        received = requests.received_time(metadata_value(context, RECEIVED), now=_now())
        account = current_principal().account(request.account_id)
        wish = requests.wish_from(
            request,
            account_id=account,
            key_header=metadata_value(context, "idempotency-key"),
            receive_time=received,
        )
        with logs.bind(order_id=wish.order_id, account_id=account):
            try:
                placed = await self._orders.place(wish)
            except TradingError as refusal:
                if refusal.outcome is Outcome.NOT_EXECUTED:
                    self._count_refusal(refusal.reason)
                    logger.info("order refused", reason=refusal.reason, **refusal.metadata)
                raise
            if not placed.replayed:
                self._count_placed(wish.terms.type.value)
            logger.info("order replayed" if placed.replayed else "order placed", symbol=wish.terms.symbol)
        return pb.PlaceOrderResponse(order=wire.order_to_proto(placed.order), replayed=placed.replayed)

    async def PreviewOrder(self, request: pb.PreviewOrderRequest, context: Context) -> pb.PreviewOrderResponse:
        """Run the checks and store nothing."""
        account = current_principal().account(request.order.account_id)
        order = self._orders.preview(requests.wish_from(request.order, account_id=account))
        shown = wire.order_to_proto(order)
        shown.ClearField("order_id")
        return pb.PreviewOrderResponse(order=shown, estimated_amount=text_or_empty(estimated_amount_micros(order)))

    async def CancelOrder(self, request: pb.CancelOrderRequest, context: Context) -> pb.CancelOrderResponse:
        """Ask for a cancel."""
        order = await self._orders.cancel(*_selected(request))
        return pb.CancelOrderResponse(order=wire.order_to_proto(order))

    async def ReplaceOrder(self, request: pb.ReplaceOrderRequest, context: Context) -> pb.ReplaceOrderResponse:
        """Ask for a change."""
        order = await self._orders.replace(
            *_selected(request),
            quantity=requests.quantity_of(request.quantity) if request.HasField("quantity") else None,
            limit_price_micros=requests.price_of(request.limit_price) if request.HasField("limit_price") else None,
        )
        return pb.ReplaceOrderResponse(order=wire.order_to_proto(order))

    async def GetOrder(self, request: pb.GetOrderRequest, context: Context) -> pb.GetOrderResponse:
        """Return one order."""
        return pb.GetOrderResponse(order=wire.order_to_proto(await self._selected_order(request)))

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Context) -> pb.ListOrdersResponse:
        """Return the account's orders, newest first."""
        since: datetime | None = None
        if request.HasField("changed_since"):
            since = requests.time_from(request.changed_since, field="changed_since")
        orders, token = await self._orders.page(
            current_principal().account(request.account_id),
            OrderFilter(request.symbol, wire.states_from(request.states), since),
            size=_page_size(request.page_size, DEFAULT_PAGE),
            token=request.page_token,
        )
        return pb.ListOrdersResponse(orders=[wire.order_to_proto(order) for order in orders], next_page_token=token)

    async def ListExecutions(self, request: pb.ListExecutionsRequest, context: Context) -> pb.ListExecutionsResponse:
        """Return the fills of one order; the token is the number of fills already seen."""
        order = await self._selected_order(request)
        size, start = _page_size(request.page_size, EXECUTIONS_PAGE), _offset(request.page_token)
        page = order.fills[start : start + size]
        more = start + size < len(order.fills)
        return pb.ListExecutionsResponse(
            executions=[wire.execution_to_proto(fill) for fill in page],
            next_page_token=str(start + size) if more else "",
        )

    async def GetOrderTimeline(
        self, request: pb.GetOrderTimelineRequest, context: Context
    ) -> pb.GetOrderTimelineResponse:
        """Return what happened to one order."""
        order = await self._selected_order(request)
        return pb.GetOrderTimelineResponse(entries=wire.timeline_to_proto(order, pushed=self._pushed(order.order_id)))

    async def StreamOrderUpdates(
        self, request: pb.StreamOrderUpdatesRequest, context: Context
    ) -> AsyncIterator[pb.StreamOrderUpdatesResponse]:
        """Send every change of the account's orders from a position on."""
        account = current_principal().account(request.account_id)
        if self._streams >= self._max_streams:
            raise TooManyStreams("no more streams here", retry_after_seconds=5.0, limit=self._max_streams)
        self._streams += 1
        try:
            async for response in self._updates.follow(account, request.from_position):
                yield response
        finally:
            self._streams -= 1

    async def _selected_order(self, request: _Selector) -> Order:
        return await self._orders.get(*_selected(request))


def service(servicer: OrderServicer) -> Service:
    """Return the service as the server builder wants it."""
    add: Any = order_pb2_grpc.add_OrderServiceServicer_to_server
    return Service(NAME, add, servicer, ACCESS)


def _selected(request: _Selector) -> tuple[str, str]:
    """Return account and order id that a request names. Raises FieldRequired and AliasConflict."""
    account = current_principal().account(request.account_id)
    by_key = order_id_of(account, request.client_order_id) if request.client_order_id else ""
    if not request.order_id and not by_key:
        raise requests.FieldRequired("order_id or client_order_id is required", field="order_id")
    if request.order_id and by_key and request.order_id != by_key:
        raise requests.AliasConflict("order_id and client_order_id name two different orders", field="order_id")
    return account, request.order_id or by_key


def _now() -> datetime:
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _page_size(asked: int, default: int) -> int:
    if not 0 <= asked <= MAX_PAGE:
        raise InvalidPageSize(f"page_size must be 0 to {MAX_PAGE}", field="page_size", limit=MAX_PAGE, actual=asked)
    return asked or default


def _offset(token: str) -> int:
    if token and not (token.isascii() and token.isdigit() and len(token) < 10):  # noqa: PLR2004 - no order has that many fills
        raise requests.InvalidPageToken("page_token is not one of ours; start again without", field="page_token")
    return int(token or 0)
