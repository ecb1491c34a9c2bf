"""REST, SSE and gRPC through the gateway, and gRPC at the services' own doors."""

import json
from collections.abc import AsyncIterator
from uuid import uuid4

import grpc
import httpx
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from gen.trading.v1 import order_pb2, order_pb2_grpc, price_pb2, price_pb2_grpc
from infra.local.running import System
from tests.eventually import eventually
from tests.socket_client import Socket


@pytest.fixture
async def rest(system: System, socket: Socket) -> AsyncIterator[httpx.AsyncClient]:
    assert system.where.rest is not None
    async with httpx.AsyncClient(base_url=system.where.rest, timeout=10) as client:
        yield client


def bearer(system: System, account: str) -> dict[str, str]:
    return {"authorization": f"Bearer {system.token(account)}"}


async def test_a_price_is_read_without_a_token(rest: httpx.AsyncClient) -> None:
    answer = await rest.get("/stockPrices", params={"symbol": "AAPL"})

    quote = answer.json()["prices"][0]["quote"]
    assert (answer.status_code, quote["symbol"], quote["state"]) == (200, "AAPL", "LIVE")
    assert "." in quote["price"]


async def test_every_price_is_read_page_by_page(rest: httpx.AsyncClient) -> None:
    seen: list[str] = []
    token = ""
    while True:
        page = (await rest.get("/stockPrices", params={"page_size": 200, "page_token": token})).json()
        seen += [price["quote"]["symbol"] for price in page["prices"]]
        token = page["nextPageToken"]
        if not token:
            break
    assert len(seen) >= 500
    assert seen == sorted(set(seen))


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/stockPrices?symbol=NOSUCH", 404, "UNKNOWN_SYMBOL"),
        ("/stockPrices?symbol=AAPL&timerange=2d", 400, "INVALID_TIMERANGE"),
        ("/stockPrices?simbol=AAPL", 400, None),
        ("/orders", 401, "TOKEN_MISSING"),
    ],
)
async def test_a_bad_request_gets_a_clear_answer(
    rest: httpx.AsyncClient, path: str, status: int, reason: str | None
) -> None:
    answer = await rest.get(path)

    assert answer.status_code == status, answer.text
    assert answer.text
    if reason:
        assert answer.json()["details"][0]["reason"] == reason


async def test_the_customers_own_order_body_works(system: System, rest: httpx.AsyncClient, account: str) -> None:
    headers = {**bearer(system, account), "idempotency-key": uuid4().hex}
    body = {"orderType": "buy", "type": "LIMIT", "symbol": "AAPL", "quantity": 10, "amount": 1.5}

    first = await rest.post("/orders", json=body, headers=headers)
    again = await rest.post("/orders", json=body, headers=headers)

    assert first.status_code == again.status_code == 200, first.text
    order = first.json()["order"]
    assert (order["side"], order["limitPrice"], first.json()["replayed"]) == ("BUY", "1.50", False)
    assert (again.json()["order"]["orderId"], again.json()["replayed"]) == (order["orderId"], True)
    listed = await rest.get("/orders", params={"symbol": "AAPL"}, headers=headers)
    assert [one["orderId"] for one in listed.json()["orders"]] == [order["orderId"]]

    canceled = await rest.delete(f"/orders/{order['orderId']}", headers=headers)
    assert canceled.json()["order"]["pendingAction"] == "CANCEL"

    async def gone() -> bool:
        answer = await rest.get(f"/orders/{order['orderId']}", headers=headers)
        return bool(answer.json()["order"]["state"] == "CANCELED")

    await eventually(gone)


async def test_a_misspelt_body_field_is_refused(system: System, rest: httpx.AsyncClient, account: str) -> None:
    body = {"side": "BUY", "type": "MARKET", "symbol": "AAPL", "quantitty": 10}

    answer = await rest.post("/orders", json=body, headers=bearer(system, account))

    assert answer.status_code == 400


async def test_prices_stream_as_server_sent_events(rest: httpx.AsyncClient) -> None:
    seen = 0
    async with rest.stream("GET", "/stockPrices:stream", params={"symbol": "AAPL"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if line.startswith("data:"):
                seen += len(json.loads(line.removeprefix("data:"))["quotes"])
            if seen >= 2:
                break
    assert seen >= 2


async def test_partners_speak_grpc_through_the_gateway_and_at_the_doors(
    system: System, socket: Socket, account: str
) -> None:
    assert system.where.rest is not None
    gateway = system.where.rest.removeprefix("http://")
    metadata = list(bearer(system, account).items())
    for prices_door, orders_door in ((gateway, gateway), (system.where.price_svc, system.where.order_svc)):
        async with grpc.aio.insecure_channel(prices_door) as channel:
            prices = await price_pb2_grpc.PriceServiceStub(channel).GetPrices(
                price_pb2.GetPricesRequest(symbols=["AAPL"]), timeout=5
            )
        async with grpc.aio.insecure_channel(orders_door) as channel:
            wish = order_pb2.PlaceOrderRequest(
                client_order_id=uuid4().hex,
                symbol="AAPL",
                side=order_pb2.Order.BUY,
                type=order_pb2.Order.MARKET,
                quantity=1,
            )
            placed = await order_pb2_grpc.OrderServiceStub(channel).PlaceOrder(wish, metadata=metadata, timeout=5)
        assert prices.prices[0].quote.price
        assert placed.order.state == order_pb2.Order.PENDING


async def test_operators_find_the_services_by_reflection(system: System) -> None:
    async with grpc.aio.insecure_channel(system.where.order_svc) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        call = stub.ServerReflectionInfo(timeout=5)
        await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        answer = await call.read()
        call.cancel()

    assert "trading.v1.OrderService" in {one.name for one in answer.list_services_response.service}
