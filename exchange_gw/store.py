"""The gateway's database: the journal and its notes, sessions, breaks, the trading state, and the audit."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import BulkWriteError

from exchange_gw.command import Command
from exchange_gw.journal import Decision, Row
from exchange_gw.ports import Break
from exchange_gw.report import Verdict
from exchange_gw.trading import Act, Permission, TradingState
from runtime.databases import Database, DatabaseUnavailable, Document, Session

DUPLICATE_KEY = 11000
_PERMISSION_ID = "trading_state"


class MongoJournal:
    """The journal in MongoDB. `read` turns the bytes of a command, as they came on the bus, back into the command."""

    def __init__(self, database: Database, read: Callable[[bytes], Command]) -> None:
        self._database, self._read = database, read
        self._rows = database.collection("journal")
        self._notes = database.collection("in_flight")
        self._sessions = database.collection("sessions")
        self._breaks = database.collection("breaks")

    async def prepare(self) -> None:
        """Make collections and indexes. Raises DatabaseUnavailable."""
        await self._database.ensure_collections("journal", "in_flight", "sessions", "breaks", "settings", "audit")
        await self._database.read(self._breaks.create_index([("create_time", DESCENDING), ("_id", ASCENDING)]))

    async def note(self, batch: str, group: int, commands: Sequence[Command]) -> None:
        """Note durably that requests are about to be sent."""
        note = {"_id": batch, "group": group, "commands": [command.raw for command in commands]}
        await self._database.read(self._notes.insert_one(note))

    async def insert(self, rows: Sequence[Row]) -> dict[str, Row]:
        """Write rows in one operation; return those that were there before."""
        documents = [_row_document(row) for row in rows]
        try:
            await self._database.read(self._rows.insert_many(documents, ordered=False))
        except BulkWriteError as error:
            failures = _duplicates(error)
            return await self.find({documents[failure["index"]]["_id"] for failure in failures})
        return {}

    async def find(self, order_ids: Collection[str]) -> dict[str, Row]:
        """Return the rows of orders that have one."""
        if not order_ids:
            return {}
        cursor = self._rows.find({"_id": {"$in": list(order_ids)}})
        found = await self._database.read(cursor.to_list(length=len(order_ids)))
        return {document["_id"]: self._row_from(document) for document in found}

    async def noted(self, group: int, *, besides: Collection[str]) -> list[tuple[str, Command]]:
        """Return the requests that are noted: batch and request."""
        cursor = self._notes.find({"group": group, "_id": {"$nin": list(besides)}})
        notes = await self._database.read(cursor.to_list(length=None))
        return [(note["_id"], self._read(bytes(raw))) for note in notes for raw in note["commands"]]

    async def forget(self, batches: Sequence[str]) -> None:
        """Drop notes."""
        await self._database.read(self._notes.delete_many({"_id": {"$in": list(batches)}}))

    async def send_again(self, order_id: str, *, logon: int) -> None:
        """Note in which session an order is sent once more."""
        await self._database.read(self._rows.update_one({"_id": order_id}, {"$set": {"logon": logon}}))

    async def give_up(self, order_id: str, verdict: Verdict) -> None:
        """Note that an order is never sent again."""
        await self._database.read(self._rows.update_one({"_id": order_id}, {"$set": {"verdict": verdict.value}}))

    async def next_logon(self, session: str, *, at_least: int) -> int:
        """Return the number of a session's new logon; the session itself keeps two gateways from asking at once."""
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
        try:
            await self._database.read(self._breaks.insert_many(documents, ordered=False))
        except BulkWriteError as error:
            _duplicates(error)

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


def _duplicates(error: BulkWriteError) -> list[Document]:
    """Return what failed because its key is taken. Raises when anything else failed, or the rest may not last."""
    failures: list[Document] = error.details["writeErrors"]
    if any(failure["code"] != DUPLICATE_KEY for failure in failures):
        raise error
    if error.details.get("writeConcernErrors"):
        raise DatabaseUnavailable("the database did not confirm a write", retry_after_seconds=1.0) from error
    return failures


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
