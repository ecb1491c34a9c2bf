"""What the gateway's tests talk about, valid by default, and neighbours that live in memory."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import structs
from prometheus_client import CollectorRegistry

from exchange_gw.command import Asks, Command, Side, TimeInForce, Type
from exchange_gw.conversation import Conversation
from exchange_gw.exchange import (
    ExecType,
    Execution,
    LoggedOn,
    LoggedOut,
    OrdStatus,
    Part,
    Standing,
    TradePart,
    VenueUnreachable,
)
from exchange_gw.figures import Figures
from exchange_gw.journal import Row
from exchange_gw.ports import Break, Note
from exchange_gw.report import Kind, Report, Verdict
from exchange_gw.service import Lane
from exchange_gw.taking import Later
from exchange_gw.trading import Act, Permission, Trading
from exchange_gw.unanswered import Patience
from runtime.errors import Unavailable

NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
PATIENCE = Patience(ask_after=1.0, uncertain_after=3.0, absence_grace=2.0)


def at(seconds: float) -> datetime:
    """Return a time some seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def a_command(asks: Asks = Asks.SUBMIT, **changes: Any) -> Command:
    """A command about order o1 of account demo: LIMIT, buy 10 AAPL at 190.12, to be sent within a minute."""
    order_id = changes.get("order_id", "o1")
    fields: dict[str, Any] = {
        "command_id": f"{order_id}:{asks.value.lower()}",
        "asks": asks,
        "order_id": order_id,
        "client_order_id": f"key-{order_id}",
        "account_id": "demo",
        "symbol": "AAPL",
        "side": Side.BUY,
        "type": Type.LIMIT,
        "time_in_force": TimeInForce.DAY,
        "quantity": 10,
        "price_micros": 190_120_000,
        "submit_by": at(60),
        "raw": f"{asks.value} {order_id}".encode(),
    }
    return Command(**{**fields, **changes})


def an_execution(exec_type: ExecType = ExecType.NEW, **changes: Any) -> Execution:
    """The venue's word about order o1: by default that it is in the book."""
    fields: dict[str, Any] = {
        "cl_ord_id": "o1",
        "exec_type": exec_type,
        "status": OrdStatus.NEW,
        "exchange_order_id": "X1",
        "exec_id": "E1",
        "account_id": "demo",
        "symbol": "AAPL",
        "quantity": 10,
        "price_micros": 190_120_000,
        "leaves_quantity": 10,
        "time": NOON,
    }
    return Execution(**{**fields, **changes})


def a_status(status: OrdStatus = OrdStatus.NEW, **changes: Any) -> Execution:
    """The venue's answer to how order o1 stands."""
    return an_execution(ExecType.STATUS, status=status, exec_id="0", **changes)


def a_trade(exec_id: str, shares: int = 4, **changes: Any) -> Execution:
    """An execution of order o1 as the venue's drop copy names it."""
    fields = {"exec_type": ExecType.FILL, "status": OrdStatus.UNKNOWN, "cumulative_quantity": -1, **changes}
    return an_execution(exec_id=exec_id, last_quantity=shares, last_price_micros=190_000_000, **fields)


def an_unknown(order_id: str = "o1") -> Execution:
    """The venue's answer that it has no such order."""
    return an_execution(
        ExecType.STATUS, status=OrdStatus.REJECTED, cl_ord_id=order_id, refusal="UNKNOWN_ORDER", exchange_order_id=""
    )


class Clock:
    """Time that stands still unless told otherwise."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return at(self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class MemoryJournal:
    """A journal that keeps its promises in memory; `away` makes it fail as a dead database does."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.notes: dict[str, tuple[int, Note]] = {}
        self.breaks: dict[str, Break] = {}
        self.logons: dict[str, int] = {}
        self.heard: dict[str, datetime] = {}
        self.signs: dict[str, str] = {}
        self.retired: list[tuple[datetime, frozenset[str]]] = []
        self.away = False

    def _ask(self) -> None:
        if self.away:
            raise Unavailable("the database is away")

    async def decide(self, note: Note, group: int, rows: Sequence[Row]) -> dict[str, Row]:
        self._ask()
        self.notes[note.batch] = group, note
        older = {row.order_id: self.rows[row.order_id] for row in rows if row.order_id in self.rows}
        self.rows |= {row.order_id: row for row in rows if row.order_id not in older}
        return older

    async def find(self, order_ids: Collection[str]) -> dict[str, Row]:
        if order_ids:
            self._ask()
        return {order_id: self.rows[order_id] for order_id in order_ids if order_id in self.rows}

    async def noted(self, group: int, *, besides: Collection[str]) -> list[Note]:
        return [note for batch, (of, note) in self.notes.items() if of == group and batch not in besides]

    async def forget(self, group: int, batches: Sequence[str]) -> None:
        self._ask()
        for batch in batches:
            self.notes.pop(batch, None)

    async def retire(self, group: int, *, decided_before: datetime, but: Collection[str]) -> int:
        self.retired.append((decided_before, frozenset(but)))
        return 0

    async def holder(self, session: str) -> str:
        self._ask()
        return self.signs.get(session, "")

    async def sign(self, session: str, sign: str) -> None:
        self._ask()
        self.signs[session] = sign

    async def send_again(self, order_id: str, *, since: int, logon: int) -> bool:
        row = self.rows[order_id]
        if row.logon not in (since, logon) or row.verdict is not None:
            return False
        self.rows[order_id] = structs.replace(row, logon=logon)
        return True

    async def give_up(self, order_id: str, verdict: Verdict, *, since: int) -> bool:
        row = self.rows[order_id]
        if row.logon != since or row.verdict not in (None, verdict):
            return False
        self.rows[order_id] = structs.replace(row, verdict=verdict)
        return True

    async def next_logon(self, session: str, *, at_least: int) -> int:
        self.logons[session] = self.logons.get(session, 0) + 1
        return self.logons[session]

    async def heard_until(self, session: str) -> datetime | None:
        return self.heard.get(session)

    async def save_heard_until(self, session: str, time: datetime) -> None:
        self.heard[session] = time

    async def record_breaks(self, breaks: Sequence[Break]) -> None:
        for one in breaks:
            self.breaks.setdefault(one.break_id, one)


