"""Wiring of price_svc: memory, ears, what was kept, mouth, door; closed in reverse."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from functools import partial

from pymongo.errors import PyMongoError

from price_svc import figures
from price_svc.announcer import QuoteAnnouncer
from price_svc.bar import BarBook
from price_svc.board import Board
from price_svc.books import Books
from price_svc.bus import Ears, hearing_instruments, keep_reading_instruments, read_instruments, read_quotes
from price_svc.calendar import Calendar, calendar_of
from price_svc.feed import Feed
from price_svc.holdings import Holdings
from price_svc.marks import Marks
from price_svc.ownership import Ownership
from price_svc.quote import DAY_NS
from price_svc.rpc import price_service
from price_svc.schema import Preparation
from price_svc.seat import Desk
from price_svc.service import Prices
from price_svc.settings import PriceSettings
from price_svc.shelf import Shelf
from price_svc.store import MongoHistory
from price_svc.watch import Watches
from price_svc.wire import QuoteMessages
from runtime import logs
from runtime.databases import DatabaseUnavailable, open_mongo
from runtime.identity import open_verifier
from runtime.jetstream import open_bus
from runtime.leases import Lease, run_alone
from runtime.partners import open_partners
from runtime.process import Tasks
from runtime.rpc import serve_rpc
from runtime.subjects import encode_token

LAST_WRITE_SECONDS = 2.0
# With less of it left the log says so at every start.
CALENDAR_DAYS = 60

logger = logs.get_logger("price_svc.app")


@asynccontextmanager
async def open_app(settings: PriceSettings, tasks: Tasks) -> AsyncIterator[None]:
    """Run the service for the block."""
    clock_ns = steady_clock()
    calendar = calendar_of(settings.calendar)
    _warn_of_its_end(calendar, settings.calendar, clock_ns())
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(
            open_mongo(
                settings.mongo_url.get_secret_value(),
                database=settings.mongo_database,
                driver=settings.mongo_driver,
                tls=settings.tls,
                registry=tasks.registry,
            )
        )
        bus = await stack.enter_async_context(
            open_bus(
                settings.nats_url,
                name="price_svc",
                tasks=tasks,
                login=settings.nats_login,
                layout=settings.nats_layout,
            )
        )
        verifier = await stack.enter_async_context(open_verifier(settings, bus=bus, tasks=tasks))

        preparation = Preparation(
            database,
            ticks_kept=timedelta(days=settings.tick_retention_days),
            alone=partial(run_alone, Lease(bus, f"price_svc.schema.{encode_token(settings.mongo_database)}")),
        )
        history = MongoHistory(
            database,
            flush_seconds=settings.history_flush_seconds,
            tick_retention_days=settings.tick_retention_days,
            preparation=preparation,
        )
        messages, holdings, marks = QuoteMessages(), Holdings(), Marks()
        interval_seconds = settings.live_interval_ms / 1_000
        announcer = QuoteAnnouncer(bus, messages, holdings=holdings, interval_seconds=interval_seconds)
        board, watches = Board(), Watches(limit=settings.max_streams)
        books = Books(holdings.partition_of, partial(BarBook, calendar))
        feed = Feed(
            board=board,
            books=books,
            holdings=holdings,
            watches=watches,
            store=history,
            announcer=announcer,
            clock_ns=clock_ns,
        )
        ears = Ears(bus, feed, announcer=announcer, holdings=holdings, marks=marks, clock_ns=clock_ns)
        figures.show(tasks.registry, board=board, feed=feed, holdings=holdings, history=history, clock_ns=clock_ns)
        ownership = Ownership(
            bus,
            Desk(
                ears=ears,
                feed=feed,
                books=books,
                announcer=announcer,
                holdings=holdings,
                marks=marks,
                shelf=Shelf(database, preparation),
                save_seconds=settings.history_flush_seconds,
            ),
        )
        prices = Prices(
            board=board,
            book=books,
            watches=watches,
            history=history,
            clock_ns=clock_ns,
            history_seconds=settings.history_timeout_seconds,
            calendar=calendar,
        )

        # Listen first, then read what was kept: nothing falls between.
        await ownership.listen()
        await stack.enter_async_context(hearing_instruments(bus, prices))
        await ownership.restore()
        feed.restore(*await read_quotes(bus, marks))
        await read_instruments(bus, prices)
        await prices.remember_instruments()

        stack.push_async_callback(_write_down, announcer, history)
        # Loops end before that: nothing may be taken that is not written down.
        stack.push_async_callback(tasks.stop)
        ownership.start(tasks)
        tasks.spawn(announcer.say_changes(), name="say changes")
        tasks.spawn(announcer.say_all_again(), name="say all again")
        tasks.spawn(announcer.keep_last(), name="keep last quotes")
        tasks.spawn(feed.run(hand_over_seconds=settings.history_flush_seconds), name="feed")
        tasks.spawn(history.run(), name="history")
        tasks.spawn(keep_reading_instruments(bus, prices), name="instruments")
        # While all of them still run.
        stack.push_async_callback(ownership.leave)

        health = await stack.enter_async_context(
            serve_rpc(
                host=settings.host,
                port=settings.port,
                services=[price_service(prices, messages, anonymous_reads=settings.anonymous_reads)],
                verifier=verifier,
                partners=open_partners(settings.partners_file),
                tls=settings.grpc_server_tls,
                reflect=settings.reflection,
                grace_seconds=settings.stop_grace_seconds,
                registry=tasks.registry,
            )
        )
        tasks.spawn(health.watch({"nats": bus.ping, "mongo": database.ping}), name="dependencies")
        # First of all on the way out: streams never end by themselves.
        stack.callback(prices.close)
        yield


async def _write_down(announcer: QuoteAnnouncer, history: MongoHistory) -> None:
    await announcer.flush()
    await announcer.flush_kept()
    with suppress(TimeoutError, DatabaseUnavailable, PyMongoError):
        async with asyncio.timeout(LAST_WRITE_SECONDS):
            await history.flush()


def _warn_of_its_end(calendar: Calendar, name: str, now_ns: int) -> None:
    left_days = (calendar.known_until_ns - now_ns) // DAY_NS
    if calendar.known_until_ns and left_days < CALENDAR_DAYS:
        logger.warning("the calendar ends soon: make a newer one", calendar=name, days_left=left_days)


def steady_clock() -> Callable[[], int]:
    """Return a clock in nanoseconds since 1970 that never steps, whatever happens to the machine's."""
    began_ns = time.time_ns() - time.monotonic_ns()
    return lambda: began_ns + time.monotonic_ns()
