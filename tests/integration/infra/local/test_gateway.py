"""The gateway in front of throw-away services: what REST, SSE, WebSocket and gRPC clients see of the contract."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server as SocketServer
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from gen.trading.v1 import exchange_pb2, exchange_pb2_grpc, order_pb2, order_pb2_grpc, price_pb2, price_pb2_grpc
from infra.local import programs, ready
from infra.local.child import Child
from infra.local.gateway import gateway
from infra.local.settings import LocalSettings
from runtime.rpc import Context
from tests.servers import START_SECONDS, free_port

pytestmark = pytest.mark.skipif(programs.envoy() is None, reason="no Envoy for this machine")


@dataclass
class Seen:
    """What the services behind the gateway were asked."""

    requests: list[Message] = field(default_factory=list)
    metadata: dict[str, str | bytes] = field(default_factory=dict)

    def note(self, request: Message, context: Context) -> None:
        self.requests.append(request)
        self.metadata = dict(context.invocation_metadata() or ())


# The stand-ins serve the methods that the tests call; gRPC answers the others with UNIMPLEMENTED.
class Orders(order_pb2_grpc.OrderServiceServicer):
    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    async def PlaceOrder(self, request: order_pb2.PlaceOrderRequest, context: Context) -> order_pb2.PlaceOrderResponse:
        self._seen.note(request, context)
        if request.symbol == "CLOSED":
            status = status_pb2.Status(code=code_pb2.FAILED_PRECONDITION, message="the venue is closed")
            status.details.add().Pack(
                error_details_pb2.ErrorInfo(
                    reason="MARKET_CLOSED", domain="stockmesh", metadata={"outcome": "NOT_EXECUTED"}
                )
            )
            await context.abort_with_status(rpc_status.to_status(status))
        return order_pb2.PlaceOrderResponse(order=order_pb2.Order(order_id="one", side=order_pb2.Order.BUY))

    async def CancelOrder(
        self, request: order_pb2.CancelOrderRequest, context: Context
    ) -> order_pb2.CancelOrderResponse:
        self._seen.note(request, context)
        return order_pb2.CancelOrderResponse()


class Prices(price_pb2_grpc.PriceServiceServicer):
    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    async def GetPrices(self, request: price_pb2.GetPricesRequest, context: Context) -> price_pb2.GetPricesResponse:
        self._seen.note(request, context)
        return price_pb2.GetPricesResponse()

    async def GetMarketStatus(self, request: Any, context: Context) -> price_pb2.GetMarketStatusResponse:
        return price_pb2.GetMarketStatusResponse()

    async def StreamPrices(self, request: Any, context: Context) -> AsyncIterator[price_pb2.StreamPricesResponse]:
        for _ in range(2):
            yield price_pb2.StreamPricesResponse()


@pytest.fixture(scope="module")
def seen() -> Seen:
    return Seen()


@pytest.fixture(scope="module")
async def services(seen: Seen) -> AsyncIterator[int]:
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    order_pb2_grpc.add_OrderServiceServicer_to_server(Orders(seen), server)  # type: ignore[abstract]  # some methods do
    price_pb2_grpc.add_PriceServiceServicer_to_server(Prices(seen), server)  # type: ignore[abstract]  # some methods do
    healthy = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    for name in ("trading.v1.OrderService", "trading.v1.PriceService"):
        await healthy.set(name, health_pb2.HealthCheckResponse.SERVING)
    await server.start()
    yield port
    await server.stop(None)


@pytest.fixture(scope="module")
async def edge() -> AsyncIterator[int]:
    async def echo(connection: ServerConnection) -> None:
        async for text in connection:
            await connection.send(text)

    def page(connection: ServerConnection, request: Request) -> Response | None:
        return None if request.path == "/ws" else connection.respond(HTTPStatus.OK, f"the edge has {request.path}")

    server: SocketServer
    async with serve(echo, "127.0.0.1", 0, process_request=page) as server:
        yield next(iter(server.sockets)).getsockname()[1]


@pytest.fixture(scope="module")
async def front(services: int, edge: int, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with running_gateway(tmp_path_factory.mktemp("envoy"), services=services, edge=edge) as address:
        yield address


@pytest.fixture(scope="module")
async def rest(front: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://{front}", timeout=5) as client:
        yield client


@asynccontextmanager
async def running_gateway(folder: Path, *, services: int, edge: int) -> AsyncIterator[str]:
    """Run the gateway as the supervisor does; ready means that it answers, whatever it says."""
    settings = LocalSettings.model_validate(
        {
            "envoy_port": free_port(),
            "envoy_admin_port": free_port(),
            "price_svc_port": services,
            "order_svc_port": services,
            "edge_port": edge,
        }
    )
    part = gateway(settings, folder)
    assert part is not None
    part = replace(part, ready=ready.tcp("127.0.0.1", settings.envoy_port))
    child = await Child.start(part, folder / "envoy.log")
    try:
        await child.until_ready(START_SECONDS)
        yield f"127.0.0.1:{settings.envoy_port}"
    finally:
        await child.stop()


def outcome(response: httpx.Response) -> dict[str, Any]:
    """Return reason and metadata of an error's body."""
    details = response.json()["details"][0]
    assert details["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    return {"reason": details["reason"], **details["metadata"]}


async def test_the_customers_own_body_places_an_order(rest: httpx.AsyncClient, seen: Seen) -> None:
    body = {"orderType": "buy", "type": "LIMIT", "symbol": "AAPL", "quantity": 10, "amount": 190.12}

    response = await rest.post("/orders", json=body, headers={"authorization": "Bearer t", "idempotency-key": "k-1"})

    placed = order_pb2.PlaceOrderRequest(order_type="buy", type=order_pb2.Order.LIMIT, symbol="AAPL", quantity=10)
    placed.amount.number_value = 190.12
    assert (response.status_code, seen.requests[-1]) == (200, placed)
    assert (seen.metadata["authorization"], seen.metadata["idempotency-key"]) == ("Bearer t", "k-1")
    answer = response.json()
    assert (answer["replayed"], answer["order"]["side"], answer["order"]["filledQuantity"]) == (False, "BUY", "0")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"symbol": "AAPL", "clientOrderID": "k-1"}', "there is no such field: clientOrderID"),
        ('{"symbol": "AAPL", "symbol": "MSFT"}', "a field is given twice: symbol"),
        (r'{"symbol": "AAPL\"", "side\"": "BUY"}', "there is no such field: side??"),
        ('{"side": "UP"}', 'side: invalid value "UP" for type type.googleapis.com/trading.v1.Order.Side'),
        ('{"quantity": 1.5}', "quantity: invalid value 1.5 for type TYPE_INT64"),
        ('{"symbol": ', "Unexpected end of string. Expected a value."),
        ("[]", ": Root element must be a message."),
        ("[" * 9_000, ""),
    ],
)
async def test_a_wrong_body_is_named_and_reaches_nobody(
    rest: httpx.AsyncClient, seen: Seen, body: str, message: str
) -> None:
    before = len(seen.requests)

    response = await rest.post("/orders", content=body)

    assert response.status_code == 400
    assert outcome(response) == {"reason": "INVALID_ARGUMENT", "outcome": "NOT_EXECUTED"}
    assert response.json()["message"].startswith(message)
    assert len(seen.requests) == before


