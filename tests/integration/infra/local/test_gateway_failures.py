"""The gateway in front of two replicas that fail: what it asks again and what never, and what it takes from rude clients."""

import asyncio
import struct
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from http import HTTPStatus

import grpc
import httpx
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from gen.trading.v1 import order_pb2, order_pb2_grpc, price_pb2, price_pb2_grpc
from infra.local import programs, ready
from infra.local.child import Child
from infra.local.gateway import gateway
from infra.local.settings import LocalSettings
from runtime.rpc import Context
from tests.eventually import eventually
from tests.faults.proxy import Proxy, open_proxy
from tests.servers import START_SECONDS, free_port

pytestmark = pytest.mark.skipif(programs.envoy() is None, reason="no Envoy for this machine")

REPLICAS = 2
# What a client inside a data centre could ask a trusting Envoy for.
ASKING_FOR_RETRIES = {
    "x-envoy-retry-on": "5xx,reset,connect-failure,retriable-status-codes",
    "x-envoy-retry-grpc-on": "unavailable,cancelled,internal",
    "x-envoy-max-retries": "5",
}


@dataclass
class Service:
    """Both replicas of a service that fails as the symbol says: CUT breaks the connection, AWAY is UNAVAILABLE, once each time."""

    links: list[Proxy] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    streaming: asyncio.Event = field(default_factory=asyncio.Event)

    async def fail_once(self, symbol: str, context: Context) -> None:
        self.asked[symbol] += 1
        if self.asked[symbol] > 1:
            return
        if symbol.startswith("CUT"):
            for link in self.links:
                link.reset()
            await asyncio.Event().wait()
        if symbol.startswith("AWAY"):
            await context.abort(grpc.StatusCode.UNAVAILABLE, "starting")


class Prices(price_pb2_grpc.PriceServiceServicer):
    def __init__(self, service: Service) -> None:
        self._service = service

    async def GetPrices(self, request: price_pb2.GetPricesRequest, context: Context) -> price_pb2.GetPricesResponse:
        await self._service.fail_once(request.symbol, context)
        if request.symbol == "LONG":
            quote = price_pb2.Quote(symbol="AAPL", price="190.12")
            return price_pb2.GetPricesResponse(prices=[price_pb2.StockPrice(quote=quote)] * 10_000)
        return price_pb2.GetPricesResponse()

    async def StreamPrices(
        self, request: price_pb2.StreamPricesRequest, context: Context
    ) -> AsyncIterator[price_pb2.StreamPricesResponse]:
        yield price_pb2.StreamPricesResponse()
        await self._service.streaming.wait()
        yield price_pb2.StreamPricesResponse()


class Orders(order_pb2_grpc.OrderServiceServicer):
    def __init__(self, service: Service) -> None:
        self._service = service

    async def PlaceOrder(self, request: order_pb2.PlaceOrderRequest, context: Context) -> order_pb2.PlaceOrderResponse:
        await self._service.fail_once(request.symbol, context)
        return order_pb2.PlaceOrderResponse()

    async def ListOrders(self, request: order_pb2.ListOrdersRequest, context: Context) -> order_pb2.ListOrdersResponse:
        await self._service.fail_once(request.symbol, context)
        return order_pb2.ListOrdersResponse()


@dataclass
class Front:
    """A running gateway: `rest` asks through its public door, `admin` the operators' one."""

    address: str
    rest: httpx.AsyncClient
    admin: httpx.AsyncClient
    service: Service

    async def figure(self, name: str) -> int:
        """Return one of Envoy's counters or gauges."""
        stats = (await self.admin.get("/stats", params={"filter": f"^{name}$", "format": "json"})).json()["stats"]
        return int(stats[0]["value"]) if stats else 0


@asynccontextmanager
async def replica(service: Service) -> AsyncIterator[int]:
    """Run one replica behind a link that can be cut; give the link's port."""
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    order_pb2_grpc.add_OrderServiceServicer_to_server(Orders(service), server)  # type: ignore[abstract]  # some methods do
    price_pb2_grpc.add_PriceServiceServicer_to_server(Prices(service), server)  # type: ignore[abstract]  # some methods do
    healthy = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    for name in ("trading.v1.OrderService", "trading.v1.PriceService"):
        await healthy.set(name, health_pb2.HealthCheckResponse.SERVING)
    await server.start()
    async with open_proxy(free_port(), port) as link:
        service.links.append(link)
        yield link.port
    await server.stop(None)


@asynccontextmanager
async def socket_replica() -> AsyncIterator[int]:
    async def echo(connection: ServerConnection) -> None:
        async for text in connection:
            await connection.send(text)

    def health_only(connection: ServerConnection, request: Request) -> Response | None:
        return None if request.path == "/ws" else connection.respond(HTTPStatus.OK, "fine")

    async with serve(echo, "127.0.0.1", 0, process_request=health_only) as server:
        yield next(iter(server.sockets)).getsockname()[1]


def listed(ports: Sequence[int]) -> str:
    return ",".join(f"127.0.0.1:{port}" for port in ports)


@pytest.fixture(scope="module")
async def front(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Front]:
    service, folder = Service(), tmp_path_factory.mktemp("envoy")
    async with AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(replica(service)) for _ in range(REPLICAS)]
        # The second edge is not there.
        edges = [await stack.enter_async_context(socket_replica()), free_port()]
        settings = LocalSettings.model_validate(
            {"envoy_port": free_port(), "envoy_admin_port": free_port(), "envoy_edge": listed(edges)}
            | dict.fromkeys(("envoy_price_svc", "envoy_order_svc"), listed(replicas))
        )
        part = gateway(settings, folder)
        assert part is not None
        address, admin = (f"127.0.0.1:{port}" for port in (settings.envoy_port, settings.envoy_admin_port))
        part = replace(part, ready=ready.tcp("127.0.0.1", settings.envoy_port))
        child = await Child.start(part, folder / "envoy.log")
        stack.push_async_callback(child.stop)
        await child.until_ready(START_SECONDS)
        rest, operators = [
            await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://{each}", timeout=5))
            for each in (address, admin)
        ]
        yield Front(address, rest, operators, service)


