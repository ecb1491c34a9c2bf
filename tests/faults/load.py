"""The load: some accounts, each with two callers and followers, that place, change, cancel and read by a seeded plan."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import grpc

from gen.trading.v1 import price_pb2, price_pb2_grpc
from runtime.money import micros_from_text
from stockmesh import Client
from tests.faults.callers import CLIENT_SECONDS, Caller, RpcDoor, SocketDoor, Wish
from tests.faults.check_reads import KEY_TAKEN
from tests.faults.followers import ClientFollower, Follower, RpcFollower, SocketFollower
from tests.faults.history import Event, History, Kind
from tests.faults.rig import Rig

CENT = 10_000
SYMBOLS = 8
# A client gives an order up when it could not be placed for so long: then something is stuck.
PATIENCE_SECONDS = 90.0
RPC_OPTIONS = [("grpc.max_reconnect_backoff_ms", 500), ("grpc.initial_reconnect_backoff_ms", 100)]


@dataclass(frozen=True, slots=True)
class Listed:
    """A symbol that can be traded, and its price at the start."""

    symbol: str
    price_micros: int


class Load:
    """A bounded number of orders. `problems` are what the clients themselves found wrong."""

    def __init__(self, history: History, listed: Sequence[Listed], *, seed: int, orders: int, pace: float) -> None:
        self.callers: list[Caller] = []
        self.followers: list[Follower] = []
        self.problems: list[str] = []
        self.placed = 0
        self._history, self._listed = history, listed
        self._seed, self._orders, self._pace = seed, orders, pace
        # Orders of everyone, for those who try to look at what is not theirs.
        self._ids: list[tuple[str, str]] = []
        self._news = asyncio.Event()

    @property
    def share(self) -> float:
        """Which part of the orders is placed."""
        return self.placed / self._orders

    async def until(self, share: float) -> None:
        """Return when this part of the orders is placed. Raises TimeoutError."""
        async with asyncio.timeout(2 * PATIENCE_SECONDS):
            while self.share < share:
                self._news.clear()
                await self._news.wait()

    async def run(self) -> None:
        """Do everything that the plan says."""
        share, rest = divmod(self._orders, len(self.callers))
        async with asyncio.TaskGroup() as group:
            for number, caller in enumerate(self.callers):
                chance = random.Random(f"{self._seed}-{number}")
                group.create_task(self._live(caller, chance, share + (number < rest), number))

    async def _live(self, caller: Caller, chance: random.Random, orders: int, number: int) -> None:
        for count in range(orders):
            await asyncio.sleep(chance.uniform(0.02, 0.15) * self._pace)
            wish = self._wish(chance, f"{caller.account}.{number}-{count}")
            placed = await self._place(caller, wish)
            self.placed += 1
            self._news.set()
            if placed is None:
                continue
            self._ids.append((caller.account, placed.value["order"]["order_id"]))
            await self._go_on(caller, chance, wish)

    def _wish(self, chance: random.Random, key: str) -> Wish:
        one, side = chance.choice(self._listed), chance.choice(("BUY", "SELL"))
        kind = chance.random()
        if kind < 0.4:  # at the market, now and then so large that it fills in parts
            return Wish(key, one.symbol, side, chance.choice((1, 7, 35, 120, 2500)))
        # A price that fills at once, or one that never does.
        percent = chance.choice((102, 98)) if kind < 0.6 else chance.choice((70, 80))
        if side == "SELL":
            percent = 200 - percent
        cents = one.price_micros * percent // 100 // CENT
        return Wish(key, one.symbol, side, chance.randint(1, 200), max(cents, 1) * CENT)

    async def _place(self, caller: Caller, wish: Wish) -> Event | None:
        """Place an order: asked again with the same key until there is an answer."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            end = await caller.call("place", wish.key, wish.body, caller.door.place(wish))
            if end.kind is Kind.OK:
                return end
            if end.value.get("reason") == KEY_TAKEN:
                break
            await asyncio.sleep(0.3)
        self.problems.append(f"{wish.key} could not be placed: {end}")
        return None

    async def _go_on(self, caller: Caller, chance: random.Random, wish: Wish) -> None:
        door, key = caller.door, wish.key
        if chance.random() < 0.15:
            await caller.call("place", key, wish.body, door.place(wish))
        if chance.random() < 0.05:
            other = Wish(key, wish.symbol, "BUY" if wish.side == "SELL" else "SELL", wish.quantity)
            await caller.call("place", key, other.body, door.place(other))
        if chance.random() < 0.3:
            await caller.call("get", key, {}, door.get(key))
        if wish.limit_price_micros and chance.random() < 0.7:
            await self._change(caller, chance, wish)
        if chance.random() < 0.1:
            await caller.call("list", "", {}, door.list())
        others = [order_id for account, order_id in self._ids if account != caller.account]
        if others and chance.random() < 0.15:
            await caller.call("probe", "", {}, door.get_by_id(chance.choice(others)))

    async def _change(self, caller: Caller, chance: random.Random, wish: Wish) -> None:
        door, key = caller.door, wish.key
        if chance.random() < 0.4:
            await caller.call("replace", key, {}, door.replace(key, wish.quantity + chance.randint(1, 20)))
            await asyncio.sleep(chance.uniform(0.0, 0.3))
        end = await caller.call("cancel", key, {}, door.cancel(key))
        if end.kind is Kind.INFO:
            await caller.call("cancel", key, {}, door.cancel(key))


