"""Wiring: opens everything in order, closes in reverse."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from edge.bus import OrderUpdates, hear_quotes
from edge.commands import Commands
from edge.feeds import Feeds
from edge.following import FollowingOrders
from edge.hub import Hub
from edge.peers import Peers
from edge.reads import PriceReads
from edge.server import Door, Listening, serve_clients
from edge.session import Limits
from edge.settings import EdgeSettings
from edge.static import Page
from edge.watching import Watching
from gen.trading.v1.order_pb2_grpc import OrderServiceStub
from gen.trading.v1.price_pb2_grpc import PriceServiceStub
from runtime import logs
from runtime.auth import TokenVerifier
from runtime.jetstream import open_bus
from runtime.process import Tasks
from runtime.rpc import open_channel

logger = logs.get_logger("edge.app")


@asynccontextmanager
async def open_app(settings: EdgeSettings, tasks: Tasks) -> AsyncIterator[None]:
    """Serve clients inside the block."""
    async with AsyncExitStack() as stack:
        verifier = TokenVerifier(
            secret=settings.jwt_secret.get_secret_value(),
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
        )
        bus = await stack.enter_async_context(open_bus(settings.nats_url, name="edge", tasks=tasks))
        price_channel = await stack.enter_async_context(open_channel(settings.price_svc))
        order_channel = await stack.enter_async_context(open_channel(settings.order_svc))
        price_service, order_service = PriceServiceStub(price_channel), OrderServiceStub(order_channel)

        hub = Hub()
        reads = PriceReads(price_service.GetPrices, token=settings.token.get_secret_value())
        feeds = Feeds(OrderUpdates(bus))
        stack.push_async_callback(feeds.close)
        peers = Peers(bus, {"price_svc": price_channel, "order_svc": order_channel})
        commands = Commands(
            price_service=price_service,
            order_service=order_service,
            reads=reads,
            watching=Watching(hub, reads, max_subscriptions=settings.max_subscriptions, default_hz=settings.default_hz),
            following=FollowingOrders(feeds, order_service.ListOrders),
            verifier=verifier,
        )
        stack.push_async_callback(tasks.stop)
        tasks.spawn(reads.run(), name="price reads")
        tasks.spawn(feeds.run(), name="order feeds")
        tasks.spawn(peers.run(), name="peers")

        await stack.enter_async_context(hear_quotes(bus, hub))
        door = Door(
            commands,
            verifier,
            _limits(settings),
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
    )
