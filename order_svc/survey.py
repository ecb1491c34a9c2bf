"""Orders in MongoDB as whoever looks after open ones reads them: by id, and page by page."""

from collections.abc import Collection, Sequence
from typing import Any

from order_svc.documents import order_from
from order_svc.order import OPEN, Order
from order_svc.outbox import ORDERS
from runtime.databases import Database


class MongoSurvey:
    """Reads orders of all accounts."""

    def __init__(self, database: Database) -> None:
        self._database, self._orders = database, database.collection(ORDERS)

    async def find(self, order_ids: Sequence[str]) -> dict[str, Order]:
        """Return those of the orders that exist. Raises DatabaseUnavailable."""
        if not order_ids:
            return {}
        found = await self._database.read(self._orders.find({"_id": {"$in": list(order_ids)}}).to_list(None))
        return {document["_id"]: order_from(document) for document in found}

    async def open_among(self, *, after: str, limit: int) -> tuple[Collection[str], str]:
        """Return those of the next `limit` orders by id that are open or lack fills, and the id to go on from, empty at the end.

        The state is looked at here and not in the query, so that a page costs the same however many orders are closed. Raises
        DatabaseUnavailable.
        """
        query: dict[str, Any] = {"_id": {"$gt": after}}
        cursor = self._orders.find(query, {"state": 1, "missing_quantity": 1}).sort("_id", 1).limit(limit)
        page = await self._database.read(cursor.to_list(None))
        wanted = [document["_id"] for document in page if document["state"] in OPEN or document.get("missing_quantity")]
        return wanted, page[-1]["_id"] if len(page) == limit else ""
