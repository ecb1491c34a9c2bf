"""A model of the gateway's MongoDB: rows of which the first holds, notes, sessions, breaks, and what operators allow."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec import structs

from exchange_gw.journal import Row
from exchange_gw.ports import Break, Note
from exchange_gw.report import Verdict
from exchange_gw.trading import Act, Permission
from exchange_gw.waiting_room import Parked
from runtime.databases import OPERATION_SECONDS
from tests.simulation.network import Network, Server
from tests.simulation.orders_database import away


@dataclass
class GatewayDatabase:
    """What is on its disk."""

    rows: dict[str, Row] = field(default_factory=dict)
    notes: dict[str, tuple[int, Note]] = field(default_factory=dict)
    signs: dict[str, str] = field(default_factory=dict)
    logons: dict[str, int] = field(default_factory=dict)
    heard: dict[str, datetime] = field(default_factory=dict)
    breaks: dict[str, Break] = field(default_factory=dict)
    parked: dict[str, Parked] = field(default_factory=dict)
    deaths: dict[int, int] = field(default_factory=dict)
    in_hand: int = 0
    permission: Permission = field(default_factory=Permission)


class ModelJournal:
    """One gateway's way to the journal (the port's Journal)."""

    def __init__(self, database: GatewayDatabase, network: Network) -> None:
        self._database, self._network = database, network

    async def _ask(self, effect: Callable[[], Any], what: str) -> Any:
        return await self._network.call(
            Server.GATEWAY_DATABASE, effect, seconds=OPERATION_SECONDS, away=away, what=what
        )

    async def decide(self, note: Note, group: int, rows: Sequence[Row]) -> dict[str, Row]:
        """Write a note, then rows; return those that were there before. Two operations: between them all may end."""
        names = " ".join((*note.orders, *(change.cl_ord_id for change in note.changes)))
        await self._ask(lambda: self._database.notes.update({note.batch: (group, note)}), f"note {names}")
        if not rows:
            return {}

        def write() -> dict[str, Row]:
            known = self._database.rows
            older = {row.order_id: known[row.order_id] for row in rows if row.order_id in known}
            known.update({row.order_id: row for row in rows if row.order_id not in older})
            return older

        older: dict[str, Row] = await self._ask(write, f"rows {' '.join(f'{r.order_id}={r.decision}' for r in rows)}")
        return older

    async def find(self, order_ids: Collection[str]) -> dict[str, Row]:
        """Return the rows of orders that have one."""
        if not order_ids:
            return {}
        wanted, rows = sorted(order_ids), self._database.rows
        found: dict[str, Row] = await self._ask(
            lambda: {one: rows[one] for one in wanted if one in rows}, f"rows? {' '.join(wanted)}"
        )
        return found

    async def noted(self, group: int, *, besides: Collection[str]) -> list[Note]:
        """Return what is noted."""
        skipped = frozenset(besides)

        def look() -> list[Note]:
            return [note for batch, (of, note) in self._database.notes.items() if of == group and batch not in skipped]

        noted: list[Note] = await self._ask(look, "noted?")
        return noted

    async def forget(self, group: int, batches: Sequence[str]) -> None:
        """Drop notes."""
        gone = list(batches)
        await self._ask(lambda: [self._database.notes.pop(batch, None) for batch in gone], f"forget {len(gone)}")

    async def retire(self, group: int, *, decided_before: datetime, but: Collection[str]) -> int:
        """Remove nothing: no run is that long."""
        return 0

    async def holder(self, session: str) -> str:
        """Return who has a session."""
        sign: str = await self._ask(lambda: self._database.signs.get(session, ""), "holder?")
        return sign

    async def sign(self, session: str, sign: str) -> None:
        """Leave a sign of life."""
        await self._ask(lambda: self._database.signs.update({session: sign}), "sign")

    async def send_again(self, order_id: str, *, since: int, logon: int) -> bool:
        """Note in which session an order is sent once more, if nobody has decided anything since."""
        return await self._change(
            order_id,
            lambda row: row.logon in (since, logon) and row.verdict is None,
            f"send again {order_id}",
            logon=logon,
        )

    async def give_up(self, order_id: str, verdict: Verdict, *, since: int) -> bool:
        """Note that an order is never sent again, if nobody has decided anything else since."""
        return await self._change(
            order_id,
            lambda row: row.logon == since and row.verdict in (None, verdict),
            f"give up {order_id}",
            verdict=verdict,
        )

    async def _change(self, order_id: str, fits: Callable[[Row], bool], what: str, **fields: Any) -> bool:
        def write() -> bool:
            row = self._database.rows.get(order_id)
            if row is None or not fits(row):
                return False
            self._database.rows[order_id] = structs.replace(row, **fields)
            return True

        changed: bool = await self._ask(write, what)
        return changed

    async def next_logon(self, session: str, *, at_least: int) -> int:
        """Return the number of a session's new logon."""

        def write() -> int:
            logon = max(at_least, self._database.logons.get(session, 0) + 1)
            self._database.logons[session] = logon
            return logon

        logon: int = await self._ask(write, "next logon")
        return logon

    async def heard_until(self, session: str) -> datetime | None:
        """Return up to which time reports were heard and told."""
        time: datetime | None = await self._ask(lambda: self._database.heard.get(session), "heard until?")
        return time

    async def save_heard_until(self, session: str, time: datetime) -> None:
        """Keep that time."""
        await self._ask(lambda: self._database.heard.update({session: time}), "heard until")

    async def record_breaks(self, breaks: Sequence[Break]) -> None:
        """Keep breaks that are not known."""

        def write() -> None:
            for one in breaks:
                self._database.breaks.setdefault(one.break_id, one)

        await self._ask(write, "breaks")


class ModelPermission:
    """What operators allow, in the database and on nobody's lips."""

    def __init__(self, database: GatewayDatabase) -> None:
        self._database = database

    async def permission(self) -> Permission:
        """Return it."""
        return self._database.permission

    async def set_permission(self, permission: Permission, act: Act) -> None:
        """Keep it."""
        self._database.permission = permission

    async def tell(self, permission: Permission) -> None:
        """Say it to nobody."""
