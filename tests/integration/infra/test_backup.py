"""Backup and restore against a real database server: one moment, whole, and only into empty databases."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pymongo
import pytest
from bson import Int64, ObjectId

from infra.data import backup, manifest, restore
from infra.data.dump import file_of
from infra.data.server import Place

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def server(mongo_url: str) -> Iterator["pymongo.MongoClient[dict[str, Any]]"]:
    with pymongo.MongoClient[dict[str, Any]](mongo_url, tz_aware=True) as client:
        yield client


@pytest.fixture
def orders(mongo_url: str, database_name: str) -> Place:
    return Place("order_svc", mongo_url, f"{database_name}_orders")


@pytest.fixture
def gateway(mongo_url: str, database_name: str) -> Place:
    return Place("exchange_gw", mongo_url, f"{database_name}_gateway")


@pytest.fixture
def full(server: "pymongo.MongoClient[dict[str, Any]]", orders: Place, gateway: Place) -> list[Place]:
    """Both services' databases with something in them."""
    database = server.get_database(orders.database)
    for name in ("orders", "outbox", "relay_tokens", "schema", "audit"):
        database.create_collection(name)
    database.orders.create_index([("account_id", 1), ("create_time", -1)])
    rows = [{"_id": f"o{nth}", "account_id": "demo", "create_time": NOW, "quantity": Int64(nth)} for nth in range(300)]
    database.orders.insert_many(rows)
    database.outbox.insert_one({"_id": ObjectId(), "messages": [["e1", "orders.commands.1.demo", b"\x00\xff", {}]]})
    database.relay_tokens.insert_one({"_id": "relay", "token": {"_data": "82"}})
    database.schema.insert_one({"_id": "order_svc", "version": 1})
    other = server.get_database(gateway.database)
    for name in ("journal", "settings", "audit"):
        other.create_collection(name)
    other.journal.insert_one({"_id": "o1", "decision": "SEND", "command": b"bytes"})
    return [orders, gateway]


def drop(server: "pymongo.MongoClient[dict[str, Any]]", places: list[Place]) -> None:
    for place in places:
        server.drop_database(place.database)


def content(server: "pymongo.MongoClient[dict[str, Any]]", place: Place) -> dict[str, list[dict[str, Any]]]:
    database = server.get_database(place.database)
    names = sorted(database.list_collection_names())
    return {name: sorted(database[name].find(), key=lambda one: str(one["_id"])) for name in names}


def test_what_was_backed_up_comes_back_whole_and_halted(
    server: "pymongo.MongoClient[dict[str, Any]]", full: list[Place], tmp_path: Path
) -> None:
    before = [content(server, place) for place in full]
    made = backup.make(tmp_path / "copy", full, tls_ca="")
    assert [(copy.service, copy.schema_version) for copy in made.copies] == [("order_svc", 1), ("exchange_gw", 0)]
    drop(server, full)

    restore.put_back(tmp_path / "copy", full, tls_ca="", halt=True)

    # A place in the old server's change stream would mean nothing in the new one.
    before[0]["relay_tokens"] = []
    after = [content(server, place) for place in full]
    # Orders that were on their way may have been sent since.
    assert [one["state"] for one in after[1].pop("settings")] == ["HALTED"]
    assert [one["action"] for one in after[1].pop("audit")] == ["RESTORE"]
    assert after == [before[0], {"journal": before[1]["journal"]}]
    indexes = server.get_database(full[0].database).orders.index_information()
    assert [("account_id", 1), ("create_time", -1)] in [index["key"] for index in indexes.values()]


def test_nothing_is_written_beside_what_is_there(
    server: "pymongo.MongoClient[dict[str, Any]]", full: list[Place], tmp_path: Path
) -> None:
    backup.make(tmp_path / "copy", full, tls_ca="")
    server.drop_database(full[0].database)

    with pytest.raises(restore.NotEmpty, match="exchange_gw is not empty"):
        restore.put_back(tmp_path / "copy", full, tls_ca="", halt=True)

    assert content(server, full[0]) == {}


def test_a_damaged_or_unfinished_backup_is_neither_restored_nor_written_over(
    server: "pymongo.MongoClient[dict[str, Any]]", full: list[Place], tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    backup.make(folder, full, tls_ca="")
    drop(server, full)
    path = file_of(folder, "exchange_gw", "journal")
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(manifest.UnusableBackup, match=r"journal.bson.gz was changed or damaged"):
        restore.put_back(folder, full, tls_ca="", halt=True)
    assert content(server, full[0]) == {}

    with pytest.raises(backup.FolderInUse):
        backup.make(folder, full, tls_ca="")

    (folder / manifest.NAME).unlink()
    with pytest.raises(manifest.UnusableBackup, match="written last"):
        restore.check(folder)


def test_a_backup_shows_one_moment_of_a_server_that_is_written_to(
    server: "pymongo.MongoClient[dict[str, Any]]", full: list[Place], tmp_path: Path
) -> None:
    """Each transaction writes one document to `audit`, which is read first, and one to the outbox, which is read later."""
    with _writing(server, full[0].database):
        made = backup.make(tmp_path / "copy", full, tls_ca="")

    counts = {kept.name: kept.documents for kept in made.copies[0].collections}
    assert counts["outbox"] == counts["audit"] + 1
    assert server.get_database(full[0].database).audit.count_documents({}) > counts["audit"]


@contextmanager
def _writing(server: "pymongo.MongoClient[dict[str, Any]]", name: str) -> Iterator[None]:
    database, ended, begun = server.get_database(name), threading.Event(), threading.Event()

    def write() -> None:
        while not ended.is_set():
            with server.start_session() as session, session.start_transaction():
                database.audit.insert_one({"_id": ObjectId()}, session=session)
                database.outbox.insert_one({"_id": ObjectId()}, session=session)
            begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert begun.wait(10)
        yield
    finally:
        ended.set()
        writer.join(10)
