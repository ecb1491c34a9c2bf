"""Wiring of price_svc: memory, ears, what was kept, mouth, door; closed in reverse."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from pymongo.errors import PyMongoError

from price_svc import bus as ears
from price_svc.announcer import QuoteAnnouncer
from price_svc.bar import BarBook
from price_svc.board import Board
from price_svc.feed import Feed
from price_svc.rpc import price_service
from price_svc.service import Prices
from price_svc.settings import PriceSettings
from price_svc.store import MongoHistory
from price_svc.watch import Watches
from price_svc.wire import QuoteMessages
from runtime.auth import TokenVerifier
from runtime.databases import DatabaseUnavailable, open_mongo
from runtime.jetstream import open_bus
from runtime.process import Tasks
from runtime.rpc import serve_rpc
from runtime.subjects import TICK_PARTITIONS

LAST_WRITE_SECONDS = 2.0


@asynccontextmanager
async def open_app(settings: PriceSettings, tasks: Tasks) -> AsyncIterator[None]:
    """Run the service for the block."""
    # All partitions: this replica is the only one that hears ticks.
    owned = frozenset(range(TICK_PARTITIONS))
    clock_ns = steady_clock()
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(
            open_mongo(
                settings.mongo_url.get_secret_value(), database=settings.mongo_database, driver=settings.mongo_driver
            )
        )
        bus = await stack.enter_async_context(open_bus(settings.nats_url, name="price_svc", tasks=tasks))

        history = MongoHistory(
            database, flush_seconds=settings.history_flush_seconds, tick_retention_days=settings.tick_retention_days
        )
        messages = QuoteMessages()
        announcer = QuoteAnnouncer(bus, messages, owned=owned, interval_seconds=settings.live_interval_ms / 1_000)
        board, book, watches = Board(), BarBook(), Watches(limit=settings.max_streams)
        feed = Feed(board=board, book=book, watches=watches, store=history, announcer=announcer, clock_ns=clock_ns)
        prices = Prices(
            board=board,
            book=book,
            watches=watches,
            history=history,
            clock_ns=clock_ns,
            history_seconds=settings.history_timeout_seconds,
        )

        # Listen first, then read what was kept: nothing falls between.
        await stack.enter_async_context(
            ears.hearing_quotes(bus, feed, partitions=frozenset(range(TICK_PARTITIONS)) - owned)
        )
        await stack.enter_async_context(ears.hearing_instruments(bus, prices))
        await feed.restore(*await ears.read_quotes(bus))
        await ears.read_instruments(bus, prices)
        await prices.remember_instruments()

        stack.push_async_callback(_write_down, feed, announcer, history)
        # Ears shut before that: no tick may be taken that is not written down.
        stack.push_async_callback(tasks.stop)
        tasks.spawn(announcer.say_changes(), name="say changes")
        tasks.spawn(announcer.say_all_again(), name="say all again")
        tasks.spawn(announcer.keep_last(), name="keep last quotes")
        tasks.spawn(feed.run(hand_over_seconds=settings.history_flush_seconds), name="feed")
        tasks.spawn(history.run(), name="history")
        tasks.spawn(ears.keep_reading_instruments(bus, prices), name="instruments")
        acknowledgements = ears.Acknowledgements()
        tasks.spawn(acknowledgements.run(), name="acknowledgements")
        for partition in owned:
            hearing = ears.hear_ticks(bus, feed, announcer, acknowledgements, partition=partition, clock_ns=clock_ns)
            tasks.spawn(hearing, name=f"ticks {partition}")

        secret = settings.jwt_secret.get_secret_value()
        await stack.enter_async_context(
            serve_rpc(
                host=settings.host,
                port=settings.port,
                services=[price_service(prices, messages, anonymous_reads=settings.anonymous_reads)],
                verifier=TokenVerifier(secret=secret, issuer=settings.jwt_issuer, audience=settings.jwt_audience),
                reflect=settings.reflection,
                grace_seconds=settings.stop_grace_seconds,
            )
        )
        # First of all on the way out: streams never end by themselves.
        stack.callback(prices.close)
        yield


async def _write_down(feed: Feed, announcer: QuoteAnnouncer, history: MongoHistory) -> None:
    feed.hand_over_bars()
    await announcer.flush()
    await announcer.flush_kept()
    with suppress(TimeoutError, DatabaseUnavailable, PyMongoError):
        async with asyncio.timeout(LAST_WRITE_SECONDS):
            await history.flush()


def steady_clock() -> Callable[[], int]:
    """Return a clock in nanoseconds since 1970 that never steps, whatever happens to the machine's."""
    began_ns = time.time_ns() - time.monotonic_ns()
    return lambda: began_ns + time.monotonic_ns()