class KeptReports:
    """Keeps what was told."""

    def __init__(self) -> None:
        self.told: list[Report] = []

    async def tell(self, report: Report) -> None:
        self.told.append(report)

    def mark(self) -> int:
        return len(self.told)

    def is_told(self, mark: int) -> bool:
        return True

    async def until_told(self) -> None:
        return None

    @property
    def kinds(self) -> list[Kind]:
        return [report.kind for report in self.told]


class FakeSession:
    """A session that notes what is said; the answers are the test's. Questions about all orders are answered with `books`."""

    def __init__(self) -> None:
        self.standing = Standing.AWAY
        self.said: list[str] = []
        self.books: list[Execution] = []
        # Executions that the venue has, and whether it says so; the names of the questions it was asked.
        self.trades: list[Execution] = []
        self.has_drop_copy = True
        self.asked: list[tuple[str, datetime | str]] = []
        self.checked: list[str] = []
        self.lane: Lane
        self.hung_up = 0

    def _say(self, text: str) -> None:
        if self.standing is not Standing.LOGGED_ON:
            raise VenueUnreachable("not logged on")
        self.said.append(text)

    async def send(self, command: Command, *, again: bool = False) -> None:
        self._say(f"{command.asks.value} {command.cl_ord_id}{' again' if again else ''}")

    async def ask(self, command: Command, *, request_id: str = "") -> None:
        self._say(f"? {command.order_id}")
        self.checked += [request_id] if request_id else []

    async def ask_about(self, order_id: str, *, request_id: str) -> None:
        self._say(f"? {order_id}")

    async def ask_all(self, request_id: str) -> None:
        self._say("? all")
        total = len(self.books)
        parts = [
            structs.replace(one, part=Part(request_id, total, number == total))
            for number, one in enumerate(self.books, 1)
        ]
        nothing = a_status(cl_ord_id="", part=Part(request_id, 0, True))
        asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(self.lane.hear(parts or [nothing])))

    async def ask_trades(self, request_id: str, *, since: datetime) -> None:
        self._tell_trades(request_id, since, [one for one in self.trades if one.time is None or one.time >= since])

    async def ask_trades_of(self, command: Command, request_id: str) -> None:
        self._tell_trades(
            request_id, command.order_id, [one for one in self.trades if one.cl_ord_id == command.order_id]
        )

    def _tell_trades(self, request_id: str, what: datetime | str, trades: Sequence[Execution]) -> None:
        if self.standing is not Standing.LOGGED_ON:
            raise VenueUnreachable("not logged on")
        self.asked.append((request_id, what))
        parts = [
            TradePart(request_id=request_id, is_last=number == len(trades), trade=one)
            for number, one in enumerate(trades, 1)
        ] or [TradePart(request_id=request_id, is_last=True)]
        if not self.has_drop_copy:
            parts = [TradePart(request_id=request_id, is_last=True, refusal="no such thing", is_unsupported=True)]
        asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(self.lane.hear(parts)))

    def hang_up(self) -> None:
        self.hung_up += 1


class MemoryPermission:
    """Keeps the trading state and the audit."""

    def __init__(self) -> None:
        self.kept = Permission()
        self.acts: list[Act] = []
        self.said: list[Permission] = []

    async def permission(self) -> Permission:
        return self.kept

    async def set_permission(self, permission: Permission, act: Act) -> None:
        self.kept = permission
        self.acts.append(act)

    async def tell(self, permission: Permission) -> None:
        self.said.append(permission)


class World:
    """A lane among neighbours in memory."""

    def __init__(self, journal: MemoryJournal | None = None, *, owns: Callable[[str], bool] = lambda _: True) -> None:
        self.clock, self.session, self.reports = Clock(), FakeSession(), KeptReports()
        self.journal = journal or MemoryJournal()
        self.permission = MemoryPermission()
        self.trading = Trading(self.permission, self.permission, self.clock.now)
        self.talk = Conversation(
            figures=Figures(CollectorRegistry()),
            group=0,
            session=self.session,
            journal=self.journal,
            reports=self.reports,
            trading=self.trading,
            patience=PATIENCE,
            owns=owns,
            now=self.clock.now,
            monotonic=self.clock.monotonic,
        )
        self.lane = Lane(self.talk, "ORD-0")
        self.session.lane = self.lane

    async def log_on(self, *, within: float = 2.0) -> None:
        """Let the session stand and wait until the lane is open."""
        self.session.standing = Standing.LOGGED_ON
        self.lane.news.clear()
        await self.lane.hear([LoggedOn()])
        async with asyncio.timeout(within):
            while not self.lane.is_open:
                await self.lane.news.wait()
                self.lane.news.clear()

    async def log_out(self) -> None:
        """Let the session fall."""
        self.session.standing = Standing.AWAY
        await self.lane.hear([LoggedOut()])

    async def take(self, *commands: Command) -> list[Later | None]:
        """Give the lane commands."""
        return await self.lane.take(commands)

    async def pass_time(self, seconds: float) -> None:
        """Let time go by, with the lane's watch looking once at its end."""
        self.clock.seconds += seconds
        await self.lane.watch.beat()
