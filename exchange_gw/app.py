"""Wiring of the gateway: opens, builds, starts; closing is the reverse. The only place that knows every room."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from exchange_gw import rpc, wire
from exchange_gw.burial import Burial
from exchange_gw.bus import PermissionBoard, ReportPublisher
from exchange_gw.command_door import CommandDoor
from exchange_gw.conversation import Conversation
from exchange_gw.dead_letters import DeadLetterBox
from exchange_gw.exchange import OrderEvent, SessionState, Standing
from exchange_gw.feed import Feed
from exchange_gw.feed_bus import InstrumentBoard, tell_ticks
from exchange_gw.figures import Figures
from exchange_gw.fix import FixMarketSession, FixOrderSession, Venue
from exchange_gw.fix_line import Line
from exchange_gw.insistence import surely
from exchange_gw.operations import Operations
from exchange_gw.rounds import Rhythm
from exchange_gw.service import Lane
from exchange_gw.settings import ExchangeGwSettings
from exchange_gw.store import MongoJournal, MongoOperations
from exchange_gw.trading import Trading
from exchange_gw.unanswered import Patience
from exchange_gw.waiting_room import WaitingRoom
from runtime.databases import open_mongo
from runtime.identity import open_verifier
from runtime.jetstream import Bus, Heard, open_bus
from runtime.partners import open_partners
from runtime.process import Tasks
from runtime.receipts import open_receipts
from runtime.rpc import serve_rpc
from runtime.subjects import ORDER_PARTITIONS, partition_of, trading_state

DRAIN_SECONDS = 2.0
PREPARE_SECONDS = 3.0


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

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = lines

    def states(self) -> Sequence[SessionState]:
        return [line.state for line in self.lines]

    def logons_again(self) -> int:
        """Return how many logons there were beside the first of each line."""
        return sum(max(line.logons - 1, 0) for line in self.lines)

    async def are_up(self) -> bool:
        """Tell whether all lines are logged on."""
        return all(map(_is_logged_on, self.lines))


@asynccontextmanager
async def open_app(settings: ExchangeGwSettings, tasks: Tasks) -> AsyncIterator[None]:
    """Run the gateway inside the block: memory first, then rules, mouths on the bus, ears, the venue, and operators last."""
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
                name="exchange_gw",
                tasks=tasks,
                login=settings.nats_login,
                layout=settings.nats_layout,
            )
        )
        verifier = await stack.enter_async_context(open_verifier(settings, bus=bus, tasks=tasks))

        figures = Figures(tasks.registry)
        journal = MongoJournal(database, wire.command_from, figures.count_break)
        operations_store = MongoOperations(database)
        room = WaitingRoom(database, wire.command_from)
        trading = Trading(operations_store, PermissionBoard(bus), _now)
        await stack.enter_async_context(bus.listen(trading_state(), _hear_permission(trading)))

        receipts = await stack.enter_async_context(open_receipts(bus))
        stack.push_async_callback(tasks.stop)
        publisher = ReportPublisher(receipts, room=settings.report_queue, at_once=settings.reports_at_once)
        tasks.spawn(publisher.run(), name="reports")
        stack.push_async_callback(publisher.drain, DRAIN_SECONDS)
        figures.watch_queue("reports", lambda: publisher.waiting, capacity=settings.report_queue)
        figures.watch_trading(lambda: trading.permission.state)

        lanes = [
            _build_lane(settings, group, journal, publisher, trading=trading, figures=figures)
            for group in range(settings.groups)
        ]
        feed, feed_line = _open_feed(settings, journal, bus, tasks, figures)
        sessions = _Sessions([*(lane.line for lane in lanes), feed_line])
        for line in sessions.lines:
            stack.push_async_callback(line.log_out)
            figures.watch_session(line.sender.partition("-")[2], partial(_is_logged_on, line))
        # Prices need no database; orders wait for it.
        tasks.spawn(feed_line.run(), name=f"line {feed_line.sender}")

        prepared = asyncio.Event()

        async def open_lanes() -> None:
            await surely(journal.prepare)
            await surely(room.prepare)
            prepared.set()
            await surely(trading.load)
            tasks.spawn(trading.keep_saying(), name="trading state")
            for opened in lanes:
                burial = Burial(bus, publisher, _now, figures.count_letter)
                await _open_lane(settings, opened, room=room, burial=burial, bus=bus, tasks=tasks, figures=figures)
            await asyncio.Event().wait()

        tasks.spawn(open_lanes(), name="lanes")
        # Collections are to be there before this service counts as ready and orders come: made beside running transactions they
        # hold these up. Without a database it serves all the same, as prices need none.
        with suppress(TimeoutError):
            async with asyncio.timeout(PREPARE_SECONDS):
                await prepared.wait()

        letters = DeadLetterBox(bus)
        counts = figures.keep_counting(letters=letters.count, parked=room.count, logons=sessions.logons_again)
        tasks.spawn(counts, name="counts")
        operations = Operations(
            lanes=[opened.lane for opened in lanes],
            feed=feed,
            trading=trading,
            letters=letters,
            records=operations_store,
            sessions=sessions,
            now=_now,
        )
        health = await stack.enter_async_context(
            serve_rpc(
                host=settings.host,
                port=settings.port,
                services=[rpc.service(rpc.ExchangeServicer(operations))],
                verifier=verifier,
                partners=open_partners(settings.partners_file),
                tls=settings.grpc_server_tls,
                reflect=settings.reflection,
                grace_seconds=settings.stop_grace_seconds,
                registry=tasks.registry,
            )
        )
        dependencies = {"nats": bus.ping, "mongo": database.ping, "venue": sessions.are_up}
        tasks.spawn(health.watch(dependencies), name="dependencies")
        yield


@dataclass(frozen=True, slots=True)
class _Lane:
    """A lane, its session's line, and its partition group."""

    group: int
    lane: Lane
    line: Line


