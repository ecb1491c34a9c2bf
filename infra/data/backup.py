"""Reading: every collection of the services, of one moment for each server, into files."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

from bson.json_util import CANONICAL_JSON_OPTIONS, dumps

from infra.data import dump, manifest
from infra.data.manifest import Copy, Kept, Manifest
from infra.data.server import Client, Moment, Place, one_moment, opened, raw_collection

# A place in the change stream of the server that it was read from; in another it means nothing, or something else. Without one the
# relay looks through the whole outbox.
LEFT_OUT = frozenset({"relay_tokens"})
BATCH = 1_000
Listing: TypeAlias = dict[str, Any]


class FolderInUse(Exception):
    """A backup is not written over another, or among other files."""


def make(folder: Path, places: Sequence[Place], *, tls_ca: str) -> Manifest:
    """Write a backup into an empty or new folder. Raises FolderInUse, OSError and PyMongoError."""
    if folder.exists() and any(folder.iterdir()):
        raise FolderInUse(f"{folder} is not empty")
    folder.mkdir(parents=True, exist_ok=True)
    # It holds accounts and orders in clear.
    folder.chmod(0o700)
    copies: list[Copy] = []
    for url, there in groupby(places, key=lambda place: place.url):
        with opened(url, tls_ca=tls_ca) as client:
            copies += _copy_server(folder, client, list(there))
    made = Manifest(manifest.VERSION, datetime.now(UTC), copies)
    manifest.write(folder, made)
    return made


def _copy_server(folder: Path, client: Client, places: Sequence[Place]) -> list[Copy]:
    # Neither sort of session lists collections; the services make all of theirs at start.
    listings = {place: _listed(client, place) for place in places}
    for place, listing in listings.items():
        (folder / place.service).mkdir(exist_ok=True)
        for collection in listing:
            _write_metadata(folder, client, place, collection)
    with one_moment(client) as moment:
        return [_copy(folder, moment, place, listing) for place, listing in listings.items()]


def _copy(folder: Path, moment: Moment, place: Place, listing: Sequence[Listing]) -> Copy:
    now = datetime.now(UTC)
    schema = moment.client.get_database(place.database).get_collection("schema")
    found = schema.find_one({"_id": place.service}, session=moment.session)
    return Copy(
        service=place.service,
        database=place.database,
        schema_version=found["version"] if found else 0,
        server_version=str(moment.client.server_info()["version"]),
        cut=moment.cut.value,
        read_time=now,
        collections=[_copy_collection(folder, moment, place, one["name"]) for one in listing],
    )


def _copy_collection(folder: Path, moment: Moment, place: Place, name: str) -> Kept:
    collection = raw_collection(moment.client, place.database, name)
    wanted = {"_id": {"$exists": False}} if name in LEFT_OUT else {}
    documents = collection.find(wanted, session=moment.session, batch_size=BATCH)
    return dump.write(dump.file_of(folder, place.service, name), name, documents)


def _listed(client: Client, place: Place) -> list[Listing]:
    listed = map(dict, client.get_database(place.database).list_collections())
    kept = [one for one in listed if one.get("type") != "view" and not str(one["name"]).startswith("system.")]
    return sorted(kept, key=lambda one: str(one["name"]))


def _write_metadata(folder: Path, client: Client, place: Place, listing: Listing) -> None:
    indexes = client.get_database(place.database).get_collection(listing["name"]).list_indexes()
    metadata = {
        "collectionName": listing["name"],
        "type": listing.get("type", "collection"),
        "options": listing.get("options", {}),
        "indexes": [dict(index) for index in indexes],
    }
    path = folder / place.service / f"{listing['name']}.metadata.json"
    path.write_text(dumps(metadata, json_options=CANONICAL_JSON_OPTIONS, indent=2) + "\n", encoding="utf-8")
