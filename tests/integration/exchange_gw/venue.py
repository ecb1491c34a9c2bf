"""The gateway as a process, between a real broker, a real database and the simulator, each of which a test may kill."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc

from gen.trading.v1 import exchange_pb2, exchange_pb2_grpc, price_pb2
from infra.local import ready
from infra.local.part import Part, Port
from runtime.auth import make_token
from runtime.jetstream import Bus, Heard, open_bus
from runtime.rpc import open_channel
from runtime.subjects import order_command
from tests.eventually import eventually
from tests.integration.order_svc.conftest import loops
from tests.servers import Server, free_port

SECRET = "a secret that is only for tests, 32 bytes"
ReportKind = exchange_pb2.ExecutionReport.Kind
State = exchange_pb2.TradingState


def a_venue(folder: Path) -> Server:
    """Describe the simulator with an empty ledger."""
    port = free_port()
    part = Part(
        name="exchange_sim",
        command=(sys.executable, "-m", "infra.exchange_sim"),
        environment={
            "EXCHANGE_SIM_PORT": str(port),
            "EXCHANGE_SIM_LEDGER_PATH": str(folder / "ledger.jsonl"),
            "EXCHANGE_SIM_TICKS_PER_SECOND": "100",
            # An order that is sent twice is then filled twice, for all to see.
            "EXCHANGE_SIM_DUPLICATE_DETECTION": "false",
            "EXCHANGE_SIM_FAULTS_PATH": str(folder / "faults.json"),
        },
        ready=ready.tcp("127.0.0.1", port),
        ports=(Port(number=port, setting="EXCHANGE_SIM_PORT"),),
    )
    return Server(part, "", folder / "exchange_sim.log")


def a_gateway(folder: Path, *, nats: str, mongo: str, database: str, fix_port: int, **settings: str) -> Server:
    """Describe a gateway; its address is its url."""
    port = free_port()
    part = Part(
        name="exchange_gw",
        command=(sys.executable, "-m", "exchange_gw"),
        environment={
            "NATS_URL": nats,
            "FIX_PORT": str(fix_port),
            "FIX_HEARTBEAT_SECONDS": "1",
            "JWT_SECRET": SECRET,
            "EXCHANGE_GW_PORT": str(port),
            "EXCHANGE_GW_MONGO_URL": mongo,
            "EXCHANGE_GW_MONGO_DATABASE": database,
            "EXCHANGE_GW_ABSENCE_GRACE_SECONDS": "0.5",
            **settings,
        },
        ready=ready.rpc("127.0.0.1", port, "trading.v1.ExchangeService"),
        ports=(Port(number=port, setting="EXCHANGE_GW_PORT"),),
    )
    return Server(part, f"127.0.0.1:{port}", folder / f"exchange_gw-{port}.log")


class World:
    """All that runs, and what the test needs to play the order service and an operator."""

    def __init__(self, venue: Server, gateway: Server, bus: Bus, admin: Any, folder: Path) -> None:
        self.venue, self.gateway, self.bus, self.admin, self._folder = venue, gateway, bus, admin, folder
        self.reports: list[exchange_pb2.ExecutionReport] = []
        self.ticks: list[price_pb2.Tick] = []

    async def hear_report(self, heard: Heard) -> None:
        self.reports.append(exchange_pb2.ExecutionReport.FromString(heard.payload))

    async def hear_ticks(self, heard: Heard) -> None:
        self.ticks.extend(price_pb2.TickBatch.FromString(heard.payload).ticks)

    def kinds(self, order_id: str) -> list[str]:
        """Return the kinds of fact told of an order, each once, in the order first heard."""
        told = [ReportKind.Name(report.kind) for report in self.reports if report.order_id == order_id]
        return list(dict.fromkeys(told))

    def report(self, order_id: str, kind: str) -> exchange_pb2.ExecutionReport:
        """Return the first report of a kind."""
        wanted = ReportKind.Value(kind)
        return next(one for one in self.reports if one.order_id == order_id and one.kind == wanted)

    async def until(self, order_id: str, *kinds: str, within: float = 15.0) -> None:
        """Wait until facts of these kinds have been told of an order."""

        async def told() -> bool:
            assert set(kinds) <= set(self.kinds(order_id)), self.kinds(order_id)
            return True

        await eventually(told, within=within)

    async def until_status(self, *, logged_on: bool, within: float = 15.0) -> exchange_pb2.GetVenueStatusResponse:
        """Wait until every session stands, or none does."""

        return await status_of(self.admin, logged_on=logged_on, within=within)

    async def say(self, command: exchange_pb2.OrderCommand, *, committed: datetime | None = None) -> None:
        """Put a command on the bus, as the relay does."""
        micros = int(committed.timestamp() * 1_000_000) if committed else 0
        await self.bus.publish(
            order_command(command.account_id),
            command.SerializeToString(),
            event_id=f"{command.command_id}-{uuid4().hex}",
            headers={"Order-Id": command.order_id, **({"Committed-Time": str(micros)} if micros else {})},
        )

    def ledger(self, order_id: str) -> list[str]:
        """Return what the venue's ledger says of an order: its facts, in order."""
        lines = (self._folder / "ledger.jsonl").read_text().splitlines()
        facts = [json.loads(line) for line in lines[1:]]
        mine = {fact["order_id"] for fact in facts if fact["cl_ord_id"] == order_id}
        return [fact["fact"] for fact in facts if fact["order_id"] in mine]

    def misbehave(self, *rules: dict[str, Any]) -> None:
        """Have the venue follow a fault script from now on."""
        script = {"seed": 7, "duplicate_detection": False, "rules": list(rules)}
        part = self._folder / "faults.part"
        part.write_text(json.dumps(script))
        part.replace(self._folder / "faults.json")

    def freeze(self, server: Server) -> None:
        """Stop a process without ending it."""
        os.kill(server.pid, signal.SIGSTOP)

    def thaw(self, server: Server) -> None:
        """Let a frozen process go on."""
        os.kill(server.pid, signal.SIGCONT)


