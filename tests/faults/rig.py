"""The system under test: all parts but the gateway, a fault link between any two of them, and a way to lie as the exchange."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nats
from nats.aio.client import Client
from pymongo import AsyncMongoClient

from infra.local import ports, ready, servers
from infra.local.part import Part
from infra.local.running import System, free_ports, running_system
from tests.faults.proxy import Proxy, open_proxy

READY_SECONDS = 90.0
# Few ticks: the machine is to spend its time on orders.
TICKS_PER_SECOND = "60"
SERVICES = ("order_svc", "exchange_gw", "edge")


@dataclass(frozen=True, slots=True)
class Link:
    """A connection between two parts: the part that makes it, the variable with the address, and how that is written."""

    part: str
    variable: str
    target: str
    form: str


LINKS = {
    "edge-order_svc": Link("edge", "EDGE_ORDER_SVC", "order_svc_port", "127.0.0.1:{port}"),
    "order_svc-orders_mongo": Link(
        "order_svc", "ORDER_SVC_MONGO_URL", "orders_mongo_port", servers.mongo_url(0).replace(":0/", ":{port}/")
    ),
    "order_svc-redis": Link("order_svc", "REDIS_URL", "redis_port", "redis://127.0.0.1:{port}/0"),
    "order_svc-nats": Link("order_svc", "NATS_URL", "nats_port", "nats://127.0.0.1:{port}"),
    "exchange_gw-nats": Link("exchange_gw", "NATS_URL", "nats_port", "nats://127.0.0.1:{port}"),
    "exchange_gw-exchange_sim": Link("exchange_gw", "FIX_PORT", "fix_port", "{port}"),
    "exchange_gw-orders_mongo": Link(
        "exchange_gw", "EXCHANGE_GW_MONGO_URL", "orders_mongo_port", servers.mongo_url(0).replace(":0/", ":{port}/")
    ),
    "client-edge": Link("", "", "edge_port", ""),
}


class Venue:
    """The exchange's script of faults, and its ledger."""

    def __init__(self, folder: Path, ledger: Path, seed: int) -> None:
        self.script, self._ledger, self._seed = folder / "venue_faults.json", ledger, seed
        folder.mkdir(parents=True, exist_ok=True)
        self.behave()

    def misbehave(self, *rules: Mapping[str, object]) -> None:
        """Follow these rules from now on; the keys are those of the simulator's fault script."""
        script = {"seed": self._seed, "duplicate_detection": False, "rules": list(rules)}
        draft = self.script.with_suffix(".draft")
        draft.write_text(json.dumps(script), encoding="utf-8")
        draft.replace(self.script)

    def behave(self) -> None:
        """Tell the truth again; only orders that come twice are still taken twice, so that they show."""
        self.misbehave()

    def struck(self) -> list[str]:
        """Return the faults that struck, oldest first."""
        struck = self._ledger.with_name("faults.jsonl")
        if not struck.exists():
            return []
        return [json.loads(line)["fault"] for line in struck.read_text(encoding="utf-8").splitlines()]

    def ledger(self) -> list[dict[str, Any]]:
        """Return every fact that the exchange has written down."""
        lines = self._ledger.read_text(encoding="utf-8").splitlines()[1:]
        return [json.loads(line) for line in lines]


