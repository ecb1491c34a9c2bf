"""What operators look at and do, against the whole system."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import grpc
import pytest
from typer.testing import CliRunner

from gen.trading.v1 import order_pb2, order_pb2_grpc
from infra.local.running import System
from runtime.rpc_errors import error_from
from stockmesh.cli.app import app
from tests.eventually import eventually
from tests.socket_client import Socket

Ops = Callable[..., Awaitable[list[dict[str, str]]]]


@pytest.fixture
def ops(system: System, monkeypatch: pytest.MonkeyPatch) -> Ops:
    """Call a command of `ops` and return what it says as JSON, a record a line."""
    monkeypatch.setenv("JWT_SECRET", system.secret)
    monkeypatch.setenv("NATS_URL", system.nats_url)

    async def call(*words: str) -> list[dict[str, str]]:
        # In a thread: a command has a loop of its own.
        result = await asyncio.to_thread(CliRunner().invoke, app, ["ops", *words, "--json"])
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    return call


async def test_the_way_of_an_order_is_told_from_its_receipt_to_its_push(
    ops: Ops, system: System, socket: Socket, account: str
) -> None:
    placed = await socket.ask(
        "orders.place", clientOrderId="traced", symbol="AAPL", side="BUY", type="MARKET", quantity="5"
    )

    async def steps() -> list[str]:
        name = placed["order"]["orderId"]
        told = await ops("trace", name, "--account", account, "--order-svc", system.where.order_svc)
        events = [step["event"] for step in told]
        return events if "PUSHED" in events else []

    found = await eventually(steps, every=0.1)
    wanted = ["RECEIVED", "CREATED", "COMMITTED", "PUBLISHED", "SENT", "FILL", "PUSHED"]
    assert [event for event in found if event in wanted] == wanted


async def test_the_outbox_is_empty_and_every_lease_is_held(ops: Ops, system: System, socket: Socket) -> None:
    (outbox,) = await ops("outbox", *(f"--metrics={address}" for address in system.where.metrics["order_svc"]))
    held = {each["lease"]: each["holder"] for each in await ops("leases")}

    assert outbox["relay"] == system.where.metrics["order_svc"][0]
    assert {f"price_svc.ticks.{partition}" for partition in range(8)} <= set(held)
    relays = [holder for lease, holder in held.items() if lease.startswith("relay.")]
    assert [holder.split(".")[-2] for holder in relays] == [str(system.pid("order_svc"))]


async def test_status_tells_all_processes_and_who_is_behind(ops: Ops, system: System, socket: Socket) -> None:
    doors = {"--gateway": "exchange_gw", "--price-svc": "price_svc", "--order-svc": "order_svc", "--edge": "edge"}
    (told,) = await ops("status", *(f"{name}={system.where.replicas[part][0]}" for name, part in doors.items()))

    assert told["ok"]
    assert {"TICKS", "ORDER_COMMANDS", "ORDER_REPORTS"} <= {stream["stream"] for stream in told["streams"]}  # type: ignore[index]


async def test_a_revoked_token_is_refused_within_a_second(ops: Ops, system: System, account: str) -> None:
    token = system.token(account)
    async with grpc.aio.insecure_channel(system.where.order_svc) as channel:

        async def reason() -> str:
            ask = order_pb2_grpc.OrderServiceStub(channel).ListOrders
            try:
                await ask(order_pb2.ListOrdersRequest(), metadata=[("authorization", f"Bearer {token}")], timeout=3)
            except grpc.aio.AioRpcError as failure:
                return error_from(failure).reason
            return ""

        assert await reason() == ""
        await ops("revoke", token)

        async def refused() -> bool:
            return await reason() == "TOKEN_REVOKED"

        await eventually(refused, within=1)
