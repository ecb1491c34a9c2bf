"""MongoDB: what the owner of a partition leaves to the next, one small document each, written again and again."""

from bson.errors import BSONError
from pymongo.errors import PyMongoError

from price_svc.bar import Bar
from price_svc.books import Unfinished
from price_svc.schema import Preparation
from runtime import logs
from runtime.databases import Database, Document

NAME = "unfinished_bars"

logger = logs.get_logger("price_svc.shelf")


class Shelf:
    """The collection `unfinished_bars`. A document is true for the place in TICKS that it names, so that an old one does no harm:
    who takes it reads on from there."""

    def __init__(self, database: Database, preparation: Preparation) -> None:
        self._database, self._preparation = database, preparation

    async def load(self, partition: int) -> Unfinished | None:
        """Return what was left of a partition; None when nothing was. Raises DatabaseUnavailable."""
        found = await self._database.read(self._database.collection(NAME).find_one({"_id": partition}))
        try:
            return None if found is None else unfinished_from(found)
        except (LookupError, TypeError, ValueError) as error:
            logger.error("unfinished bars cannot be read", partition=partition, exc_info=error)
            return None

    async def save(self, partition: int, left: Unfinished) -> None:
        """Leave something instead of what was left before. Raises DatabaseUnavailable."""
        # Nobody writes before all is made.
        await self._preparation.expiry()
        writing = self._database.collection(NAME).replace_one(
            {"_id": partition}, unfinished_to(partition, left), upsert=True
        )
        try:
            await self._database.read(writing)
        except (PyMongoError, BSONError, OverflowError) as error:
            # A bar that cannot even be encoded is no reason to die.
            logger.error("unfinished bars not saved", partition=partition, exc_info=error)


def unfinished_to(partition: int, left: Unfinished) -> Document:
    """Return the document: rows instead of fields, as it is written again and again."""
    return {
        "_id": partition,
        "position": left.position,
        "versions": [[symbol, epoch, seq] for symbol, (epoch, seq) in left.versions.items()],
        "bars": [list(bar) for bar in left.bars],
    }


def unfinished_from(document: Document) -> Unfinished:
    """Return what is in a document."""
    return Unfinished(
        [Bar(*row) for row in document["bars"]],
        {symbol: (epoch, seq) for symbol, epoch, seq in document.get("versions", ())},
        document.get("position"),
    )
