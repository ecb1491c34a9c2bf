"""Which version a service's database has: kept in it, checked at start, brought up to date by named steps."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pymongo.errors import DuplicateKeyError

from runtime import logs
from runtime.databases import Database
from runtime.errors import FailedPrecondition

COLLECTION = "schema"

logger = logs.get_logger("runtime.schema_version")


class SchemaTooNew(FailedPrecondition):
    """A newer release has changed the database: this one could misread it, so it does not start."""

    reason = "SCHEMA_TOO_NEW"


@dataclass(frozen=True, slots=True)
class Step:
    """What makes of a database of version `to - 1` one of version `to`.

    It must be harmless when it is run again, or by two replicas at once: a process may die behind it, and nobody waits for a lock.
    Releases that still run must be able to read what it leaves.
    """

    to: int
    name: str
    work: Callable[[Database], Awaitable[None]]


async def ensure_version(database: Database, service: str, steps: Sequence[Step] = ()) -> None:
    """Bring a database to the version that this release knows: 1, and one more for each step.

    An empty database has that version at once. Call it before anything else is made or written there: a release that is too old
    must not bring back what a newer one took away. Raises SchemaTooNew and DatabaseUnavailable.
    """
    ours = 1 + len(steps)
    if [step.to for step in steps] != list(range(2, ours + 1)):
        raise ValueError("steps lead from version 1 upwards, one by one")
    is_empty = not await database.collection_names()
    await database.ensure_collections(COLLECTION)
    theirs = await _version(database, service)
    if theirs == 0:
        # What has collections and no version was made before there were versions.
        theirs = await _begin(database, service, ours if is_empty else 1)
    if theirs > ours:
        raise SchemaTooNew(
            f"the database of {service} has schema version {theirs}, and this release knows {ours} at most: start the release that "
            f"it was last used with, or a newer one; or restore a backup of version {ours} into an empty database",
            service=service,
            version=theirs,
            known=ours,
        )
    for step in steps[theirs - 1 :]:
        await step.work(database)
        await _advance(database, service, step)


async def _version(database: Database, service: str) -> int:
    found = await database.read(database.collection(COLLECTION).find_one({"_id": service}))
    return int(found["version"]) if found else 0


async def _begin(database: Database, service: str, version: int) -> int:
    now = datetime.now(UTC)
    document = {"_id": service, "version": version, "create_time": now, "update_time": now}
    try:
        await database.read(database.collection(COLLECTION).insert_one(document))
    except DuplicateKeyError:
        return await _version(database, service)
    return version


async def _advance(database: Database, service: str, step: Step) -> None:
    before = {"_id": service, "version": step.to - 1}
    change = {"$set": {"version": step.to, "step": step.name, "update_time": datetime.now(UTC)}}
    await database.read(database.collection(COLLECTION).update_one(before, change))
    logger.info("schema brought up to date", service=service, version=step.to, step=step.name)
