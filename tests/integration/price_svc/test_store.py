import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal

import pytest

from price_svc.bar import KEPT_DAYS, Bar, start_of
from price_svc.books import Unfinished
from price_svc.history import Span
from price_svc.schema import Expiry, Preparation
from price_svc.shelf import Shelf
from price_svc.store import MAX_TICKS, MongoHistory
from runtime.databases import Database, Driver, open_mongo
from runtime.jetstream import Bus, open_bus
from runtime.leases import Lease, run_alone
from runtime.process import Tasks
from tests.servers import free_port
from tests.unit.price_svc import examples
from tests.unit.price_svc.examples import a_tick, an_instrument

# Bars of now: old ones are swept away.
MINUTE_NS = start_of(time.time_ns(), 60)
DRIVERS: tuple[Literal["motor", "pymongo"], ...] = ("motor", "pymongo")


@pytest.fixture(params=DRIVERS)
async def database(request: pytest.FixtureRequest, mongo_url: str, database_name: str) -> AsyncIterator[Database]:
    async with a_database(mongo_url, database_name, request.param) as database:
        yield database


@asynccontextmanager
async def a_database(url: str, name: str, driver: Driver) -> AsyncIterator[Database]:
    async with open_mongo(url, database=name, driver=driver) as database:
        yield database


def a_bar(**changes: Any) -> Bar:
    return examples.a_bar(**{"start_ns": MINUTE_NS, **changes})


def a_history(database: Database) -> MongoHistory:
    return MongoHistory(database, flush_seconds=0.1, tick_retention_days=1)


async def heard(history: MongoHistory, symbol: str, from_ns: int = 0) -> list[Bar]:
    past = await history.bars(symbol, Span(60, from_ns, MINUTE_NS + 10**12))
    assert past.sources == frozenset()
    return list(past.bars)


async def test_bars_are_kept_by_symbol_interval_and_start(database: Database) -> None:
    history = a_history(database)
    later = a_bar(start_ns=MINUTE_NS + 60_000_000_000)
    history.keep_bars(
        [later, a_bar(), a_bar(symbol="F"), a_bar(interval=300), a_bar(start_ns=MINUTE_NS - 60_000_000_000)]
    )

    await history.flush()

    assert await heard(history, "AAPL", MINUTE_NS) == [a_bar(), later]


async def test_a_bar_that_is_not_written_yet_is_found_too(database: Database) -> None:
    history = a_history(database)
    later = a_bar(start_ns=MINUTE_NS + 60_000_000_000)
    history.keep_bars([a_bar(volume=1)])
    await history.flush()
    history.keep_bars([a_bar(volume=2), later, a_bar(symbol="F"), a_bar(start_ns=MINUTE_NS - 60_000_000_000)])

    assert await heard(history, "AAPL", MINUTE_NS) == [a_bar(volume=2), later]


async def test_a_bar_replaces_the_one_before(database: Database) -> None:
    history = a_history(database)
    history.keep_bars([a_bar(volume=1), a_bar(symbol="F")])
    await history.flush()
    history.keep_bars([a_bar(volume=2), a_bar(symbol="MSFT")])
    await history.flush()

    assert await heard(history, "AAPL") == [a_bar(volume=2)]
    assert await heard(history, "MSFT") == [a_bar(symbol="MSFT")]


async def test_what_an_owner_leaves_is_what_the_next_one_takes(database: Database) -> None:
    shelf = Shelf(database, Preparation(database, ticks_kept=timedelta(days=1)))
    assert await shelf.load(3) is None
    await shelf.save(3, Unfinished([a_bar(volume=1)], {}, 7))
    await shelf.save(4, Unfinished([a_bar(symbol="F")], {}, 8))
    left = Unfinished([a_bar(volume=2), a_bar(symbol="MSFT")], {"AAPL": (5, 6)}, 9)

    await shelf.save(3, left)

    assert await shelf.load(3) == left


