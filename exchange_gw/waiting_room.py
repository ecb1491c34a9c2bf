"""The database's part in hearing commands: those that wait for long are parked in it, and those that kill us leave a mark."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from msgspec import Struct, structs
from pymongo import ASCENDING
from pymongo.errors import BulkWriteError

from exchange_gw.command import Command
from exchange_gw.store import duplicates_of
from runtime.databases import Database, Document

CHUNK = 500


class Parked(Struct, frozen=True):
    """A command that waits outside the broker: `place` is where it stood on its stream, `until` when to look at it again."""

    place: str
    command: Command
    until: datetime | None


class WaitingRoom:
    """Parked commands and marks in MongoDB. `read` turns the bytes of a command back into it. All raise DatabaseUnavailable."""

    def __init__(self, database: Database, read: Callable[[bytes], Command]) -> None:
        self._database, self._read = database, read
        self._parked, self._marks = database.collection("parked"), database.collection("sessions")

    async def prepare(self) -> None:
        """Make the index by which commands are found whose time has come; the collection is nearly always empty."""
        await self._database.ensure_collections("parked")
        await self._database.read(self._parked.create_index([("group", ASCENDING), ("until", ASCENDING)]))

    async def park(self, group: int, waiting: Sequence[Parked]) -> None:
        """Keep commands; one that is kept already stays."""
        documents = [
            {
                "_id": f"{group}~{one.place}",
                "group": group,
                "until": one.until,
                "command": one.command.raw,
                "commit_time": one.command.commit_time,
                "publish_time": one.command.publish_time,
            }
            for one in waiting
        ]
        try:
            await self._database.read(self._parked.insert_many(documents, ordered=False))
        except BulkWriteError as error:
            duplicates_of(error)

    async def parked(self, group: int, *, after: str) -> list[Parked]:
        """Return the commands that stood behind a place on the stream, in their order, not too many at once."""
        return await self._find({"_id": {"$gt": f"{group}~{after}", "$lt": f"{group}~\x7f"}}, "_id")

    async def due(self, group: int, now: datetime) -> list[Parked]:
        """Return commands whose time has come, not too many at once."""
        return await self._find({"group": group, "until": {"$lte": now}}, "until")

    async def count(self) -> int:
        """Return how many commands of all groups are parked."""
        return int(await self._database.read(self._parked.count_documents({})))

    async def release(self, group: int, places: Collection[str]) -> None:
        """Let commands go that are done with."""
        names = [f"{group}~{place}" for place in places]
        await self._database.read(self._parked.delete_many({"_id": {"$in": names}}))

    async def deaths(self, group: int) -> dict[int, int]:
        """Return how often we died over a message, by its sequence, with the one that was in hand when we died last."""
        known = await self._database.read(self._marks.find_one({"_id": _mark(group)})) or {}
        deaths = {int(sequence): int(count) for sequence, count in known.get("deaths", {}).items()}
        if in_hand := int(known.get("in_hand", 0)):
            deaths[in_hand] = deaths.get(in_hand, 0) + 1
            await self.clear(group, deaths)
        return deaths

    async def take_in_hand(self, group: int, sequence: int) -> None:
        """Note which message is about to be handled."""
        await self._set_mark(group, {"in_hand": sequence})

    async def clear(self, group: int, deaths: dict[int, int]) -> None:
        """Note that nothing is in hand, and which deaths are still to be held against a message."""
        await self._set_mark(group, {"in_hand": 0, "deaths": {str(one): count for one, count in deaths.items()}})

    async def _set_mark(self, group: int, fields: Document) -> None:
        await self._database.read(self._marks.update_one({"_id": _mark(group)}, {"$set": fields}, upsert=True))

    async def _find(self, wanted: Document, order: str) -> list[Parked]:
        found = await self._database.read(
            self._parked.find(wanted).sort(order, ASCENDING).limit(CHUNK).to_list(length=CHUNK)
        )
        return [Parked(one["_id"].partition("~")[2], self._command(one), one["until"]) for one in found]

    def _command(self, document: Document) -> Command:
        times = {name: document[name] for name in ("commit_time", "publish_time")}
        return structs.replace(self._read(bytes(document["command"])), **times)


def _mark(group: int) -> str:
    return f"commands-{group}"
