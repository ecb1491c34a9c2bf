"""A client that was away while the doors and the broker were restarted misses nothing and sees nothing twice."""

from uuid import uuid4

import grpc
import pytest

from gen.trading.v1 import order_pb2, order_pb2_grpc
from infra.local.running import System
from tests.eventually import eventually
from tests.socket_client import Refused, Socket, connected

ORDERS = 5


@pytest.mark.timeout(120)
async def test_a_client_away_over_a_restart_of_edge_and_broker_sees_every_update_once_and_in_order(
    system: System, account: str, socket: Socket
) -> None:
    seen = (await socket.ask("orders.subscribe"))["position"]
    await socket.close()

    placed = [await _placed(system, account, f"away-{number}-{uuid4().hex[:8]}") for number in range(ORDERS)]
    for part in ("edge", "nats"):
        await system.kill(part)
    placed += [await _placed(system, account, f"back-{number}-{uuid4().hex[:8]}") for number in range(ORDERS)]
    for part in ("edge", "nats"):
        await system.until_ready(part)

    async def resumed() -> bool:
        try:
            await _everything_since(seen, system, account, set(placed))
        except (OSError, Refused) as error:
            raise AssertionError(repr(error)) from error
        return True

    await eventually(resumed, within=60, every=0.5)


async def _everything_since(seen: str, system: System, account: str, placed: set[str]) -> None:
    """Resume after a position and read until every order is filled; each update must follow the one before."""
    async with connected(system.where.websocket, system.token(account)) as later:
        assert (await later.ask("orders.subscribe", **{"from": seen}))["recovered"]
        revisions: dict[str, int] = {}
        filled: set[str] = set()
        while filled < placed:
            update = await later.until("orders.update", seconds=20)
            assert update["previous"] == seen
            seen, order = update["position"], update["order"]
            assert int(order["revision"]) == revisions.get(order["orderId"], 0) + 1
            revisions[order["orderId"]] = int(order["revision"])
            if order["state"] == "FILLED":
                filled.add(order["orderId"])
        assert filled == placed


async def _placed(system: System, account: str, key: str) -> str:
    """Place an order, again with the same key until it is answered; return its id."""
    metadata = [("authorization", f"Bearer {system.token(account)}")]
    wish = order_pb2.PlaceOrderRequest(
        client_order_id=key, symbol="AAPL", side=order_pb2.Order.BUY, type=order_pb2.Order.MARKET, quantity=3
    )

    async def place() -> str:
        try:
            answer = await orders.PlaceOrder(wish, metadata=metadata, timeout=3)
        except grpc.aio.AioRpcError:
            return ""
        return answer.order.order_id

    async with grpc.aio.insecure_channel(system.where.order_svc) as channel:
        orders = order_pb2_grpc.OrderServiceStub(channel)
        return await eventually(place, within=30, every=0.2)
