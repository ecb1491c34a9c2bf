"""A database server as a backup sees it: who lives there, and one moment of it to read from."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

import pymongo
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.read_concern import ReadConcern

from infra.data.settings import StoredSettings

Client: TypeAlias = "pymongo.MongoClient[dict[str, Any]]"
# In this order: what of two servers is read later knows more. The gateway's journal must know of every order that it has sent
# among those that the backup holds.
SERVICES = ("order_svc", "exchange_gw", "price_svc")
RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
_OPTIONS: dict[str, Any] = {
    "w": "majority",
    "journal": True,
    "readConcernLevel": "majority",
    "serverSelectionTimeoutMS": 5_000,
    "connectTimeoutMS": 5_000,
    "socketTimeoutMS": 60_000,
    "tz_aware": True,
}


class Cut(StrEnum):
    """How one moment of several collections is read."""

    SNAPSHOT = "snapshot session"
    TRANSACTION = "read-only transaction"


@dataclass(frozen=True, slots=True)
class Place:
    """The database of one service."""

    service: str
    url: str
    database: str


def places(settings: StoredSettings, services: Sequence[str]) -> list[Place]:
    """Return where the databases of some services are, in the order in which they are to be read."""
    return [
        Place(name, getattr(settings, f"{name}_url"), getattr(settings, f"{name}_database"))
        for name in SERVICES
        if name in services
    ]


@contextmanager
def opened(url: str, *, tls_ca: str = "") -> Iterator[Client]:
    """Open a server for the block."""
    options = dict(_OPTIONS)
    asks_tls = "tls=true" in url.lower() or url.startswith("mongodb+srv:")
    if asks_tls and tls_ca and "tlscafile=" not in url.lower():
        options["tlsCAFile"] = tls_ca
    client: Client = pymongo.MongoClient(url, **options)
    try:
        yield client
    finally:
        client.close()


def raw_collection(client: Client, database: str, name: str) -> Collection[RawBSONDocument]:
    """Return a collection whose documents stay the bytes that they are."""
    typed: Any = client.get_database(database)
    return Collection(typed, name, codec_options=RAW)


@dataclass(frozen=True, slots=True)
class Moment:
    """A session all of whose reads show the same moment, and how."""

    client: Client
    session: ClientSession
    cut: Cut


@contextmanager
def one_moment(client: Client) -> Iterator[Moment]:
    """Hold one moment of a server for the block.

    MongoDB: in a snapshot session. SecantusDB takes the words and reads each collection as it is by then, but keeps them in a
    transaction, which MongoDB would end after a minute or less.
    """
    if "secantusVersion" not in client.server_info():
        with client.start_session(snapshot=True) as session:
            yield Moment(client, session, Cut.SNAPSHOT)
        return
    with client.start_session() as session:
        session.start_transaction(read_concern=ReadConcern("snapshot"))
        try:
            yield Moment(client, session, Cut.TRANSACTION)
        finally:
            session.abort_transaction()
