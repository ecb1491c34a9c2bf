"""Two of every service behind the gateway: whichever dies, the other takes its share over, and clients lose and double nothing.

It costs half a minute of a quiet machine, so `make test` leaves it out: `python -m pytest tests/replicas`.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from uuid import uuid4

import grpc
import pytest

from gen.trading.v1 import exchange_pb2, exchange_pb2_grpc
from infra.local.running import System, running_system
from runtime.auth import ADMIN, READ
from stockmesh import Client
from stockmesh.models import OrderSnapshot, Quote
from tests.eventually import eventually

# Both edges, as a client is on either.
VICTIMS = ("edge", "edge-2", "price_svc", "order_svc", "exchange_gw")
# From the kill to the fill of an order that was placed after it, and to a price of after it.
TAKEN_OVER_SECONDS = 10.0
PAUSE_SECONDS = 0.05
PATIENCE_SECONDS = 30.0

pytestmark = pytest.mark.timeout(150)


class Trader:
    """A client that places orders without an end and follows what becomes of them and of a price."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.placed: dict[str, str] = {}
        self.filled: set[str] = set()
        self.positions: list[str] = []
        self.last_quote_at = 0.0
        self._revisions: Counter[str] = Counter()
        self._follows = asyncio.Event()

    async def place_until(self, enough: asyncio.Event) -> None:
        """Place one order after the other, each with a key of its own."""
        await self._follows.wait()
        while not enough.is_set():
            key = uuid4().hex
            placement = await self._client.place("AAPL", "BUY", 1, client_order_id=key)
            self.placed[key] = placement.order.order_id
            await asyncio.sleep(PAUSE_SECONDS)

    async def follow_orders(self) -> None:
        """Take every update; each must be the next of its order."""
        async with self._client.order_updates() as updates:
            async for item in updates:
                if isinstance(item, OrderSnapshot):
                    assert not self.positions, "the position was lost"
                    self._follows.set()
                    continue
                order = item.order
                self._revisions[order.order_id] += 1
                assert order.revision == self._revisions[order.order_id], (
                    f"an update of {order.order_id} is not the next"
                )
                self.positions.append(item.position)
                if order.state == "FILLED":
                    self.filled.add(order.order_id)

    async def follow_price(self) -> None:
        """Take prices, which must never go back."""
        newest: dict[str, tuple[int, int]] = {}
        async with self._client.watch(["AAPL", "MSFT", "KO"]) as prices:
            async for item in prices:
                if isinstance(item, Quote):
                    assert item.version >= newest.get(item.symbol, (0, 0)), f"the price of {item.symbol} went back"
                    newest[item.symbol] = item.version
                    self.last_quote_at = time.monotonic()

    async def trades_again(self) -> None:
        """Return when an order that is placed from now on has filled."""
        known = set(self.placed)

        async def filled() -> bool:
            new = [order_id for key, order_id in self.placed.items() if key not in known]
            return any(order_id in self.filled for order_id in new)

        await eventually(filled, within=PATIENCE_SECONDS)


@pytest.fixture(scope="module")
async def replicated(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """A running system with two of every service."""
    async with running_system(tmp_path_factory.mktemp("replicas"), replicas=2) as running:
        yield running


async def acting(system: System, service: str) -> str:
    """Return the replica whose death hurts most: the gateway that has the sessions; of the others the first."""
    if service != "exchange_gw":
        return service
    metadata = [("authorization", f"Bearer {system.token('ops', scopes=(READ, ADMIN))}")]
    for name, address in zip(("exchange_gw", "exchange_gw-2"), system.where.replicas[service], strict=True):
        async with grpc.aio.insecure_channel(address) as channel:
            ask = exchange_pb2_grpc.ExchangeServiceStub(channel).GetVenueStatus
            status = await ask(exchange_pb2.GetVenueStatusRequest(), metadata=metadata, timeout=5)
            if any(session.logged_on and "-ORD-" in session.sender_comp_id for session in status.sessions):
                return name
    raise AssertionError("no gateway has the orders' session")


async def test_every_replica_is_taken_over_under_load_and_nothing_is_lost_or_doubled(replicated: System) -> None:
    enough, took = asyncio.Event(), {}
    async with (
        Client(replicated.where.websocket, replicated.token("one"), timeout_seconds=PATIENCE_SECONDS) as one,
        Client(replicated.where.websocket, replicated.token("two"), timeout_seconds=PATIENCE_SECONDS) as two,
        asyncio.TaskGroup() as tasks,
    ):
        traders = [Trader(one), Trader(two)]
        followers = [tasks.create_task(trader.follow_orders()) for trader in traders]
        followers += [tasks.create_task(trader.follow_price()) for trader in traders]
        placing = [tasks.create_task(trader.place_until(enough)) for trader in traders]
        await asyncio.gather(*(trader.trades_again() for trader in traders))
        for service in VICTIMS:
            for replica in (service.removesuffix("-2"), f"{service.removesuffix('-2')}-2"):
                await replicated.until_ready(replica)
            name = await eventually(lambda service=service: acting(replicated, service), within=20)  # type: ignore[misc]
            killed_at = time.monotonic()
            async with replicated.down(name):
                await asyncio.gather(*(trader.trades_again() for trader in traders))

                async def priced(since: float = killed_at) -> bool:
                    return all(trader.last_quote_at > since for trader in traders)

                await eventually(priced, within=PATIENCE_SECONDS)
                took[service] = time.monotonic() - killed_at
        enough.set()
        await asyncio.gather(*placing)

        async def settled() -> bool:
            return all(trader.filled == set(trader.placed.values()) for trader in traders)

        await eventually(settled, within=PATIENCE_SECONDS)
        listed = [[order.client_order_id async for order in client.orders()] for client in (one, two)]
        for follower in followers:
            follower.cancel()

    print({service: round(seconds, 1) for service, seconds in took.items()}, [len(each.placed) for each in traders])  # noqa: T201
    assert max(took.values()) < TAKEN_OVER_SECONDS, took
    for trader, keys in zip(traders, listed, strict=True):
        assert sorted(keys) == sorted(trader.placed)
        assert len(set(trader.positions)) == len(trader.positions)
    accepted = Counter(fact["cl_ord_id"] for fact in facts(replicated) if fact["fact"] == "accepted")
    filled = Counter(fact["cl_ord_id"] for fact in facts(replicated) if fact["fact"] == "fill")
    everything = {order_id for trader in traders for order_id in trader.placed.values()}
    assert (set(accepted), set(accepted.values())) == (everything, {1})
    assert (set(filled), set(filled.values())) == (everything, {1})


def facts(system: System) -> list[dict[str, str]]:
    """Return what the exchange has written down."""
    lines = (system.folder("exchange_sim") / "ledger.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
