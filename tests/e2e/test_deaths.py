"""Any one process may be killed at any moment: it is healed, and a following order still fills."""

from uuid import uuid4

import grpc
import pytest

from gen.trading.v1 import order_pb2, order_pb2_grpc
from infra.local.running import System
from runtime.errors import TradingError
from runtime.rpc_errors import error_from
from tests.eventually import eventually

PARTS = (
    *("nats", "redis", "orders_mongo", "prices_mongo", "exchange_sim"),
    *("price_svc", "order_svc", "exchange_gw", "edge", "envoy"),
)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("part", PARTS)
async def test_a_killed_part_is_healed_and_orders_around_it_fill_once(system: System, account: str, part: str) -> None:
    """One order is placed right before the kill, one as soon as the door takes it again; both fill exactly once.

    What the exchange reports while the gateway is dead is brought back by reconciliation alone, so there the first order is left to
    fill before the kill.
    """
    metadata = [("authorization", f"Bearer {system.token(account)}")]
    async with grpc.aio.insecure_channel(
        system.where.order_svc, options=[("grpc.max_reconnect_backoff_ms", 500)]
    ) as channel:
        orders = order_pb2_grpc.OrderServiceStub(channel)

        async def place(key: str) -> str:
            wish = order_pb2.PlaceOrderRequest(
                client_order_id=key, symbol="AAPL", side=order_pb2.Order.BUY, type=order_pb2.Order.MARKET, quantity=7
            )
            try:
                answer = await orders.PlaceOrder(wish, metadata=metadata, timeout=3)
            except grpc.aio.AioRpcError as failure:
                retry: TradingError = error_from(failure)
                # Nothing may be refused for good because a part is away.
                assert retry.kind.value in ("UNAVAILABLE", "DEADLINE_EXCEEDED", "FAILED_PRECONDITION"), retry
                return ""
            return answer.order.order_id

        async def filled(order_id: str) -> bool:
            request = order_pb2.GetOrderRequest(order_id=order_id)
            try:
                answer = await orders.GetOrder(request, metadata=metadata, timeout=3)
            except grpc.aio.AioRpcError:
                return False
            assert answer.order.filled_quantity <= 7
            return bool(answer.order.state == order_pb2.Order.FILLED)

        before = await eventually(lambda: place(f"before-{part}"), within=20)
        if part == "exchange_gw":
            await eventually(lambda: filled(before), within=20)
        await system.kill(part)
        after_key = f"after-{uuid4().hex}"
        after = await eventually(lambda: place(after_key), within=60, every=0.2)
        await system.until_ready(part)
        for order_id in (before, after):
            await eventually(lambda order_id=order_id: filled(order_id), within=60, every=0.1)  # type: ignore[misc]
