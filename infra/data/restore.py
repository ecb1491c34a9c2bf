"""Writing back: a whole backup into databases that hold nothing, and a look at whether all of it is there."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

from bson.json_util import CANONICAL_JSON_OPTIONS, loads
from bson.raw_bson import RawBSONDocument

from infra.data import dump, manifest
from infra.data.manifest import Copy, Kept, Manifest, UnusableBackup
from infra.data.server import Client, Place, opened, raw_collection

BATCH = 500
ACTOR = "infra.data restore"
# Of an index's description what the server adds by itself.
_ADDED = frozenset({"v", "ns"})


class NotEmpty(Exception):
    """There is something where the backup is to go; nothing was written."""


class NotTheSame(Exception):
    """What was written back is not what the backup holds."""


def check(folder: Path) -> Manifest:
    """Return what a backup holds, after every file was found to be what was written. Raises UnusableBackup."""
    known = manifest.read(folder)
    for copy in known.copies:
        for kept in copy.collections:
            dump.check(dump.file_of(folder, copy.service, kept.name), kept)
    return known


def put_back(folder: Path, places: Sequence[Place], *, tls_ca: str, halt: bool) -> Manifest:
    """Write a backup into empty databases and see that all is there.

    With `halt` the gateway sends no new orders until an operator resumes. Raises UnusableBackup and NotEmpty before anything is
    written, and NotTheSame.
    """
    known = check(folder)
    copies = {copy.service: copy for copy in known.copies}
    if missing := [place.service for place in places if place.service not in copies]:
        raise UnusableBackup(f"{folder} holds nothing of {', '.join(missing)}")
    for place in places:
        with opened(place.url, tls_ca=tls_ca) as client:
            _see_that_it_is_empty(client, place)
    for place in places:
        with opened(place.url, tls_ca=tls_ca) as client:
            _put_back_database(folder, client, place, copies[place.service])
            if halt and place.service == "exchange_gw":
                _halt(client, place, known.create_time)
    return known


def _see_that_it_is_empty(client: Client, place: Place) -> None:
    if names := sorted(client.get_database(place.database).list_collection_names()):
        raise NotEmpty(
            f"the database {place.database} of {place.service} is not empty ({', '.join(names)}): stop the services, look at what "
            "is there, and drop it"
        )


def _put_back_database(folder: Path, client: Client, place: Place, copy: Copy) -> None:
    database = client.get_database(place.database)
    descriptions = {kept.name: _metadata(folder, copy.service, kept.name) for kept in copy.collections}
    # All of them before anything is written: see the services' own preparations.
    for name, description in descriptions.items():
        database.create_collection(name, **description["options"])
    for kept in copy.collections:
        collection = raw_collection(client, place.database, kept.name)
        documents = dump.read(dump.file_of(folder, copy.service, kept.name))
        while batch := list(islice(documents, BATCH)):
            collection.insert_many(batch, ordered=False)
        _make_indexes(client, place, kept.name, descriptions[kept.name])
        _compare(collection.find({}), place, kept, is_plain=descriptions[kept.name]["type"] == "collection")


def _metadata(folder: Path, service: str, name: str) -> dict[str, Any]:
    text = (folder / service / f"{name}.metadata.json").read_text(encoding="utf-8")
    read: dict[str, Any] = loads(text, json_options=CANONICAL_JSON_OPTIONS)
    return read


def _make_indexes(client: Client, place: Place, name: str, description: dict[str, Any]) -> None:
    wanted = [
        {field: value for field, value in index.items() if field not in _ADDED}
        for index in description["indexes"]
        if index["name"] != "_id_"
    ]
    if wanted:
        client.get_database(place.database).command("createIndexes", name, indexes=wanted)


def _compare(found: Iterator[RawBSONDocument], place: Place, kept: Kept, *, is_plain: bool) -> None:
    digest = dump.Digest()
    for document in found:
        digest.add(document)
    # A time series puts the fields of its documents into an order of its own.
    if digest.count != kept.documents or (is_plain and digest.hex != kept.content):
        raise NotTheSame(
            f"{place.database}.{kept.name} has {digest.count} documents and the backup {kept.documents}, or they differ: "
            "drop the database and restore again"
        )


def _halt(client: Client, place: Place, made: datetime) -> None:
    """Let nothing new be sent until somebody has compared with the exchange: orders that were on their way at the moment of the
    backup may have been sent since.
    """
    database = client.get_database(place.database)
    now, reason = datetime.now(UTC), f"restored from the backup of {made:%Y-%m-%d %H:%M:%S} UTC"
    state = {"state": "HALTED", "actor": ACTOR, "reason": reason, "update_time": now}
    database.get_collection("settings").replace_one({"_id": "trading_state"}, state, upsert=True)
    act = {"_id": uuid4().hex, "time": now, "actor": ACTOR, "action": "RESTORE", "reason": reason, "detail": {}}
    database.get_collection("audit").insert_one(act)
