"""Wiring of order_svc: opens, builds, starts; closing is the reverse. The only place that knows every room."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, time, timedelta
from functools import partial

from redis.asyncio import Redis

from order_svc import rpc, wire
from order_svc.attention import Attention, Patience
from order_svc.bus import hear_market, hear_reports
from order_svc.cache import RedisFinished
from order_svc.figures import Figures
from order_svc.market import MarketMemory
from order_svc.outbox import MongoOutbox
from order_svc.placement import Placements
from order_svc.pushed import Pushed
from order_svc.relay import Relay
from order_svc.risk import Limits
from order_svc.service import Orders
from order_svc.settings import OrderSettings
from order_svc.store import MongoOrderStore
from order_svc.survey import MongoSurvey
from order_svc.updates import AccountUpdates, ToldUpdates
from runtime.databases import open_mongo, open_redis
from runtime.figures import Queues, shared
from runtime.health import Check
from runtime.identity import open_verifier
from runtime.jetstream import open_bus
from runtime.leases import Lease
from runtime.money import MICROS
from runtime.partners import open_partners
from runtime.process import Tasks
from runtime.receipts import open_receipts
from runtime.rpc import serve_rpc
from runtime.subjects import encode_token


@asynccontextmanager
async def open_app(settings: OrderSettings, tasks: Tasks) -> AsyncIterator[None]:
    """Run order_svc inside the block. Memory first, then rules, ears, and the mouth last."""
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
        redis = await stack.enter_async_context(open_redis(settings.redis_url, tls=settings.tls))
        bus = await stack.enter_async_context(
            open_bus(
                settings.nats_url,
                name="order_svc",
                tasks=tasks,
                login=settings.nats_login,
                layout=settings.nats_layout,
            )
        )
        verifier = await stack.enter_async_context(open_verifier(settings, bus=bus, tasks=tasks))
        receipts = await stack.enter_async_context(open_receipts(bus))
        stack.push_async_callback(tasks.stop)

        figures = Figures(tasks.registry)

        store = MongoOrderStore(database, wire.message_of, figures.committed)
        await store.ensure_indexes()
        finished = RedisFinished(redis, database=settings.mongo_database)
        market = MarketMemory(quote_max_age_seconds=settings.quote_max_age_seconds)
        limits = Limits(
            max_notional_micros=settings.max_notional * MICROS,
            limit_collar_bps=settings.limit_collar_bps,
            market_collar_bps=settings.market_collar_bps,
            duplicate_burst_seconds=settings.duplicate_burst_seconds,
            orders_per_second=settings.account_orders_per_second,
        )

        def session_end(now: datetime) -> datetime:
            return _next(settings.session_end_utc, now)

        placements = Placements(
            store,
            finished,
            market,
            limits=limits,
            now=_now,
            session_end=session_end,
            max_batch=settings.group_size,
        )
        shared(tasks.registry, Queues).watch("placements", lambda: placements.waiting, capacity=placements.capacity)
        orders = Orders(store, placements, finished, market, limits=limits, now=_now)
        # A relay for each order database; its name need not be a key in NATS KV.
        lease = Lease(bus, f"relay.{encode_token(settings.mongo_database)}", ttl_seconds=settings.lease_seconds)
        attention = Attention(
            MongoSurvey(database),
            receipts,
            lease,
            patience=Patience(settings.query_after_seconds, settings.query_resting_after_seconds),
            figures=figures,
        )
        pushed = Pushed()
        relay = Relay(
            MongoOutbox(database),
            receipts,
            ToldUpdates(bus),
            lease,
            figures=figures,
            watchers=(figures, attention, pushed),
        )

        await stack.enter_async_context(hear_market(bus, market, tasks))
        tasks.spawn(placements.run(), name="placements")
        tasks.spawn(hear_reports(bus, orders, _now, figures.count_letter), name="reports")
        tasks.spawn(relay.run(), name="relay")
        health = await stack.enter_async_context(
            serve_rpc(
                host=settings.host,
                port=settings.port,
                services=[
                    rpc.service(
                        rpc.OrderServicer(
                            orders,
                            AccountUpdates(bus),
                            max_streams=settings.max_streams,
                            count_placed=figures.count_placed,
                            count_refusal=figures.count_refusal,
                            pushed=pushed.moment,
                        )
                    )
                ],
                verifier=verifier,
                partners=open_partners(settings.partners_file),
                tls=settings.grpc_server_tls,
                reflect=settings.reflection,
                grace_seconds=settings.stop_grace_seconds,
                registry=tasks.registry,
            )
        )
        dependencies: dict[str, Check] = {"nats": bus.ping, "mongo": database.ping, "redis": partial(_ask, redis)}
        tasks.spawn(health.watch(dependencies), name="dependencies")
        yield


async def _ask(redis: Redis) -> None:
    await redis.exists("ping")


def _now() -> datetime:
    """Return the time in whole milliseconds, as MongoDB keeps it."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _next(end: time, now: datetime) -> datetime:
    """Return when the venue's day that `now` lies in ends."""
    today = datetime.combine(now.date(), end, UTC)
    return today if today > now else today + timedelta(days=1)