@asynccontextmanager
async def open_load(
    rig: Rig, history: History, accounts: tuple[str, ...], *, seed: int, orders: int, pace: float
) -> AsyncIterator[Load]:
    """Connect all clients for the block; followers follow from its beginning to its end."""
    load = Load(history, await listed_symbols(rig), seed=seed, orders=orders, pace=pace)
    async with AsyncExitStack() as stack:
        following = []
        for number, account in enumerate(accounts):
            token = rig.system.token(account)
            others = tuple(other for other in accounts if other != account)
            client = await stack.enter_async_context(Client(rig.websocket, token, timeout_seconds=CLIENT_SECONDS))
            channel = await stack.enter_async_context(
                grpc.aio.insecure_channel(rig.system.where.order_svc, options=RPC_OPTIONS)
            )
            load.callers += [
                Caller(SocketDoor(client, f"ws-{account}"), account, history),
                Caller(RpcDoor(channel, token, f"rpc-{account}"), account, history),
            ]
            socket = SocketFollower(rig.websocket, token, account, others, history)
            more: ClientFollower | RpcFollower = (
                RpcFollower(channel, token, account, history) if number else ClientFollower(client, account, history)
            )
            load.followers += [socket, more]
            following += [asyncio.create_task(socket.run()), asyncio.create_task(more.run())]
        try:
            until = time.monotonic() + PATIENCE_SECONDS
            while late := [follower for follower in load.followers if not follower.position]:
                if time.monotonic() > until:
                    raise TimeoutError({follower.name: follower.trouble for follower in late})
                await asyncio.sleep(0.05)
            yield load
        finally:
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)


async def listed_symbols(rig: Rig) -> list[Listed]:
    """Return some symbols that have a live price, the same ones for the same prices. Raises TimeoutError."""
    metadata = [("authorization", f"Bearer {rig.system.token('load')}")]
    async with asyncio.timeout(PATIENCE_SECONDS), grpc.aio.insecure_channel(rig.system.where.price_svc) as channel:
        stub = price_pb2_grpc.PriceServiceStub(channel)
        while True:
            answer = await stub.GetPrices(price_pb2.GetPricesRequest(page_size=100), metadata=metadata, timeout=5)
            live = [
                Listed(one.quote.symbol, micros_from_text(one.quote.price))
                for one in answer.prices
                if one.quote.state == price_pb2.Quote.LIVE and 10 <= float(one.quote.price) <= 1000
            ]
            if len(live) >= SYMBOLS:
                return sorted(live, key=lambda one: one.symbol)[:SYMBOLS]
            await asyncio.sleep(0.2)
