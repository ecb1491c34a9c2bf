"""Ticks through the whole chain: exchange → gateway → price_svc → edge → sockets, and how old a price is when it arrives.

Age is measured from the exchange's own time of the tick to the client's read, both on this machine. The baseline is the same chain
with next to nothing to do.
"""

import os
import random
import time

import grpc

from bench.crowd import Wanted, a_crowd
from bench.fanout import subscription
from bench.parts import Cores
from bench.systems import a_system
from bench.table import say
from gen.trading.v1 import price_pb2, price_pb2_grpc
from infra.local.running import System

SECONDS = 5.0
WARM_UP_SECONDS = 2.0
SYMBOLS_EACH = 10
PACE = 50
# Ticks a second, and sockets.
LOADS = ((100, 10), (2_000, 100), (2_000, 1_000))
PARTS = ("exchange_sim", "exchange_gw", "price_svc", "edge", "nats", "prices_mongo")


async def bench() -> None:
    """Print the table."""
    rows = []
    for ticks, sockets in LOADS:
        async with a_system(EXCHANGE_SIM_TICKS_PER_SECOND=str(ticks)) as system:
            rows.append({"ticks/s": ticks, "sockets": sockets, **await _measure(system, sockets)})
    say(f"ticks through gateway, price_svc and edge; {SYMBOLS_EACH} symbols a socket (baseline: first row)", rows)


async def _measure(system: System, sockets: int) -> dict[str, object]:
    async with grpc.aio.insecure_channel(system.where.price_svc) as channel:
        stub = price_pb2_grpc.PriceServiceStub(channel)
        page = await stub.GetPrices(price_pb2.GetPricesRequest(page_size=500), timeout=10)
        symbols = [price.quote.symbol for price in page.prices]
        lists = [
            subscription(random.Random(number).sample(symbols, SYMBOLS_EACH), PACE)  # noqa: S311 - the same in every run
            for number in range(sockets)
        ]
        port = int(system.where.edge.split(":")[-1].split("/")[0])
        async with a_crowd(Wanted(port, sockets, system.token("bench"), lists)) as crowd:
            await crowd.count(WARM_UP_SECONDS)
            cores = Cores({**{name: system.pid(name) for name in PARTS}, "clients": crowd.pid, "bench": os.getpid()})
            before = await _moves(stub, symbols)
            began = time.perf_counter()
            seen = await crowd.count(SECONDS)
            moved = (await _moves(stub, symbols) - before) / (time.perf_counter() - began)
            return {"moved/s": round(moved), **seen.row(), **cores.row()}


async def _moves(stub: "price_pb2_grpc.PriceServiceAsyncStub", symbols: list[str]) -> int:
    """Return how many ticks of these symbols have passed through the price service in all."""
    prices = await stub.GetPrices(price_pb2.GetPricesRequest(symbols=symbols), timeout=10)
    return sum(price.quote.seq for price in prices.prices)