async def status_of(admin: Any, *, logged_on: bool, within: float = 15.0) -> exchange_pb2.GetVenueStatusResponse:
    """Wait until every session of a gateway stands, or none does."""

    async def stands() -> exchange_pb2.GetVenueStatusResponse | None:
        status = await admin.GetVenueStatus(exchange_pb2.GetVenueStatusRequest(), timeout=2)
        return status if all(one.logged_on is logged_on for one in status.sessions) else None

    found = await eventually(stands, within=within)
    assert found is not None
    return found


def a_command(kind: str = "SUBMIT", order_id: str = "", **changes: Any) -> exchange_pb2.OrderCommand:
    """A command about an order of account demo: a LIMIT order to buy 10 AAPL far below the market, good for a minute."""
    order_id = order_id or f"o{uuid4().hex[:12]}"
    fields: dict[str, Any] = {
        "command_id": f"{order_id}:{kind.lower()}",
        "kind": kind,
        "order_id": order_id,
        "client_order_id": f"key-{order_id}",
        "account_id": "demo",
        "symbol": "AAPL",
        "side": "BUY",
        "type": "LIMIT",
        "time_in_force": "DAY",
        "quantity": 10,
        "limit_price_micros": 1_000_000,
    }
    command = exchange_pb2.OrderCommand(**{**fields, **changes})
    if not command.HasField("submit_by"):
        command.submit_by.FromDatetime(datetime.now(UTC) + timedelta(seconds=60))
    return command


def market(**changes: Any) -> exchange_pb2.OrderCommand:
    """A MARKET order that trades at once."""
    return a_command(
        **{
            "type": "MARKET",
            "limit_price_micros": 0,
            "collar_price_micros": 900_000_000_000,
            "time_in_force": "IOC",
            **changes,
        }
    )


@asynccontextmanager
async def a_world(
    folder: Path,
    *,
    nats: Server,
    mongo: str,
    database: str,
    venue_up: bool = True,
    whole: bool = True,
    **settings: str,
) -> AsyncIterator[World]:
    """Run everything for the block; unless it is to be `whole`, without waiting until every session stands."""
    async with AsyncExitStack() as stack:
        venue = a_venue(folder)
        if venue_up:
            await venue.start()
        stack.push_async_callback(venue.kill)
        fix_port = venue.part.ports[0].number
        gateway = a_gateway(folder, nats=nats.url, mongo=mongo, database=database, fix_port=fix_port, **settings)
        tasks = await stack.enter_async_context(loops())
        bus = await stack.enter_async_context(open_bus(nats.url, name="test", tasks=tasks))
        stack.push_async_callback(tasks.stop)
        channel = await stack.enter_async_context(open_channel(gateway.url))
        world = World(venue, gateway, bus, an_operator(channel), folder)
        await stack.enter_async_context(bus.listen("orders.reports.*", world.hear_report))
        await stack.enter_async_context(bus.listen("ticks.*", world.hear_ticks))
        await gateway.start()
        stack.push_async_callback(gateway.kill)
        if venue_up and whole:
            await world.until_status(logged_on=True)
        yield world


def an_operator(channel: grpc.aio.Channel) -> Any:
    """Return what olga, an operator, may call."""
    return _WithToken(channel, make_token(secret=SECRET, subject="olga", accounts=[], scopes=["admin"]))


class _WithToken:
    """The operators' stub, with an operator's token on every call."""

    def __init__(self, channel: grpc.aio.Channel, token: str) -> None:
        self._stub: Any = exchange_pb2_grpc.ExchangeServiceStub(channel)
        self._metadata = (("authorization", f"Bearer {token}"),)

    def __getattr__(self, method: str) -> Any:
        async def call(request: Any, timeout: float = 5.0) -> Any:  # noqa: ASYNC109 - gRPC's own word
            return await getattr(self._stub, method)(request, timeout=timeout, metadata=self._metadata)

        return call


async def a_moment() -> None:
    """Give something that must not happen the time to happen."""
    await asyncio.sleep(0.5)
