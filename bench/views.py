"""Price views a second: latest quotes asked for over gRPC, WebSocket and REST (through Envoy), few and many symbols a question.

A view is one symbol's price in one answer. Closed loop: each caller asks again when it was answered. The callers are one process
and read no more of an answer than its length, except over gRPC, whose library decodes it.
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeAlias
from urllib.parse import urlencode, urlsplit

import grpc
from websockets.asyncio.client import connect

from bench.parts import Cores
from bench.systems import a_system
from bench.table import percentile, say
from gen.trading.v1 import price_pb2, price_pb2_grpc
from infra.local.running import System

SECONDS = 3.0
CALLERS = 32
SIZES = (1, 10, 100)
PARTS = ("price_svc", "edge", "envoy")

Ask: TypeAlias = Callable[[], Awaitable[None]]
# Opens what one caller needs in the stack, and returns what asks once for these symbols.
Door: TypeAlias = Callable[[AsyncExitStack, System, Sequence[str]], Awaitable[Ask]]


async def bench() -> None:
    """Print the table."""
    async with a_system() as system:
        symbols = await _symbols(system)
        rows = [
            {"door": name, **await _measure(system, door, symbols[:size])}
            for name, door in (("gRPC", _grpc), ("WebSocket", _websocket), ("REST", _rest))
            for size in SIZES
        ]
    base = max(int(str(rows[0]["views/s"])), 1)
    for row in rows:
        row["x baseline"] = round(int(str(row["views/s"])) / base, 1)
    say(f"price views, {CALLERS} callers (baseline: one symbol a gRPC call)", rows)


async def _symbols(system: System) -> list[str]:
    async with grpc.aio.insecure_channel(system.where.price_svc) as channel:
        stub = price_pb2_grpc.PriceServiceStub(channel)
        page = await stub.GetPrices(price_pb2.GetPricesRequest(page_size=max(SIZES)), timeout=10)
    return [price.quote.symbol for price in page.prices]


async def _measure(system: System, door: Door, symbols: Sequence[str]) -> dict[str, object]:
    took: list[float] = []
    async with AsyncExitStack() as stack:
        callers = [await door(stack, system, symbols) for _ in range(CALLERS)]
        cores = Cores({**{name: system.pid(name) for name in PARTS}, "callers": os.getpid()})
        end = time.perf_counter() + SECONDS

        async def call(ask: Ask) -> None:
            while (started := time.perf_counter()) < end:
                await ask()
                took.append(time.perf_counter() - started)

        async with asyncio.timeout(SECONDS + 30):
            await asyncio.gather(*(call(ask) for ask in callers))
        return {
            "symbols": len(symbols),
            "calls/s": round(len(took) / SECONDS),
            "views/s": round(len(took) * len(symbols) / SECONDS),
            "p50 ms": round(percentile(took, 0.5) * 1000, 2),
            "p99 ms": round(percentile(took, 0.99) * 1000, 2),
            **cores.row(),
        }


async def _grpc(stack: AsyncExitStack, system: System, symbols: Sequence[str]) -> Ask:
    channel = await stack.enter_async_context(grpc.aio.insecure_channel(system.where.price_svc))
    stub = price_pb2_grpc.PriceServiceStub(channel)
    question = price_pb2.GetPricesRequest(symbols=symbols)

    async def ask() -> None:
        await stub.GetPrices(question, timeout=5)

    return ask


async def _websocket(stack: AsyncExitStack, system: System, symbols: Sequence[str]) -> Ask:
    token = {"Authorization": f"Bearer {system.token('bench')}"}
    socket = await stack.enter_async_context(
        connect(system.where.edge, additional_headers=token, compression=None, proxy=None)
    )
    question = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "prices.get", "params": {"symbols": symbols}})

    async def ask() -> None:
        await socket.send(question)
        while b'"result"' not in (await socket.recv(decode=False))[:40]:
            pass

    return ask


async def _rest(stack: AsyncExitStack, system: System, symbols: Sequence[str]) -> Ask:
    where = urlsplit(system.where.rest or "")
    reader, writer = await stack.enter_async_context(_connection(where.hostname or "", where.port or 0))
    question = (
        f"GET /stockPrices?{urlencode({'symbols': symbols}, doseq=True)} HTTP/1.1\r\nHost: {where.netloc}\r\n"
        f"Authorization: Bearer {system.token('bench')}\r\n\r\n"
    ).encode()

    async def ask() -> None:
        writer.write(question)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b" 200 " not in head:
            raise ConnectionError(head.decode())
        await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))

    return ask


@asynccontextmanager
async def _connection(host: str, port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield reader, writer
    finally:
        writer.close()
