"""Wiring of the gateway: opens, builds, starts; closing is the reverse. The only place that knows every room."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

from exchange_gw import rpc, wire
from exchange_gw.bus import CommandDoor, PermissionBoard, ReportPublisher
from exchange_gw.conversation import Conversation
from exchange_gw.dead_letters import DeadLetterBox
from exchange_gw.exchange import OrderEvent, SessionState
from exchange_gw.feed import Feed
from exchange_gw.feed_bus import InstrumentBoard, tell_ticks
from exchange_gw.fix import FixMarketSession, FixOrderSession, Venue
from exchange_gw.fix_line import Line
from exchange_gw.operations import Operations
from exchange_gw.service import Lane
from exchange_gw.settings import ExchangeGwSettings
from exchange_gw.store import MongoJournal, MongoOperations
from exchange_gw.trading import Trading
from exchange_gw.unanswered import Patience
from runtime.auth import TokenVerifier
from runtime.databases import open_mongo
from runtime.jetstream import Bus, Heard, open_bus
from runtime.process import Tasks
from runtime.rpc import serve_rpc
from runtime.subjects import ORDER_PARTITIONS, partition_of, trading_state

DRAIN_SECONDS = 2.0


def _now() -> datetime:
    """Return the time in whole milliseconds, as MongoDB keeps it."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _venue(settings: ExchangeGwSettings) -> Venue:
    return Venue(
        host=settings.fix_host,
        port=settings.fix_port,
        sender=settings.fix_sender_comp_id,
        target=settings.fix_target_comp_id,
        heartbeat_seconds=settings.fix_heartbeat_seconds,
    )


class _Sessions:
    """All lines to the venue."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def states(self) -> Sequence[SessionState]:
        return [line.state for line in self.lines]


@asynccontextmanager
async def open_app(settings: ExchangeGwSettings, tasks: Tasks) -> AsyncIterator[None]:
    """Run the gateway inside the block: memory first, then rules, mouths on the bus, ears, the venue, and operators last."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(
            open_mongo(
                settings.mongo_url.get_secret_value(), database=settings.mongo_database, driver=settings.mongo_driver
            )
        )
        bus = await stack.enter_async_context(open_bus(settings.nats_url, name="exchange_gw", tasks=tasks))
        stack.push_async_callback(tasks.stop)

        journal, operations_store = MongoJournal(database, wire.command_from), MongoOperations(database)
        await journal.prepare()
        trading = Trading(operations_store, PermissionBoard(bus), _now)
        await stack.enter_async_context(bus.listen(trading_state(), _hear_permission(trading)))
        await trading.load()
        tasks.spawn(trading.keep_saying(), name="trading state")

        publisher = ReportPublisher(bus, room=settings.report_queue)
        for _ in range(settings.report_publishers):
            tasks.spawn(publisher.run(), name="reports")
        stack.push_async_callback(publisher.drain, DRAIN_SECONDS)

        sessions = _Sessions()
        lanes = [
            await _open_lane(
                settings,
                group,
                sessions=sessions,
                journal=journal,
                publisher=publisher,
                trading=trading,
                bus=bus,
                tasks=tasks,
            )
            for group in range(settings.groups)
        ]
        feed = _open_feed(settings, sessions, journal, bus, tasks)
        for line in sessions.lines:
            tasks.spawn(line.run(), name=f"line {line.sender}")
            stack.push_async_callback(line.log_out)

        operations = Operations(
            lanes=lanes,
            feed=feed,
            trading=trading,
            letters=DeadLetterBox(bus),
            records=operations_store,
            sessions=sessions,
            now=_now,
        )
        await stack.enter_async_context(
            serve_rpc(
                host=settings.host,
                port=settings.port,
                services=[rpc.service(rpc.ExchangeServicer(operations))],
                verifier=TokenVerifier(
                    secret=settings.jwt_secret.get_secret_value(),
                    issuer=settings.jwt_issuer,
                    audience=settings.jwt_audience,
                ),
                reflect=settings.reflection,
                grace_seconds=settings.stop_grace_seconds,
            )
        )
        yield


async def _open_lane(
    settings: ExchangeGwSettings,
    group: int,
    *,
    sessions: _Sessions,
    journal: MongoJournal,
    publisher: ReportPublisher,
    trading: Trading,
    bus: Bus,
    tasks: Tasks,
) -> Lane:
    """Build the lane of a partition group and start it; what it left unanswered is taken up before any command."""

    def owns(account_id: str) -> bool:
        return partition_of(account_id, ORDER_PARTITIONS) % settings.groups == group

    async def hear(events: Sequence[OrderEvent]) -> None:
        await lane.hear(events)

    session = FixOrderSession(_venue(settings), group, hear)
    patience = Patience(settings.ask_after_seconds, settings.uncertain_after_seconds, settings.absence_grace_seconds)
    conversation = Conversation(
        group=group,
        session=session,
        journal=journal,
        reports=publisher,
        trading=trading,
        patience=patience,
        owns=owns,
        now=_now,
    )
    lane = Lane(conversation, session.line.sender)
    await lane.take_up()
    door = CommandDoor(
        bus, lane, publisher, group=group, groups=settings.groups, max_batch=settings.command_batch, now=_now
    )
    tasks.spawn(lane.run(), name=f"lane {group}")
    tasks.spawn(door.run(), name=f"commands {group}")
    sessions.lines.append(session.line)
    return lane


def _open_feed(
    settings: ExchangeGwSettings, sessions: _Sessions, journal: MongoJournal, bus: Bus, tasks: Tasks
) -> Feed:
    """Build the feed of market data and start telling what it hears."""
    board = InstrumentBoard(bus)
    feed = Feed(journal, board, _now)
    session = FixMarketSession(_venue(settings), feed.hear)
    feed.session = session
    tasks.spawn(board.run(), name="instruments")
    tasks.spawn(feed.run(), name="feed")
    for partition, outbox in enumerate(feed.outboxes):
        tasks.spawn(tell_ticks(bus, partition, outbox, settings.tick_interval_ms / 1000), name=f"ticks {partition}")
    sessions.lines.append(session.line)
    return feed


def _hear_permission(trading: Trading) -> Callable[[Heard], Awaitable[None]]:
    async def hear(heard: Heard) -> None:
        trading.hear(wire.permission_from(heard.payload))

    return hear
