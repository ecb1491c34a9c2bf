"""Commands of operators that look inside: an order's way, the outbox, settings; against servers that answer as ours do."""

import asyncio
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from gen.trading.v1 import order_pb2 as pb
from gen.trading.v1.order_pb2_grpc import OrderServiceServicer, add_OrderServiceServicer_to_server
from runtime.auth import READ, TokenVerifier
from runtime.errors import NotFound
from runtime.rpc import Context, Service, serve_rpc
from tests.servers import free_port
from tests.unit.stockmesh.cli.conftest import Run

SECRET = "a secret of this test, long enough for HS256"
METHODS = [method.name for method in pb.DESCRIPTOR.services_by_name["OrderService"].methods]


class OrderNotFound(NotFound):
    """There is no such order."""

    reason = "ORDER_NOT_FOUND"


class Orders(OrderServiceServicer):
    """Knows the way of one order, by its id and by its key."""

    async def GetOrderTimeline(
        self, request: pb.GetOrderTimelineRequest, context: Context
    ) -> pb.GetOrderTimelineResponse:
        if (request.order_id, request.client_order_id) not in {("o-1", ""), ("", "k-1")}:
            raise OrderNotFound("there is no such order in this account")
        return pb.GetOrderTimelineResponse(
            entries=[
                pb.TimelineEntry(event="CREATED", event_time=at(0), record_time=at(0)),
                pb.TimelineEntry(event="SENT", event_time=at(7), record_time=at(9)),
                pb.TimelineEntry(event="FILL", event_time=at(1_507), record_time=at(1_508), detail="10 at 190.10"),
            ]
        )


def one_method() -> OrderServiceServicer:
    return Orders()  # type: ignore[abstract]  # the others answer that they are not there


def at(milliseconds: int) -> Timestamp:
    return Timestamp(seconds=1_700_000_000 + milliseconds // 1000, nanos=milliseconds % 1000 * 1_000_000)


@pytest.fixture(scope="module")
def orders() -> Iterator[str]:
    """Give the address of an order service, in a thread of its own."""
    loop, stack, port = asyncio.new_event_loop(), AsyncExitStack(), free_port()
    service = Service(
        "trading.v1.OrderService", add_OrderServiceServicer_to_server, one_method(), dict.fromkeys(METHODS, READ)
    )
    verifier = TokenVerifier(secret=SECRET, issuer="stockmesh", audience="stockmesh")

    async def start() -> None:
        await stack.enter_async_context(
            serve_rpc(host="127.0.0.1", port=port, services=[service], verifier=verifier, grace_seconds=0.1)
        )

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(start(), loop).result(10)
        yield f"127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


@pytest.fixture
def telling() -> Iterator[Callable[..., str]]:
    """Serve /metrics with given figures; a function that returns the address."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def serve(**figures: float) -> str:
        registry = CollectorRegistry()
        for name, value in figures.items():
            Gauge(name, "a figure", registry=registry).set(value)

        class Page(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(generate_latest(registry))

            def log_message(self, *_: object) -> None:
                """Nothing."""

        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page))
        threading.Thread(target=servers[-1].serve_forever, kwargs={"poll_interval": 0.02}).start()
        return f"127.0.0.1:{servers[-1].server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_way_of_an_order_has_the_time_of_each_hop(run: Run, orders: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", SECRET)

    shown = run("ops", "trace", "k-1", "--order-svc", orders)
    told = run("ops", "trace", "o-1", "--order-svc", orders, "--json")
    unknown = run("ops", "trace", "k-2", "--order-svc", orders)

    assert shown.code == 0, shown.err
    lines = [line for line in shown.out.splitlines() if "FILL" in line]
    assert all(word in lines[0] for word in ("1,507.0 ms", "1,500.0 ms", "+1.0 ms", "10 at 190.10")), shown.out
    assert "3 steps in 1,507.0 ms" in shown.out
    assert [json.loads(line)["hopMs"] for line in told.out.splitlines()] == [None, 7.0, 1500.0]
    assert (unknown.code, unknown.err.split()[0]) == (1, "ORDER_NOT_FOUND")


def test_the_outbox_is_told_by_the_replica_that_relays(run: Run, telling: Callable[..., str]) -> None:
    idle = telling(relay_lease_held=0, outbox_unsettled=9, outbox_oldest_seconds=90)
    relay = telling(relay_lease_held=1, outbox_unsettled=3, outbox_oldest_seconds=4)

    ended = run("ops", "outbox", "--metrics", idle, "--metrics", relay)

    assert (ended.code, ended.out) == (0, f"3 entries wait  the oldest for 4.0 s  relay {relay}\n")


def test_an_outbox_that_stands_still_is_an_alarm(run: Run, telling: Callable[..., str]) -> None:
    stuck = telling(relay_lease_held=1, outbox_unsettled=3, outbox_oldest_seconds=31)
    nobody = telling(relay_lease_held=0)

    old, alone = run("ops", "outbox", "--metrics", stuck, "--json"), run("ops", "outbox", "--metrics", nobody)

    assert (old.code, json.loads(old.out)) == (1, {"unsettled": 3, "oldestSeconds": 31.0, "relay": stuck})
    assert (alone.code, "Nobody relays" in alone.out) == (1, True)
    assert run("ops", "outbox", "--metrics", "127.0.0.1:9").code == 3
    assert run("ops", "outbox").code == 2


def test_settings_are_shown_with_their_source_and_every_error_and_no_secret(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JWT_SECRET", "too-short")
    monkeypatch.setenv("NATS_URL", "nats://me:hush@broker:4222")
    monkeypatch.setenv("EDGE_PORT", "many")
    monkeypatch.setenv("EDGE_COLOUR", "blue")

    ended = run("ops", "config", "check", "edge", "--given")
    told = [json.loads(line) for line in run("ops", "config", "check", "edge", "--json").out.splitlines()]

    assert ended.code == 1
    assert all(
        word in ended.out for word in ("EDGE_COLOUR: no such setting", "EDGE_PORT: ", "nats://******@broker:4222")
    )
    assert "EDGE_HEARTBEAT_SECONDS" not in ended.out
    assert not any(secret in ended.out for secret in ("too-short", "hush"))
    sources = {each["variable"]: each["source"] for each in told if "variable" in each}
    assert (sources["EDGE_PORT"], sources["EDGE_HEARTBEAT_SECONDS"]) == ("environment", "default")
    assert run("ops", "config", "check", "kitchen").code == 2


def test_a_token_without_an_id_cannot_be_revoked(run: Run) -> None:
    ended = run("ops", "revoke", "e30.e30.signature")

    assert (ended.code, "has no id" in ended.err) == (2, True)