@pytest.fixture
async def whole(front: Front) -> Front:
    """A gateway that has forgotten the failures of the test before."""
    for link in front.service.links:
        link.heal()

    async def all_serve() -> bool:
        told = (await front.admin.get("/clusters")).text
        rows = [row for row in told.splitlines() if "_svc::" in row and "::health_flags::" in row]
        return len(rows) == 2 * REPLICAS and all(row.endswith("::healthy") for row in rows)

    await eventually(all_serve)
    return front


async def test_a_read_is_asked_again_when_the_connection_is_cut(whole: Front) -> None:
    answers = [await whole.rest.get(path) for path in ("/stockPrices?symbol=CUT", "/orders?symbol=CUT-READ")]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert (whole.service.asked["CUT"], whole.service.asked["CUT-READ"]) == (2, 2)


async def test_an_order_is_never_sent_again_whoever_asks_for_it(whole: Front) -> None:
    answer = await whole.rest.post("/orders", json={"symbol": "CUT-ORDER"}, headers=ASKING_FOR_RETRIES)

    assert (answer.status_code, answer.json()["details"][0]["metadata"]) == (503, {"outcome": "UNKNOWN"})
    assert whole.service.asked["CUT-ORDER"] == 1


async def test_only_prices_are_asked_elsewhere_when_a_replica_says_that_it_is_not_available(whole: Front) -> None:
    price = await whole.rest.get("/stockPrices?symbol=AWAY")
    listing = await whole.rest.get("/orders?symbol=AWAY-READ")
    order = await whole.rest.post("/orders", json={"symbol": "AWAY-ORDER"}, headers=ASKING_FOR_RETRIES)

    assert (price.status_code, listing.status_code, order.status_code) == (200, 503, 503)
    asked = whole.service.asked
    assert (asked["AWAY"], asked["AWAY-READ"], asked["AWAY-ORDER"]) == (2, 1, 1)


async def test_no_read_fails_while_a_replica_dies_and_operators_see_which(whole: Front) -> None:
    dead, _ = whole.service.links
    dead.become(replace(dead.conditions, refuse=True))
    dead.reset()

    answers = [await whole.rest.get("/stockPrices?symbol=AAPL") for _ in range(40)]

    assert {answer.status_code for answer in answers} == {200}

    async def seen() -> bool:
        told = (await whole.admin.get("/clusters")).text
        return f"price_svc::127.0.0.1:{dead.port}::health_flags::/failed_active_hc" in told

    await eventually(seen)
    assert await whole.figure("cluster.price_svc.health_check.failure") >= 1
    dead.heal()


async def test_a_replica_that_cuts_again_and_again_is_put_aside(front: Front) -> None:
    for number in range(12):
        await front.rest.post("/orders", json={"symbol": f"CUT-{number}"})

    assert await front.figure("cluster.order_svc.outlier_detection.ejections_enforced_total") >= 1
    assert await front.figure("cluster.order_svc.circuit_breakers.default.remaining_rq") == 4096
    assert sum(front.service.asked[f"CUT-{number}"] for number in range(12)) <= 12


async def test_a_socket_is_opened_though_one_of_two_edges_is_away(front: Front) -> None:
    for _ in range(4):
        async with connect(f"ws://{front.address}/ws") as socket:
            await socket.send("hello")
            assert await socket.recv() == "hello"


async def test_events_arrive_while_the_stream_is_open(front: Front) -> None:
    front.service.streaming.clear()
    async with front.rest.stream("GET", "/stockPrices:stream?symbols=AAPL") as answer:
        events = answer.aiter_lines()
        assert await anext(events) == 'data: {"quotes":[]}'
        front.service.streaming.set()
        assert [line async for line in events][1:] == ['data: {"quotes":[]}', ""]
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("text/event-stream", "no-store")


async def test_a_long_answer_passes(front: Front) -> None:
    assert len((await front.rest.get("/stockPrices?symbol=LONG")).json()["prices"]) == 10_000


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": "Bearer " + "x" * 20_000}, 431),
        ({f"x-{number}": "" for number in range(80)}, 431),
        ({"idempotency_key": "k"}, 400),
    ],
)
async def test_headers_that_no_client_needs_are_refused(front: Front, headers: dict[str, str], status: int) -> None:
    assert (await front.rest.get("/stockPrices", headers=headers)).status_code == status


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return an HTTP/2 frame."""
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def literal(name: bytes, value: bytes) -> bytes:
    """Return a header as HPACK writes it without tables."""
    return b"\x00" + bytes((len(name),)) + name + bytes((len(value),)) + value


async def test_a_connection_that_resets_its_requests_is_cut(front: Front) -> None:
    headers = b"".join(
        literal(name, value)
        for name, value in (
            *((b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"x")),
            (b":path", b"/trading.v1.OrderService/PlaceOrder"),
        )
    )
    cancel = struct.pack(">I", 8)
    reader, writer = await asyncio.open_connection(*front.address.split(":"))
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0))
    for stream in range(1, 1001, 2):
        writer.write(frame(1, 4, stream, headers) + frame(3, 0, stream, cancel))
    async with asyncio.timeout(5):
        with suppress(ConnectionError):
            while await reader.read(65_536):
                pass
    writer.close()

    assert await front.figure("http.public.downstream_rq_too_many_premature_resets") == 1
    assert (await front.rest.get("/stockPrices?symbol=AAPL")).status_code == 200
