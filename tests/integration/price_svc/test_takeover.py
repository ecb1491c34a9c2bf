"""Replicas that share the partitions, real processes on real servers: killed, frozen, and woken up again."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import grpc
import nats.js.errors

from gen.trading.v1 import price_pb2 as pb
from runtime.jetstream import Bus
from runtime.subjects import TICK_PARTITIONS
from tests.eventually import eventually
from tests.integration.price_svc.replica import Reader, Replica, a_replica
from tests.integration.price_svc.venue import Venue, a_venue, partition_of
from tests.servers import Server

# One in each partition that trades all the time, and one that traded once.
BUSY = list({partition_of(f"S{number}"): f"S{number}" for number in range(200)}.values())
THIN = "BRK.B"
SILENCE_SECONDS = 5.0


async def owners(bus: Bus) -> "Counter[bytes]":
    """Return how many partitions each replica holds now."""
    bucket = await bus.client.jetstream().key_value("LEASES")
    found: Counter[bytes] = Counter()
    for partition in range(TICK_PARTITIONS):
        try:
            entry = await bucket.get(f"price_svc.ticks.{partition}")
        except nats.js.errors.KeyNotFoundError:
            continue
        found[entry.value or b""] += 1
    return found


@asynccontextmanager
async def trading(venue: Venue) -> AsyncIterator[None]:
    """Trade every busy symbol some twenty times a second."""

    async def trade() -> None:
        while True:
            for symbol in BUSY:
                await venue.trade(symbol, 50_000_000)
            await asyncio.sleep(0.05)

    task = asyncio.create_task(trade())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def knows_all(replica: Replica) -> bool:
    """Tell whether a replica has a price of every busy symbol."""
    try:
        await replica.stub.GetPrices(pb.GetPricesRequest(symbols=BUSY), timeout=5)
    except grpc.aio.AioRpcError:
        return False
    return True


async def traded_of(replica: Replica, symbol: str) -> tuple[int, int]:
    """Return how many shares were traded, as the quote and as the hours' bars tell it."""
    request = pb.GetPricesRequest(symbol=symbol, timerange="1m")
    (price,) = (await replica.stub.GetPrices(request, timeout=5)).prices
    return price.quote.volume, sum(bar.volume for bar in price.bars)


async def test_whoever_is_killed_or_frozen_no_symbol_falls_silent_or_goes_back_and_no_trade_is_lost_or_counted_twice(
    nats_server: Server, mongo_url: str, database_name: str, tmp_path: Path
) -> None:
    assert len(BUSY) == TICK_PARTITIONS
    async with AsyncExitStack() as stack:
        venue = await stack.enter_async_context(a_venue(nats_server.url))
        starting = (a_replica(nats_server.url, mongo_url, database_name, tmp_path / f"{n}.log") for n in range(3))
        killed, frozen, third = await asyncio.gather(*map(stack.enter_async_context, starting))
        await venue.trade(THIN, 400_000_000)
        readers = [Reader(replica, BUSY) for replica in (frozen, third)]

        async def shares(*expected: int) -> bool:
            return sorted((await owners(venue.bus)).values()) == list(expected)

        async def all_hear_news() -> bool:
            before = [dict(reader.versions) for reader in readers]
            await asyncio.sleep(0.2)
            return all(
                reader.versions.get(symbol, (0, 0)) > known.get(symbol, (0, 0))
                for reader, known in zip(readers, before, strict=True)
                for symbol in BUSY
            )

        async with trading(venue):
            await eventually(lambda: shares(2, 3, 3))
            await asyncio.gather(*(eventually(partial(knows_all, replica)) for replica in (frozen, third)))
            reading = [asyncio.create_task(reader.run()) for reader in readers]
            await eventually(all_hear_news)

            killed.kill()
            frozen.freeze()
            await eventually(lambda: shares(TICK_PARTITIONS), every=0.1)
            frozen.thaw()
            await eventually(lambda: shares(4, 4))
            await eventually(all_hear_news)

        assert [reader.went_back for reader in readers] == [[], []]
        silences = [reader.longest_silence() for reader in readers]
        assert max(silences) < SILENCE_SECONDS, silences
        for symbol in (*BUSY, THIN):
            expected = 100 * venue.trades_of(symbol)

            async def is_counted(symbol: str = symbol, expected: int = expected) -> bool:
                quotes, bars = zip(*[await traded_of(replica, symbol) for replica in (frozen, third)], strict=True)
                # The owner's bars are exact; those of the other are made of what it heard.
                assert (set(quotes), max(bars)) == ({expected}, expected), (symbol, quotes, bars)
                return True

            await eventually(is_counted)
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