class Rig:
    """A running system with its links; addresses without a link in between are for the judge alone."""

    def __init__(self, system: System, links: dict[str, Proxy], venue: Venue, database: AsyncMongoClient[Any]) -> None:
        self.system, self.links, self.venue = system, links, venue
        self.orders_database, self.gateway_database = database["order_svc"], database["exchange_gw"]
        self.websocket = f"ws://127.0.0.1:{links['client-edge'].port}/ws"

    @asynccontextmanager
    async def broker(self) -> AsyncIterator[Client]:
        """Speak with the broker directly."""
        client = await nats.connect(
            self.system.nats_url, max_reconnect_attempts=2, connect_timeout=2, allow_reconnect=False
        )
        try:
            yield client
        finally:
            await client.close()

    async def until_all_ready(self) -> None:
        """Return when every part serves. Raises TimeoutError."""
        async with asyncio.timeout(READY_SECONDS):
            for part in ("nats", "redis", "orders_mongo", "prices_mongo", "exchange_sim", "price_svc", *SERVICES):
                await self.system.until_ready(part)

    async def arm(self, part: str, point: str) -> None:
        """Start a part anew so that it dies at a crash point, as often as it is started until `disarm`."""
        self.system.set_environment(part, {"CRASH_AT": point})
        await self.system.kill(part)

    def disarm(self, part: str) -> None:
        """Let the part's next start be a usual one."""
        self.system.set_environment(part, {"CRASH_AT": None})

    async def heal(self) -> None:
        """Take every fault away."""
        self.venue.behave()
        for link in self.links.values():
            link.heal()
        for part in SERVICES:
            self.disarm(part)
        await self.until_all_ready()


@asynccontextmanager
async def open_rig(folder: Path, *, seed: int, mutant: str = "", twins: tuple[str, ...] = ()) -> AsyncIterator[Rig]:
    """Run a system for the block. `mutant` names a flaw that the services have, `twins` parts that run twice."""
    given = free_ports()
    venue = Venue(folder, folder / "exchange_sim" / "ledger.jsonl", seed)
    async with AsyncExitStack() as stack:
        links = {}
        for number, (name, link) in enumerate(LINKS.items()):
            port = ports.free_ports(1)[0]
            links[name] = await stack.enter_async_context(open_proxy(port, given[link.target], seed=seed + number))

        def rework(parts: Sequence[Part]) -> list[Part]:
            single = [_reworked(part, links, venue, mutant) for part in parts if part.name != "envoy"]
            return [*single, *(_twin(part) for part in single if part.name in twins)]

        system = await stack.enter_async_context(running_system(folder, rework=rework, **given))
        url = servers.mongo_url(given["orders_mongo_port"])
        database: AsyncMongoClient[Any] = AsyncMongoClient(url, tz_aware=True, serverSelectionTimeoutMS=5000)
        stack.push_async_callback(database.close)
        yield Rig(system, links, venue, database)


def _twin(part: Part) -> Part:
    """Return a second one of a service, on a port of its own."""
    port = ports.free_ports(1)[0]
    environment = {**part.environment, f"{part.name.upper()}_PORT": str(port)}
    return replace(part, name=f"{part.name}_2", environment=environment, ready=ready.tcp("127.0.0.1", port), ports=())


def _reworked(part: Part, links: Mapping[str, Proxy], venue: Venue, mutant: str) -> Part:
    environment = dict(part.environment)
    for name, link in LINKS.items():
        if link.part == part.name:
            # The service's user at the broker stays in the address.
            login, at, _ = environment.get(link.variable, "").rpartition("@")
            form = f"{login}@127.0.0.1:{{port}}" if at else link.form
            environment[link.variable] = form.format(port=links[name].port)
    if part.name == "exchange_sim":
        environment |= {
            "EXCHANGE_SIM_FAULTS_PATH": str(venue.script),
            "EXCHANGE_SIM_DUPLICATE_DETECTION": "false",
            "EXCHANGE_SIM_TICKS_PER_SECOND": TICKS_PER_SECOND,
        }
    if part.name == "exchange_gw":
        # The rest after a fault is not to last as long as the pauses between two looks.
        environment |= {"EXCHANGE_GW_LOOK_SECONDS": "5", "EXCHANGE_GW_COMPARE_SECONDS": "15"}
    command = part.command
    if mutant and part.name in SERVICES:
        command = (sys.executable, "-m", "tests.faults.mutants", mutant, part.name)
    return replace(part, environment=environment, command=command)
