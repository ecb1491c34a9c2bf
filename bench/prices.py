"""Price views a second: latest quotes asked for by gRPC, one symbol a call against many a call."""

import asyncio
import time

import grpc

from bench.systems import a_system
from bench.table import percentile, say
from gen.trading.v1 import price_pb2, price_pb2_grpc

SECONDS = 3.0
CALLERS = 32
SIZES = (1, 10, 100)


async def bench() -> None:
    """Print the table; a view is one symbol's price in one answer."""
    async with a_system() as system, grpc.aio.insecure_channel(system.where.price_svc) as channel:
        stub = price_pb2_grpc.PriceServiceStub(channel)
        page = await stub.GetPrices(price_pb2.GetPricesRequest(page_size=max(SIZES)), timeout=10)
        symbols = [price.quote.symbol for price in page.prices]
        rows = [await _ask(stub, symbols[:size]) for size in SIZES]
    base = max(int(str(rows[0]["views/s"])), 1)
    for row in rows:
        row["x baseline"] = round(int(str(row["views/s"])) / base, 1)
    say(f"price views, {CALLERS} callers (baseline: one symbol a call)", rows)


async def _ask(stub: "price_pb2_grpc.PriceServiceAsyncStub", symbols: list[str]) -> dict[str, object]:
    took: list[float] = []
    end = time.perf_counter() + SECONDS

    async def call() -> None:
        while (started := time.perf_counter()) < end:
            await stub.GetPrices(price_pb2.GetPricesRequest(symbols=symbols), timeout=5)
            took.append(time.perf_counter() - started)

    await asyncio.gather(*(call() for _ in range(CALLERS)))
    return {
        "symbols": len(symbols),
        "calls/s": round(len(took) / SECONDS),
        "views/s": round(len(took) * len(symbols) / SECONDS),
        "p50 ms": round(percentile(took, 0.5) * 1000, 2),
        "p99 ms": round(percentile(took, 0.99) * 1000, 2),
    }
