"""The outbox: what one transaction says, kept until the broker has confirmed it and, for commands, until they have had effect.

One document holds all events of a transaction: one insert, one change event and one delete pay for a hundred orders.
"""

import time
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.errors import OperationFailure, PyMongoError

from order_svc.event import Message, News
from order_svc.order import State
from order_svc.standing import Standing
from runtime.databases import Database

ORDERS, OUTBOX, TOKENS = "orders", "outbox", "relay_tokens"
RELAY = "relay"
# For how long the broker surely drops a message that it has: somewhat less than the stream's duplicate window.
RECOGNISED_US = 10 * 60_000_000
# ChangeStreamHistoryLost, ChangeStreamFatalError, InvalidResumeToken, and tokens that cannot be read: the stream cannot be resumed.
_LOST = frozenset({286, 280, 260, 40649, 50811, 9})


@dataclass(frozen=True, slots=True)
class Entry:
    """What one transaction said: a document of the outbox.

    `commit_time_us` (microseconds since 1970) was read right before the commit; `landed` tells that the broker is known to have
    all of it.
    """

    entry_id: ObjectId
    commit_time_us: int
    messages: tuple[Message, ...]
    landed: bool = False

    @property
    def pending_orders(self) -> tuple[str, ...]:
        """Return the orders that this entry's commands are to bring out of PENDING."""
        return tuple(message.pending_order for message in self.messages if message.pending_order)


@dataclass(frozen=True, slots=True)
class Reign:
    """A relay's time in office: its number and mark, and where the one before left off (None when nobody knows).

    `born` is when the stream of updates was made that the one before published to, `saved_us` when its place was saved
    (microseconds since 1970; 0 when nobody knows).
    """

    epoch: int
    mark: str
    token: Mapping[str, Any] | None
    born: int = 0
    saved_us: int = 0

    def continues(self, born: int) -> bool:
        """Tell whether the broker still recognises what the reign before has told, as it has the same stream and lately."""
        paused_us = time.time_ns() // 1000 - self.saved_us if self.saved_us else 0
        return self.token is not None and self.born == born and paused_us < RECOGNISED_US