def _build_lane(
    settings: ExchangeGwSettings,
    group: int,
    journal: MongoJournal,
    publisher: ReportPublisher,
    *,
    trading: Trading,
    figures: Figures,
) -> _Lane:
    """Build the lane of a partition group; nothing runs yet."""

    def owns(account_id: str) -> bool:
        return partition_of(account_id, ORDER_PARTITIONS) % settings.groups == group

    async def hear(events: Sequence[OrderEvent]) -> None:
        await lane.hear(events)

    session = FixOrderSession(_venue(settings), group, hear)
    conversation = Conversation(
        group=group,
        session=session,
        journal=journal,
        reports=publisher,
        trading=trading,
        patience=Patience(
            submitted_after=settings.submitted_after_seconds,
            ask_after=settings.ask_after_seconds,
            uncertain_after=settings.uncertain_after_seconds,
            absence_grace=settings.absence_grace_seconds,
        ),
        figures=figures,
        owns=owns,
        now=_now,
        moment=partial(datetime.now, UTC),
    )
    rhythm = Rhythm(settings.look_seconds, settings.compare_seconds, settings.journal_days)
    lane = Lane(conversation, session.line.sender, rhythm)
    return _Lane(group, lane, session.line)


async def _open_lane(
    settings: ExchangeGwSettings,
    opened: _Lane,
    *,
    room: WaitingRoom,
    burial: Burial,
    bus: Bus,
    tasks: Tasks,
    figures: Figures,
) -> None:
    """Start a lane; what it left unanswered is taken up before any command, and only then is the venue called."""
    lane, group = opened.lane, opened.group
    await surely(lane.take_up)
    door = CommandDoor(
        bus,
        lane,
        room=room,
        burial=burial,
        group=group,
        groups=settings.groups,
        max_batch=settings.command_batch,
        # A day less than rows are kept, so that no row is gone that could be asked for.
        keep=timedelta(days=settings.journal_days - 1),
        now=_now,
    )
    figures.watch_lane(group, unanswered=lambda: lane.unanswered, held=lambda: door.held)
    tasks.spawn(lane.run(), name=f"lane {group}")
    tasks.spawn(door.run(), name=f"commands {group}")
    tasks.spawn(opened.line.run(), name=f"line {opened.line.sender}")


def _open_feed(
    settings: ExchangeGwSettings, journal: MongoJournal, bus: Bus, tasks: Tasks, figures: Figures
) -> tuple[Feed, Line]:
    """Build the feed of market data and start telling what it hears; return it and its session's line."""
    board = InstrumentBoard(bus)
    feed = Feed(journal, board, _now, figures.ticks.inc)
    session = FixMarketSession(_venue(settings), feed.hear)
    feed.session = session
    tasks.spawn(board.run(), name="instruments")
    tasks.spawn(feed.run(), name="feed")
    for partition, outbox in enumerate(feed.outboxes):
        tasks.spawn(tell_ticks(bus, partition, outbox, settings.tick_interval_ms / 1000), name=f"ticks {partition}")
    return feed, session.line


def _is_logged_on(line: Line) -> bool:
    return line.standing is Standing.LOGGED_ON


def _hear_permission(trading: Trading) -> Callable[[Heard], Awaitable[None]]:
    async def hear(heard: Heard) -> None:
        trading.hear(wire.permission_from(heard.payload))

    return hear
