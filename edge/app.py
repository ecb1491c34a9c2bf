"""Wiring: opens everything in order, closes in reverse."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from edge.accounts import Accounts, Allowance
from edge.bus import OrderUpdates, hear_quotes
from edge.commands import Commands
from edge.feeds import Feeds
from edge.figures import Figures
from edge.following import FollowingOrders
from edge.hub import Hub
from edge.peers import Peers
from edge.reads import PriceReads
from edge.room import Room
from edge.server import Door, Guard, Listening, serve_clients
from edge.session import Limits
from edge.settings import EdgeSettings
from edge.static import Page
from edge.turnstile import Addresses, Turnstile
from edge.watching import Watching
from gen.trading.v1.order_pb2_grpc import OrderServiceStub
from gen.trading.v1.price_pb2_grpc import PriceServiceStub
from runtime import logs
from runtime.databases import open_redis
from runtime.identity import open_verifier
from runtime.jetstream import open_bus
from runtime.process import Tasks
from runtime.quotas import Places, SharedRate
from runtime.rpc import open_channel

logger = logs.get_logger("edge.app")


@asynccontextmanager
async def open_app(settings: EdgeSettings, tasks: Tasks) -> AsyncIterator[None]:
    """Serve clients inside the block."""
    async with AsyncExitStack() as stack:
        tls = settings.grpc_client_tls
        bus = await stack.enter_async_context(
            open_bus(settings.nats_url, name="edge", tasks=tasks, login=settings.nats_login)
        )
        verifier = await stack.enter_async_context(open_verifier(settings, bus=bus, tasks=tasks))
        redis = await stack.enter_async_context(open_redis(settings.redis_url, tls=settings.tls))
        price_channel = await stack.enter_async_context(open_channel(settings.price_svc, tls=tls))
        order_channel = await stack.enter_async_context(open_channel(settings.order_svc, tls=tls))
        price_service, order_service = PriceServiceStub(price_channel), OrderServiceStub(order_channel)

        figures, hub = Figures(tasks.registry), Hub()
        places = Places(redis, "sockets", limit=settings.max_account_sockets)
        rate = SharedRate(redis, "orders", per_second=settings.orders_per_second)
        accounts = Accounts(_allowance(settings), places=places, rate=rate if settings.orders_per_second else None)
        reads = PriceReads(price_service.GetPrices, token=settings.token.get_secret_value())
        feeds = Feeds(OrderUpdates(bus), figures.tally.report_to_pushed)
        stack.push_async_callback(feeds.close)
        peers = Peers(bus, {"price_svc": price_channel, "order_svc": order_channel})
        commands = Commands(
            price_service=price_service,
            order_service=order_service,
            reads=reads,
            watching=Watching(
                hub,
                reads,
                max_subscriptions=settings.max_subscriptions,
                default_hz=settings.default_hz,
                tally=figures.tally,
            ),
            following=FollowingOrders(feeds, order_service.ListOrders),
            verifier=verifier,
            accounts=accounts,
            room=Room(settings.max_requests),
            figures=figures,
            limits=_told_limits(settings),
        )
        stack.push_async_callback(tasks.stop)
        tasks.spawn(reads.run(), name="price reads")
        tasks.spawn(feeds.run(), name="order feeds")
        tasks.spawn(peers.run(), name="peers")
        tasks.spawn(accounts.run(), name="accounts")
        tasks.spawn(places.run(), name="places")
        tasks.spawn(rate.run(), name="order rate")

        await stack.enter_async_context(hear_quotes(bus, hub))
        door = Door(
            commands,
            verifier,
            _limits(settings),
            _guard(settings, accounts),
            figures,
            neighbours=peers.state,
            feed_age_ms=lambda: hub.feed_age_ms,
            page=Page.load() if settings.page else None,
        )
        port = await stack.enter_async_context(
            serve_clients(
                door,
                Listening(
                    host=settings.host,
                    port=settings.port,
                    origins=settings.origins,
                    max_frame_bytes=settings.max_frame_bytes,
                    grace_seconds=settings.stop_grace_seconds,
                ),
            )
        )
        logger.info("listening", host=settings.host, port=port)
        yield


def _limits(settings: EdgeSettings) -> Limits:
    return Limits(
        auth_seconds=settings.auth_seconds,
        heartbeat_seconds=settings.heartbeat_seconds,
        max_batch=settings.max_batch,
        max_in_flight=settings.max_in_flight,
        max_unread_frames=settings.max_unread_frames,
        max_unread_bytes=settings.max_unread_bytes,
        max_frame_bytes=settings.max_frame_bytes,
    )


def _guard(settings: EdgeSettings, accounts: Accounts) -> Guard:
    turnstile = Turnstile(
        max_sockets=settings.max_sockets,
        max_address_sockets=settings.max_address_sockets,
        max_handshakes=settings.max_handshakes,
    )
    return Guard(turnstile, Addresses(settings.trusted_proxies), accounts)


def _allowance(settings: EdgeSettings) -> Allowance:
    return Allowance(
        sockets=settings.max_account_sockets,
        messages_per_second=settings.messages_per_second,
        orders_per_second=settings.orders_per_second,
        subscriptions=settings.max_account_subscriptions,
        subscriptions_per_second=settings.subscriptions_per_second,
    )


def _told_limits(settings: EdgeSettings) -> dict[str, float]:
    return {
        "accountSockets": settings.max_account_sockets,
        "accountSubscriptions": settings.max_account_subscriptions,
        "subscriptions": settings.max_subscriptions,
        "inFlight": settings.max_in_flight,
        "batch": settings.max_batch,
        "frameBytes": settings.max_frame_bytes,
        "messagesPerSecond": settings.messages_per_second,
        "ordersPerSecond": settings.orders_per_second,
        "subscriptionsPerSecond": settings.subscriptions_per_second,
    }
