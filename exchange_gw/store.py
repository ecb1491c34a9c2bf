"""The gateway's database: the journal and its notes, sessions, breaks, the trading state, and the audit."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import BulkWriteError

from exchange_gw.command import Command
from exchange_gw.journal import Decision, Row
from exchange_gw.ports import Break, Note
from exchange_gw.report import Verdict
from exchange_gw.trading import Act, Permission, TradingState
from runtime.databases import Database, DatabaseUnavailable, Document, Session
from runtime.schema_version import ensure_version

DUPLICATE_KEY = 11000
_PERMISSION_ID = "trading_state"
PAGES_AT_ONCE = 10


class MongoJournal:
    """The journal in MongoDB. `read` turns the bytes of a command, as they came on the bus, back into the command; `count_break` is
    called with the kind of each new break.

    Notes lie among the rows, so that one operation writes both: `~<group>~<batch>`. When all that a batch did is answered, its
    note becomes a page `=<group>=<time>` that tells which rows may be removed when they are old: an index would cost every row.
    """

    def __init__(
        self,
        database: Database,
        read: Callable[[bytes], Command],
        count_break: Callable[[str], None] = lambda kind: None,
    ) -> None:
        self._database, self._read, self._count_break = database, read, count_break
        self._rows = database.collection("journal")
        self._sessions = database.collection("sessions")
        self._breaks = database.collection("breaks")
        # Of batches that are noted: the orders they decided on.
        self._orders: dict[str, tuple[str, ...]] = {}
        self._prepared = asyncio.Event()

    async def prepare(self) -> None:
        """Make collections and indexes. Raises SchemaTooNew and DatabaseUnavailable."""
        await ensure_version(self._database, "exchange_gw")
        await self._database.ensure_collections("journal", "sessions", "breaks", "settings", "audit")
        await self._database.read(self._breaks.create_index([("create_time", DESCENDING), ("_id", ASCENDING)]))
        self._prepared.set()

    async def decide(self, note: Note, group: int, rows: Sequence[Row]) -> dict[str, Row]:
        """Write a note and then rows in one operation; return the rows that were there before."""
        noted = {
            "_id": f"~{group}~{note.batch}",
            "orders": list(note.orders),
            "changes": [command.raw for command in note.changes],
        }
        documents = [noted, *map(_row_document, rows)]
        self._orders[note.batch] = note.orders
        try:
            # In this order: a row is never there before its note.
            await self._database.read(self._rows.insert_many(documents))
        except BulkWriteError as error:
            taken = duplicates_of(error)[0]["index"]
        else:
            return {}
        older = set[str]() if taken == 0 else {documents[taken]["_id"]}
        try:
            if rest := documents[taken + 1 :]:
                await self._database.read(self._rows.insert_many(rest, ordered=False))
        except BulkWriteError as error:
            older |= {rest[failure["index"]]["_id"] for failure in duplicates_of(error)}
        return await self.find(older)

    async def find(self, order_ids: Collection[str]) -> dict[str, Row]:
        """Return the rows of orders that have one."""
        if not order_ids:
            return {}
        cursor = self._rows.find({"_id": {"$in": list(order_ids)}})
        found = await self._database.read(cursor.to_list(length=len(order_ids)))
        return {document["_id"]: self._row_from(document) for document in found}

    async def noted(self, group: int, *, besides: Collection[str]) -> list[Note]:
        """Return what is noted."""
        cursor = self._rows.find({"_id": {"$gt": f"~{group}~", "$lt": f"~{group}~\x7f"}})
        found = await self._database.read(cursor.to_list(length=None))
        notes = [(one["_id"].rpartition("~")[2], one) for one in found]
        self._orders |= {batch: tuple(one["orders"]) for batch, one in notes if batch not in self._orders}
        return [
            Note(batch, tuple(one["orders"]), tuple(self._read(bytes(raw)) for raw in one["changes"]))
            for batch, one in notes
            if batch not in besides
        ]

    async def forget(self, group: int, batches: Sequence[str]) -> None:
        """Turn notes into one page of what may be removed some day."""
        orders = [order_id for batch in batches for order_id in self._orders.get(batch, ())]
        if orders:
            await self._page(group, orders)
        await self._database.read(self._rows.delete_many({"_id": {"$in": [f"~{group}~{batch}" for batch in batches]}}))
        for batch in batches:
            self._orders.pop(batch, None)

    async def retire(self, group: int, *, decided_before: datetime, but: Collection[str]) -> int:
        """Remove the rows of some old pages."""
        old = {"$gt": f"={group}=", "$lt": f"={group}={_milliseconds(decided_before):015d}"}
        cursor = self._rows.find({"_id": old}).sort("_id", ASCENDING).limit(PAGES_AT_ONCE)
        pages = await self._database.read(cursor.to_list(length=PAGES_AT_ONCE))
        for page in pages:
            kept = [order_id for order_id in page["orders"] if order_id in but]
            if kept:
                # Written before the old page goes, and looked at again when it is old itself.
                await self._page(group, kept)
            gone = [order_id for order_id in page["orders"] if order_id not in but]
            await self._database.read(self._rows.delete_many({"_id": {"$in": [*gone, page["_id"]]}}))
        return len(pages)

    async def _page(self, group: int, orders: Sequence[str]) -> None:
        now = _milliseconds(datetime.now(UTC))
        page = {"_id": f"={group}={now:015d}={uuid4().hex[:12]}", "orders": list(orders)}
        await self._database.read(self._rows.insert_one(page))

    async def send_again(self, order_id: str, *, since: int, logon: int) -> bool:
        """Note in which session an order is sent once more, if nobody has decided anything since."""
        # Also a repetition of this very write, of which the outcome was unknown.
        undecided = {"_id": order_id, "logon": {"$in": [since, logon]}, "verdict": {"$exists": False}}
        result = await self._database.read(self._rows.update_one(undecided, {"$set": {"logon": logon}}))
        return bool(result.matched_count)

    async def give_up(self, order_id: str, verdict: Verdict, *, since: int) -> bool:
        """Note that an order is never sent again, if nobody has decided anything else since."""
        undecided = {"_id": order_id, "logon": since, "verdict": {"$in": [None, verdict.value]}}
        result = await self._database.read(self._rows.update_one(undecided, {"$set": {"verdict": verdict.value}}))
        return bool(result.matched_count)

    async def next_logon(self, session: str, *, at_least: int) -> int:
        """Return the number of a session's new logon; the session itself keeps two gateways from asking at once.

        Waits for `prepare`: the feed logs on beside it, and an upsert into a collection that is just being made locks SecantusDB
        for ever. The caller has the deadline.
        """
        await self._prepared.wait()
        before = await self._database.read(self._sessions.find_one({"_id": session})) or {}
        logon = max(at_least, int(before.get("logon", 0)) + 1)
        await self._set_session(session, {"logon": logon})
        return logon

    async def heard_until(self, session: str) -> datetime | None:
        """Return the time up to which reports were heard and told."""
        known = await self._database.read(self._sessions.find_one({"_id": session})) or {}
        time: datetime | None = known.get("heard_until")
        return time

    async def save_heard_until(self, session: str, time: datetime) -> None:
        """Keep the time up to which reports were heard and told."""
        await self._set_session(session, {"heard_until": time})

    async def holder(self, session: str) -> str:
        """Return the last sign of life of whoever has a session."""
        known = await self._database.read(self._sessions.find_one({"_id": session})) or {}
        return str(known.get("holder", ""))

    async def sign(self, session: str, sign: str) -> None:
        """Leave another sign of life."""
        await self._set_session(session, {"holder": sign})

    async def _set_session(self, session: str, fields: Document) -> None:
        await self._database.read(self._sessions.update_one({"_id": session}, {"$set": fields}, upsert=True))

    async def record_breaks(self, breaks: Sequence[Break]) -> None:
        """Keep breaks that are not known."""
        unique = {found.break_id: found for found in breaks}.values()
        documents = [
            {
                "_id": found.break_id,
                "order_id": found.order_id,
                "kind": found.kind,
                "detail": found.detail,
                "create_time": found.create_time,
            }
            for found in unique
        ]
        known: set[int] = set()
        try:
            await self._database.read(self._breaks.insert_many(documents, ordered=False))
        except BulkWriteError as error:
            known = {failure["index"] for failure in duplicates_of(error)}
        for index, document in enumerate(documents):
            if index not in known:
                self._count_break(str(document["kind"]))

    def _row_from(self, document: Document) -> Row:
        verdict = document.get("verdict")
        return Row(
            command=self._read(bytes(document["command"])),
            decision=Decision(document["decision"]),
            decide_time=document["decide_time"],
            claim=document["claim"],
            logon=document["logon"],
            verdict=Verdict(verdict) if verdict else None,
        )


def duplicates_of(error: BulkWriteError) -> list[Document]:
    """Return what failed because its key is taken. Raises when anything else failed, or the rest may not last."""
    failures: list[Document] = error.details["writeErrors"]
    if any(failure["code"] != DUPLICATE_KEY for failure in failures):
        raise error
    if error.details.get("writeConcernErrors"):
        raise DatabaseUnavailable("the database did not confirm a write", retry_after_seconds=1.0) from error
    return failures


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def _row_document(row: Row) -> Document:
    command = row.command
    document: Document = {
        "_id": command.order_id,
        "decision": row.decision.value,
        "decide_time": row.decide_time,
        "claim": row.claim,
        "logon": row.logon,
        "account_id": command.account_id,
        "symbol": command.symbol,
        "command": command.raw,
    }
    return document | {"verdict": row.verdict.value} if row.verdict else document


class MongoOperations:
    """What operators decide, and the audit of it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._settings, self._audit = database.collection("settings"), database.collection("audit")
        self._breaks = database.collection("breaks")

    async def permission(self) -> Permission:
        """Return what may be sent."""
        known = await self._database.read(self._settings.find_one({"_id": _PERMISSION_ID}))
        if known is None:
            return Permission()
        return Permission(TradingState(known["state"]), known["actor"], known["reason"], known["update_time"])

    async def set_permission(self, permission: Permission, act: Act) -> None:
        """Keep what may be sent together with who said so."""
        wanted = {
            "state": permission.state.value,
            "actor": permission.actor,
            "reason": permission.reason,
            "update_time": permission.update_time,
        }

        async def write(session: Session) -> None:
            await self._settings.update_one({"_id": _PERMISSION_ID}, {"$set": wanted}, upsert=True, session=session)
            await self._audit.insert_one(_act_document(act), session=session)

        await self._database.transaction(write)

    async def record(self, act: Act) -> None:
        """Keep what an operator does."""
        await self._database.read(self._audit.insert_one(_act_document(act)))

    async def breaks(self, *, before: tuple[datetime, str] | None, most: int) -> list[Break]:
        """Return breaks, newest first, from a place on."""
        wanted: Document = {}
        if before is not None:
            time, break_id = before
            wanted = {"$or": [{"create_time": {"$lt": time}}, {"create_time": time, "_id": {"$gt": break_id}}]}
        cursor = self._breaks.find(wanted).sort([("create_time", DESCENDING), ("_id", ASCENDING)]).limit(most)
        found = await self._database.read(cursor.to_list(length=most))
        return [Break(one["_id"], one["order_id"], one["kind"], one["detail"], one["create_time"]) for one in found]


def _act_document(act: Act) -> dict[str, Any]:
    return {
        "_id": uuid4().hex,
        "time": act.time,
        "actor": act.actor,
        "action": act.action,
        "reason": act.reason,
        "detail": act.detail,
    }
