"""The outbox: what one transaction says, kept until the broker has confirmed it and, for commands, until they have had effect.

One document holds all events of a transaction: one insert, one change event and one delete pay for a hundred orders.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo.errors import OperationFailure, PyMongoError

from order_svc.event import Message
from runtime.databases import Database

ORDERS, OUTBOX, TOKENS = "orders", "outbox", "relay_tokens"
RELAY = "relay"
PENDING = "PENDING"
# ChangeStreamHistoryLost, ChangeStreamFatalError, InvalidResumeToken, and tokens that cannot be read: the stream cannot be resumed.
_LOST = frozenset({286, 280, 260, 40649, 50811, 9})


@dataclass(frozen=True, slots=True)
class Entry:
    """What one transaction said: a document of the outbox."""

    entry_id: ObjectId
    create_time: datetime
    messages: tuple[Message, ...]

    @property
    def pending_orders(self) -> tuple[str, ...]:
        """Return the orders that this entry's commands are to bring out of PENDING."""
        return tuple(message.pending_order for message in self.messages if message.pending_order)


def outbox_document(messages: Sequence[Message]) -> dict[str, Any]:
    """Return the document of what a transaction says."""
    return {
        "_id": ObjectId(),
        "create_time": datetime.now(UTC),
        "messages": [
            [message.event_id, message.subject, message.payload, dict(message.headers), message.pending_order]
            for message in messages
        ],
    }


def _entry_from(document: Mapping[str, Any]) -> Entry:
    messages = tuple(Message(*fields) for fields in document["messages"])
    return Entry(document["_id"], document["create_time"], messages)


class MongoOutbox:
    """The outbox as its relay sees it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._entries, self._tokens = database.collection(OUTBOX), database.collection(TOKENS)
        self._orders = database.collection(ORDERS)

    async def follow(
        self, resume_after: Mapping[str, Any] | None
    ) -> AsyncIterator[tuple[Entry | None, Mapping[str, Any]]]:
        """Return every new entry with the token to resume after it, for ever; now and then None with a token alone.

        Only inserts are watched: settling is a delete and must not come back as news. Raises ResumeImpossible when the token is
        too old or unknown, and DatabaseUnavailable when the stream breaks.
        """
        try:
            stream = await self._database.watch(
                OUTBOX, [{"$match": {"operationType": "insert"}}], resume_after=resume_after
            )
            try:
                while True:
                    change = await stream.try_next()
                    entry = _entry_from(change["fullDocument"]) if change else None
                    yield entry, stream.resume_token
            finally:
                await stream.close()
        except OperationFailure as error:
            if error.code in _LOST or "resume" in str(error).lower():
                raise ResumeImpossible(str(error)) from error
            raise

    async def unsettled(self, *, older_than: timedelta, but: Collection[ObjectId], limit: int) -> list[Entry]:
        """Return entries of some age, oldest first, but for the named ones. Raises DatabaseUnavailable."""
        query = {"create_time": {"$lte": datetime.now(UTC) - older_than}, "_id": {"$nin": list(but)}}
        cursor = self._entries.find(query).sort("_id", 1).limit(limit)
        return [_entry_from(document) for document in await self._database.read(cursor.to_list(None))]

    async def still_pending(self, order_ids: Collection[str]) -> set[str]:
        """Return those of the orders that have not left PENDING. Raises DatabaseUnavailable."""
        if not order_ids:
            return set()
        query = {"_id": {"$in": list(order_ids)}, "state": PENDING}
        found = await self._database.read(self._orders.find(query, {"_id": 1}).to_list(None))
        return {document["_id"] for document in found}

    async def settle(self, entry_ids: Collection[ObjectId]) -> None:
        """Forget entries: the broker has confirmed them. Raises DatabaseUnavailable."""
        if entry_ids:
            await self._database.read(self._entries.delete_many({"_id": {"$in": list(entry_ids)}}))

    async def saved_token(self) -> Mapping[str, Any] | None:
        """Return where the relay left off; None when it never ran or the token was wiped. Raises DatabaseUnavailable."""
        found = await self._database.read(self._tokens.find_one({"_id": RELAY}))
        token: Mapping[str, Any] | None = found.get("token") if found else None
        return token

    async def save_token(self, token: Mapping[str, Any]) -> None:
        """Keep where the relay is. Raises DatabaseUnavailable."""
        change = {"$set": {"token": token, "update_time": datetime.now(UTC)}}
        await self._database.read(self._tokens.update_one({"_id": RELAY}, change, upsert=True))


class ResumeImpossible(PyMongoError):
    """The change stream cannot go on where it was left; everything unsettled has to be swept."""
