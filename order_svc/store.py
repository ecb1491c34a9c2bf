"""Orders in MongoDB: the truth. Orders and what is said about them are written in one transaction (transactional outbox)."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bson import ObjectId
from pymongo import DESCENDING
from pymongo.errors import BulkWriteError, DuplicateKeyError
from pymongo.read_concern import ReadConcern

from order_svc.documents import Document, document_of, order_from
from order_svc.event import Event, Message
from order_svc.order import OPEN, Order
from order_svc.outbox import ORDERS, OUTBOX, TOKENS, outbox_document
from order_svc.service import Change, OrderFilter
from runtime.crash_points import reach
from runtime.databases import Database, Session
from runtime.errors import Contended, InvalidArgument
from runtime.schema_version import ensure_version

AUDIT = "audit"
DUPLICATE_KEY = 11000
COMMITTED = "commit_time_us"


class InvalidPageToken(InvalidArgument):
    """The page token is not one that we gave out."""

    reason = "INVALID_PAGE_TOKEN"


class MongoOrderStore:
    """Orders and outbox in one MongoDB database. `encode` makes of an event the message that goes on the bus; `committed` is called
    with the outbox entry's id right after new orders are committed.
    """

    def __init__(
        self,
        database: Database,
        encode: Callable[[Event], Message],
        committed: Callable[[ObjectId], None] = lambda entry_id: None,
    ) -> None:
        self._database, self._encode, self._committed = database, encode, committed
        self._orders, self._outbox = database.collection(ORDERS), database.collection(OUTBOX)
        # A list of one moment: a changed order is a new row, which a scan in steps could meet twice or not at all.
        self._lists = self._orders.with_options(read_concern=ReadConcern("snapshot"))

    async def ensure_indexes(self) -> None:
        """Make the collections and the one index beside the primary key: an account's history, newest first.

        Raises SchemaTooNew and DatabaseUnavailable.
        """
        await ensure_version(self._database, "order_svc")
        await self._database.ensure_collections(ORDERS, OUTBOX, TOKENS, AUDIT)
        await self._database.read(self._orders.create_index([("account_id", 1), ("create_time", DESCENDING)]))

    async def find(self, order_ids: Sequence[str]) -> dict[str, Order]:
        """Return those of the orders that exist. Raises DatabaseUnavailable."""
        if not order_ids:
            return {}
        found = await self._database.read(self._orders.find({"_id": {"$in": list(order_ids)}}).to_list(None))
        return {document["_id"]: order_from(document) for document in found}

    async def insert(self, orders: Sequence[Order], events: Sequence[Event]) -> dict[str, Order]:
        """Store new orders with their events in one transaction; return those that were there before instead.

        The primary key decides: an order whose key shows up after all is taken out and the rest is stored. Raises
        DatabaseUnavailable when the outcome is unknown.
        """
        there: dict[str, Order] = {}
        while True:
            rest = [order for order in orders if order.order_id not in there]
            if not rest:
                return there
            said = [event for event in events if event.order.order_id not in there]
            try:
                await self._insert(rest, said)
            except (BulkWriteError, DuplicateKeyError) as error:
                before = await self.find([order.order_id for order in rest])
                if not _is_duplicate(error):
                    raise
                if not before:
                    # The winner is committed and not yet seen by the majority: its order is the answer in a moment.
                    raise Contended("the key is being used by another request", retry_after_seconds=0.2) from error
                there |= before
            else:
                return there

    async def _insert(self, orders: Sequence[Order], events: Sequence[Event]) -> None:
        outgoing = outbox_document([self._encode(event) for event in events])
        documents = _documents(orders, outgoing)

        async def write(session: Session) -> None:
            await self._orders.insert_many(documents, session=session)
            reach("K2")
            await self._outbox.insert_one(outgoing, session=session)

        await self._database.transaction(write)
        self._committed(outgoing["_id"])
        reach("K3")

    async def update(self, changes: Mapping[str, Change]) -> dict[str, Order]:
        """Change orders and store the events in one transaction; return the changed ones; unknown ids are left out.

        A change may be called more than once; what it raises ends the whole transaction. Raises DatabaseUnavailable.
        """

        async def write(session: Session) -> dict[str, Order]:
            cursor = self._orders.find({"_id": {"$in": list(changes)}}, session=session)
            changed: dict[str, Order] = {}
            messages: list[Message] = []
            committed_us = 0
            for document in await cursor.to_list(None):
                before = order_from(document)
                committed_us = max(committed_us, document.get(COMMITTED, 0))
                after, events = changes[before.order_id](before)
                if after is before:
                    continue
                changed[after.order_id] = after
                messages += [self._encode(event) for event in events]
            if changed:
                # Two statements for all orders instead of a replacement for each: the server's cost is by statement (0.36 ms
                # an order against 0.91 on SecantusDB). The transaction's snapshot keeps out whoever changes one meanwhile.
                outgoing = outbox_document(messages, after_us=committed_us)
                await self._orders.delete_many({"_id": {"$in": list(changed)}}, session=session)
                await self._orders.insert_many(_documents(changed.values(), outgoing), session=session)
                await self._outbox.insert_one(outgoing, session=session)
            return changed

        updated = await self._database.transaction(write)
        reach("K14")
        return updated

    async def get(self, account_id: str, order_id: str) -> Order | None:
        """Return one order of the account. Raises DatabaseUnavailable."""
        found = await self._database.read(self._orders.find_one({"_id": order_id, "account_id": account_id}))
        return order_from(found) if found else None

    async def page(self, account_id: str, wanted: OrderFilter, *, size: int, token: str) -> tuple[Sequence[Order], str]:
        """Return orders of the account, newest first, and the token of the next page.

        Raises InvalidPageToken and DatabaseUnavailable.
        """
        query: dict[str, Any] = {"account_id": account_id}
        if wanted.symbol:
            query["symbol"] = wanted.symbol
        if wanted.states:
            query["state"] = {"$in": sorted(wanted.states)}
        either = []
        if wanted.changed_since:
            either.append({"$or": [{"state": {"$in": sorted(OPEN)}}, {"update_time": {"$gte": wanted.changed_since}}]})
        if token:
            time, order_id = _read_token(token)
            either.append({"$or": [{"create_time": {"$lt": time}}, {"create_time": time, "_id": {"$lt": order_id}}]})
        if either:
            query["$and"] = either
        newest_first = [("create_time", DESCENDING), ("_id", DESCENDING)]
        cursor = self._lists.find(query).sort(newest_first).limit(size + 1)
        found = [order_from(document) for document in await self._database.read(cursor.to_list(None))]
        return found[:size], _token_after(found[size - 1]) if len(found) > size else ""


def _documents(orders: Iterable[Order], outgoing: Document) -> list[Document]:
    """Return the rows of orders, each with the time of the commit that writes it."""
    return [{**document_of(order), COMMITTED: outgoing[COMMITTED]} for order in orders]


def _is_duplicate(error: BulkWriteError | DuplicateKeyError) -> bool:
    if isinstance(error, DuplicateKeyError):
        return True
    return any(one.get("code") == DUPLICATE_KEY for one in (error.details or {}).get("writeErrors", []))


def _token_after(order: Order) -> str:
    return urlsafe_b64encode(f"{int(order.create_time.timestamp() * 1000)}:{order.order_id}".encode()).decode()


def _read_token(token: str) -> tuple[datetime, str]:
    try:
        milliseconds, _, order_id = urlsafe_b64decode(token.encode("ascii")).decode("ascii").partition(":")
        return datetime.fromtimestamp(int(milliseconds) / 1000, UTC), order_id
    except (ValueError, OverflowError, OSError):
        raise InvalidPageToken("page_token is not one of ours; start again without", field="page_token") from None