async def test_replicas_that_start_together_prepare_one_after_the_other(
    nats_url: str, mongo_url: str, database_name: str
) -> None:
    def of_one(bus: Bus, database: Database) -> Preparation:
        alone = partial(run_alone, Lease(bus, f"test.{database_name}"))
        return Preparation(database, ticks_kept=timedelta(days=1), alone=alone)

    async with asyncio.TaskGroup() as group:
        tasks = Tasks(group)
        async with (
            open_bus(nats_url, name="one", tasks=tasks) as bus,
            open_bus(nats_url, name="two", tasks=tasks) as other_bus,
            a_database(mongo_url, database_name, "pymongo") as database,
            open_mongo(mongo_url, database=database_name, driver="pymongo") as other_database,
        ):
            one, two = of_one(bus, database), of_one(other_bus, other_database)
            await asyncio.gather(one.expiry(), two.expiry(), one.expiry())
            for writer in (database, other_database):
                await writer.collection("ticks").insert_one({"symbol": "AAPL"})
            assert await database.collection("ticks").count_documents({}) == 2
            await tasks.stop()


async def test_ticks_are_kept_together_and_once(database: Database) -> None:
    history = a_history(database)
    ticks = [a_tick(seq=seq) for seq in range(1, 31)] + [a_tick(epoch=2, seq=1), a_tick(symbol="F")]
    for _ in range(2):
        history.keep_ticks(ticks)
        await history.flush()

    found = await database.collection("ticks").find({}).to_list(None)
    assert sorted((document["symbol"], document["epoch"], len(document["seq"])) for document in found) == [
        ("AAPL", 1, 30),
        ("AAPL", 2, 1),
        ("F", 1, 1),
    ]


async def test_instruments_are_kept_as_they_are_now(database: Database) -> None:
    history = a_history(database)
    history.keep_instruments([an_instrument(), an_instrument("F", "Ford")])
    await history.flush()
    history.keep_instruments([an_instrument(tradable=False)])
    await history.flush()

    found = sorted(await history.instruments(), key=lambda item: item.symbol)
    assert found == [an_instrument(tradable=False), an_instrument("F", "Ford")]


async def test_a_document_that_cannot_be_written_is_not_in_the_way(database: Database) -> None:
    history = a_history(database)
    history.keep_bars([a_bar(volume=1 << 70)])
    await history.flush()
    history.keep_bars([a_bar()])

    await history.flush()

    assert await heard(history, "AAPL") == [a_bar()]


async def test_what_expired_goes_slice_by_slice(database: Database) -> None:
    now = datetime.now(UTC)
    bars = database.collection("bars")
    ages = [timedelta(days=9), timedelta(days=1, hours=23, minutes=55), timedelta(minutes=5), timedelta(minutes=-5)]
    await bars.insert_many([{"_id": number, "expire_time": now - age} for number, age in enumerate(ages)])
    await bars.insert_one({"_id": "for ever"})
    expiry = Expiry(database, ("bars",))

    await expiry.sweep(now)
    assert await bars.count_documents({}) == 3
    for _ in range(300):
        await expiry.sweep(now)

    assert [document["_id"] for document in await bars.find({}).to_list(None)] == [3, "for ever"]


async def test_without_a_database_memory_is_bounded_and_the_oldest_is_lost() -> None:
    async with a_database(
        f"mongodb://127.0.0.1:{free_port()}/?serverSelectionTimeoutMS=50", "x", "pymongo"
    ) as database:
        history = a_history(database)
        writing = asyncio.create_task(history.run())
        for start in range(0, 3 * MAX_TICKS, 1_000):
            history.keep_ticks(a_tick(symbol=f"S{seq % 100}", seq=seq) for seq in range(start, start + 1_000))
        await asyncio.sleep(0.2)

        assert not writing.done()
        assert history.waiting_ticks <= MAX_TICKS
        assert history.dropped_ticks + history.waiting_ticks == 3 * MAX_TICKS
        writing.cancel()


def test_a_day_of_minutes_is_kept_longer_than_it_is_asked_for() -> None:
    assert all(KEPT_DAYS[interval] > days for interval, days in ((60, 1), (300, 7), (3_600, 31)))
