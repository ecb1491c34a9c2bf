"""docs/data.md names every collection that the services make, with its indexes, and every stream."""

import re
from datetime import timedelta
from pathlib import Path

import pymongo

from exchange_gw.store import MongoJournal
from exchange_gw.waiting_room import WaitingRoom
from exchange_gw.wire import command_from
from order_svc.store import MongoOrderStore
from order_svc.wire import message_of
from price_svc import schema
from runtime.databases import open_mongo
from runtime.subjects import STREAMS

TEXT = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
SERVICES = ("order_svc", "exchange_gw", "price_svc")


def documented() -> dict[str, set[str]]:
    """Return the indexes that the table names for each collection: the fields of one, joined by commas."""
    found: dict[str, set[str]] = {}
    for line in re.findall(r"^\| `\w+\.\w+` \|.*$", TEXT, re.MULTILINE):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        found[cells[0].strip("`")] = set(re.findall(r"`([^`]+)`", cells[5]))
    return found


async def test_every_collection_is_in_the_table_with_its_indexes(mongo_url: str, database_name: str) -> None:
    async with (
        open_mongo(mongo_url, database=f"{database_name}_order_svc", driver="pymongo") as orders,
        open_mongo(mongo_url, database=f"{database_name}_exchange_gw", driver="pymongo") as gateway,
        open_mongo(mongo_url, database=f"{database_name}_price_svc", driver="pymongo") as prices,
    ):
        await MongoOrderStore(orders, message_of).ensure_indexes()
        await MongoJournal(gateway, command_from).prepare()
        await WaitingRoom(gateway, command_from).prepare()
        await schema.prepare(prices, ticks_kept=timedelta(days=1))
    made: dict[str, set[str]] = {}
    with pymongo.MongoClient[dict[str, object]](mongo_url) as client:
        for service in SERVICES:
            database = client.get_database(f"{database_name}_{service}")
            for name in database.list_collection_names():
                keys = [list(index["key"]) for index in database[name].list_indexes()]
                made[f"{service}.{name}"] = {", ".join(key) for key in keys if key != ["_id"]}

    assert made == documented()


def test_every_stream_is_in_the_table() -> None:
    assert set(re.findall(r"^\| stream `(\w+)`", TEXT, re.MULTILINE)) == set(STREAMS)