async def test_names_inside_a_nested_message_are_checked_too(rest: httpx.AsyncClient) -> None:
    response = await rest.post(
        "/orders:preview", json={"order": {"symbol": "AAPL", "amount": {"any": 1}, "sied": "BUY"}}
    )

    assert (response.status_code, response.json()["message"]) == (400, "there is no such field: sied")


async def test_a_body_that_is_too_large_is_refused(rest: httpx.AsyncClient) -> None:
    response = await rest.post("/orders", json={"symbol": "A" * 100_000})

    assert (response.status_code, outcome(response)["outcome"]) == (413, "NOT_EXECUTED")


@pytest.mark.parametrize("path", ["/stockPrices?stock=AAPL", "/stockPrices?pageSize=many", "/orders?states=NOPE"])
async def test_a_wrong_query_is_refused(rest: httpx.AsyncClient, path: str) -> None:
    response = await rest.get(path)

    assert (response.status_code, outcome(response)["reason"]) == (400, "INVALID_ARGUMENT")


async def test_repeated_query_parameters_are_a_list(rest: httpx.AsyncClient, seen: Seen) -> None:
    await rest.get("/stockPrices?symbols=AAPL&symbols=BRK.B&timerange=1w")

    assert seen.requests[-1] == price_pb2.GetPricesRequest(symbols=["AAPL", "BRK.B"], timerange="1w")


async def test_a_refusal_of_a_service_keeps_its_details(rest: httpx.AsyncClient) -> None:
    response = await rest.post("/orders", json={"symbol": "CLOSED"})

    assert (response.status_code, response.json()["message"]) == (400, "the venue is closed")
    assert outcome(response) == {"reason": "MARKET_CLOSED", "outcome": "NOT_EXECUTED"}


async def test_an_order_is_canceled_by_its_path(rest: httpx.AsyncClient, seen: Seen) -> None:
    await rest.delete("/orders/o-1")

    assert seen.requests[-1] == order_pb2.CancelOrderRequest(order_id="o-1")


async def test_a_method_that_a_path_does_not_have_is_not_found(rest: httpx.AsyncClient) -> None:
    response = await rest.put("/orders/o-1", json={})

    assert (response.status_code, outcome(response)["outcome"]) == (404, "NOT_EXECUTED")


async def test_prices_stream_as_server_sent_events(rest: httpx.AsyncClient) -> None:
    response = await rest.get("/stockPrices:stream?symbols=AAPL")

    assert response.headers["content-type"] == "text/event-stream"
    assert response.text == 'data: {"quotes":[]}\n\n' * 2


async def test_the_rest_of_the_paths_are_the_edges(front: str, rest: httpx.AsyncClient) -> None:
    page = await rest.get("/chart.html")
    async with connect(f"ws://{front}/ws") as socket:
        await socket.send("hello")
        echoed = await socket.recv()

    assert (page.text, echoed) == ("the edge has /chart.html", "hello")


async def test_grpc_passes_and_the_operators_service_does_not(front: str) -> None:
    async with grpc.aio.insecure_channel(front) as channel:
        placed = await order_pb2_grpc.OrderServiceStub(channel).PlaceOrder(order_pb2.PlaceOrderRequest(symbol="AAPL"))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await exchange_pb2_grpc.ExchangeServiceStub(channel).GetVenueStatus(exchange_pb2.GetVenueStatusRequest())

    assert (placed.order.order_id, refused.value.code()) == ("one", grpc.StatusCode.UNIMPLEMENTED)


async def test_a_service_that_is_not_there_did_not_execute(edge: int, tmp_path: Path) -> None:
    async with (
        running_gateway(tmp_path, services=free_port(), edge=edge) as front,
        httpx.AsyncClient(base_url=f"http://{front}") as rest,
    ):
        response = await rest.post("/orders", json={"symbol": "AAPL"})

    assert (response.status_code, outcome(response)) == (503, {"reason": "UNAVAILABLE", "outcome": "NOT_EXECUTED"})
