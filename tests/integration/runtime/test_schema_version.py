"""A database says which version it has, and who does not know it leaves it alone."""

from collections.abc import AsyncIterator

import pytest

from runtime.databases import Database, open_mongo
from runtime.schema_version import COLLECTION, SchemaTooNew, Step, ensure_version


@pytest.fixture
async def database(mongo_url: str, database_name: str) -> AsyncIterator[Database]:
    async with open_mongo(mongo_url, database=database_name, driver="pymongo") as opened:
        yield opened


async def version_of(database: Database) -> int:
    found = await database.read(database.collection(COLLECTION).find_one({"_id": "order_svc"}))
    return int(found["version"])


class Work:
    """Steps that write down that they were run."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def step(self, to: int, name: str) -> Step:
        async def work(database: Database) -> None:
            self.done.append(name)

        return Step(to, name, work)


async def test_an_empty_database_has_the_newest_version_at_once(database: Database) -> None:
    work = Work()

    await ensure_version(database, "order_svc", [work.step(2, "split")])

    assert (await version_of(database), work.done) == (2, [])


async def test_an_older_database_is_brought_up_to_date_once_step_by_step(database: Database) -> None:
    work = Work()
    steps = [work.step(2, "split"), work.step(3, "fill in")]
    await ensure_version(database, "order_svc")

    await ensure_version(database, "order_svc", steps[:1])
    await ensure_version(database, "order_svc", steps)
    await ensure_version(database, "order_svc", steps)

    assert (await version_of(database), work.done) == (3, ["split", "fill in"])


async def test_a_database_from_before_there_were_versions_has_the_first(database: Database) -> None:
    work = Work()
    await database.ensure_collections("orders")

    await ensure_version(database, "order_svc", [work.step(2, "split")])

    assert (await version_of(database), work.done) == (2, ["split"])


async def test_a_step_that_failed_is_run_again(database: Database) -> None:
    async def fail(database: Database) -> None:
        raise RuntimeError("half way")

    work = Work()
    await ensure_version(database, "order_svc")
    with pytest.raises(RuntimeError):
        await ensure_version(database, "order_svc", [work.step(2, "split"), Step(3, "fill in", fail)])
    assert await version_of(database) == 2

    await ensure_version(database, "order_svc", [work.step(2, "split"), work.step(3, "fill in")])

    assert (await version_of(database), work.done) == (3, ["split", "fill in"])


async def test_a_newer_database_is_refused_with_a_sentence_that_says_what_to_do(database: Database) -> None:
    await ensure_version(database, "order_svc", [Work().step(2, "split")])

    with pytest.raises(SchemaTooNew, match=r"has schema version 2, and this release knows 1 .* start the release"):
        await ensure_version(database, "order_svc")
    assert await version_of(database) == 2