def outbox_document(messages: Sequence[Message], *, after_us: int = 0) -> dict[str, Any]:
    """Return the document of what a transaction says; make it as late as can be, as it tells when the commit began.

    `after_us` is the time of an earlier commit about one of the orders: commits of one order stand in their order even if the
    clocks of their hosts do not agree.
    """
    now = max(time.time_ns() // 1000, after_us + 1)
    return {
        "_id": ObjectId(),
        "create_time": datetime.fromtimestamp(now / 1_000_000, UTC),
        "commit_time_us": now,
        "messages": [
            [one.event_id, one.subject, one.payload, dict(one.headers), one.pending_order, _news_document(one.news)]
            for one in messages
        ],
    }


def _news_document(news: News | None) -> list[Any] | None:
    if news is None:
        return None
    said = (news.first_fill, news.became_uncertain, news.closed, news.certain)
    return [news.order_id, news.state.value, news.standing.value, *said]


def _entry_from(document: Mapping[str, Any]) -> Entry:
    messages = tuple(_message_from(row) for row in document["messages"])
    return Entry(document["_id"], _commit_time_us(document), messages, document.get("landed", False))


def _commit_time_us(document: Mapping[str, Any]) -> int:
    """Return the time of an entry's commit; those of the first version have it in milliseconds only."""
    return int(document.get("commit_time_us") or document["create_time"].timestamp() * 1_000_000)


def _message_from(row: list[Any]) -> Message:
    # Entries of the first version had no news.
    event_id, subject, payload, headers, pending_order, written = (*row, None)[:6]
    news = News(written[0], State(written[1]), Standing(written[2]), *written[3:]) if written else None
    return Message(event_id, subject, payload, headers, pending_order, news)


class MongoOutbox:
    """The outbox as its relay sees it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._entries, self._tokens = database.collection(OUTBOX), database.collection(TOKENS)
        self._orders = database.collection(ORDERS)

    async def follow(
        self, resume_after: Mapping[str, Any] | None
    ) -> AsyncGenerator[tuple[Entry | None, Mapping[str, Any]], None]:
        """Return every new entry with the token to resume after it, for ever; now and then None with a token alone.

        When the first comes the stream stands: what is committed from then on will come. Only inserts are watched: settling is a
        delete and must not come back as news. Raises ResumeImpossible when the token is too old or unknown, and DatabaseUnavailable
        when the stream breaks.
        """
        try:
            stream = await self._database.watch(
                OUTBOX, [{"$match": {"operationType": "insert"}}], resume_after=resume_after
            )
            try:
                while True:
                    change = await stream.try_next()
                    if not stream.alive or (change and change["operationType"] == "invalidate"):
                        raise ResumeImpossible("the stream has ended: the outbox was dropped or renamed")
                    entry = _entry_from(change["fullDocument"]) if change else None
                    yield entry, stream.resume_token
            finally:
                await stream.close()
        except OperationFailure as error:
            if error.code in _LOST or "resume" in str(error).lower():
                raise ResumeImpossible(str(error)) from error
            raise

    async def old(self, *, older_than: timedelta, after: ObjectId | None, limit: int) -> list[tuple[ObjectId, int]]:
        """Return ids of entries of some age with the times of their commits, in the order of the ids, from behind `after` on.

        Raises DatabaseUnavailable.
        """
        query: dict[str, Any] = {"create_time": {"$lte": datetime.now(UTC) - older_than}}
        if after:
            query["_id"] = {"$gt": after}
        cursor = self._entries.find(query, {"commit_time_us": 1, "create_time": 1}).sort("_id", 1).limit(limit)
        found = await self._database.read(cursor.to_list(None))
        return [(document["_id"], _commit_time_us(document)) for document in found]

    async def load(self, entry_ids: Collection[ObjectId]) -> list[Entry]:
        """Return those of the entries that are still there, in the order of their commits. Raises DatabaseUnavailable."""
        cursor = self._entries.find({"_id": {"$in": list(entry_ids)}})
        found = [_entry_from(document) for document in await self._database.read(cursor.to_list(None))]
        return sorted(found, key=lambda entry: (entry.commit_time_us, entry.entry_id))

    async def still_pending(self, order_ids: Collection[str]) -> set[str]:
        """Return the orders but for those that are known to have left PENDING. Raises DatabaseUnavailable."""
        if not order_ids:
            return set()
        query = {"_id": {"$in": list(order_ids)}, "state": {"$ne": State.PENDING.value}}
        found = await self._database.read(self._orders.find(query, {"_id": 1}).to_list(None))
        return set(order_ids) - {document["_id"] for document in found}

    async def revisions(self, order_ids: Collection[str]) -> Mapping[str, int]:
        """Return the revision that each of the orders has now. Raises DatabaseUnavailable."""
        if not order_ids:
            return {}
        cursor = self._orders.find({"_id": {"$in": list(order_ids)}}, {"revision": 1})
        return {found["_id"]: found["revision"] for found in await self._database.read(cursor.to_list(None))}

    async def settle(self, entry_ids: Collection[ObjectId]) -> None:
        """Forget entries: the broker has confirmed them and their commands had effect. Raises DatabaseUnavailable."""
        if entry_ids:
            await self._database.read(self._entries.delete_many({"_id": {"$in": list(entry_ids)}}))

    async def note_landed(self, entry_ids: Collection[ObjectId]) -> None:
        """Keep that the broker has these entries although they are not settled yet. Raises DatabaseUnavailable."""
        if entry_ids:
            change = {"$set": {"landed": True}}
            await self._database.read(self._entries.update_many({"_id": {"$in": list(entry_ids)}}, change))

    async def take_over(self) -> Reign:
        """Begin a reign: whoever reigned before can save nothing from now on. Raises DatabaseUnavailable."""
        mark = uuid4().hex
        change = {"$inc": {"epoch": 1}, "$set": {"mark": mark, "update_time": datetime.now(UTC)}}
        found = await self._database.read(
            self._tokens.find_one_and_update({"_id": RELAY}, change, upsert=True, return_document=ReturnDocument.AFTER)
        )
        return Reign(found["epoch"], mark, found.get("token"), found.get("born", 0), found.get("saved_us", 0))

    async def save_token(self, reign: Reign, token: Mapping[str, Any], *, born: int) -> bool:
        """Keep where the relay is, and in which life of the stream of updates; False when another reigns by now.

        Raises DatabaseUnavailable.
        """
        change = {
            "$set": {"token": token, "born": born, "saved_us": time.time_ns() // 1000, "update_time": datetime.now(UTC)}
        }
        # The mark tells two reigns of one number apart, which a wiped document makes possible.
        mine = {"_id": RELAY, "epoch": reign.epoch, "mark": reign.mark}
        result = await self._database.read(self._tokens.update_one(mine, change))
        return bool(result.matched_count)


class ResumeImpossible(PyMongoError):
    """The change stream cannot go on where it was left; everything unsettled has to be swept."""
