"""MongoDB and Redis, opened for a block. The one module that knows which MongoDB driver is in use (docs/adr/0011)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal, TypeAlias, TypeVar

import pymongo
import redis.asyncio as redis
from prometheus_client import CollectorRegistry, Counter
from pymongo import AsyncMongoClient, ReadPreference
from pymongo.errors import CollectionInvalid, PyMongoError
from pymongo.monitoring import ServerClosedEvent, ServerDescriptionChangedEvent, ServerListener, ServerOpeningEvent
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from runtime import logs
from runtime.errors import Contended, Outcome, Unavailable
from runtime.figures import Reconnects, shared
from runtime.tls import Tls

Driver: TypeAlias = Literal["motor", "pymongo"]
Document: TypeAlias = dict[str, Any]
# Both drivers' collections: the same coroutines under the same names (find, insert_many, bulk_write, …).
Collection: TypeAlias = Any
Session: TypeAlias = Any
R = TypeVar("R")

# An operation outside a transaction ends after this, whatever happens.
OPERATION_SECONDS = 5.0
# A transaction that lost this many races against others gives up: a document may stay locked for as long as a dead client's
# transaction lives, and who waits together with others must not make them wait.
RACES = 10
# What the drivers call a server that does not answer.
UNKNOWN = "Unknown"
# Durable writes, reads from the primary, bounded waits.
_OPTIONS: dict[str, Any] = {
    # On the client, as Motor hands an operation to a thread before anything around the call can set a time.
    "timeoutMS": int(OPERATION_SECONDS * 1000),
    "w": "majority",
    "journal": True,
    "readConcernLevel": "majority",
    "serverSelectionTimeoutMS": 3_000,
    "connectTimeoutMS": 3_000,
    "waitQueueTimeoutMS": 3_000,
    "maxPoolSize": 50,
    "tz_aware": True,
    "retryWrites": True,
}

logger = logs.get_logger("runtime.databases")


class DatabaseUnavailable(Unavailable):
    """The database did not answer in time. Whether a write happened is unknown: ask again with the same key."""

    reason = "DATABASE_UNAVAILABLE"
    outcome = Outcome.UNKNOWN


class Database:
    """One MongoDB database, over Motor or over PyMongo's own asyncio API."""

    def __init__(self, client: Any, name: str, driver: Driver) -> None:
        self._client, self._driver = client, driver
        self._database = client.get_database(name)

    def collection(self, name: str) -> Collection:
        """Return a collection; its methods are the driver's coroutines."""
        return self._database[name]

    async def ping(self) -> None:
        """Ask the server for a sign of life. Raises DatabaseUnavailable."""
        with _told(), pymongo.timeout(OPERATION_SECONDS):
            await self._client.admin.command("ping")

    async def collection_names(self) -> set[str]:
        """Return the names of the collections that exist. Raises DatabaseUnavailable."""
        return set(await self.read(self._database.list_collection_names()))

    async def ensure_collections(self, *names: str) -> None:
        """Make collections that do not exist; made at run time they would abort transactions under way."""
        existing = await self.collection_names()
        for name in names:
            if name not in existing:
                with suppress(CollectionInvalid):
                    await self.read(self._database.create_collection(name))

    async def transaction(self, work: Callable[[Session], Awaitable[R]], *, seconds: float = OPERATION_SECONDS) -> R:
        """Run `work` in one transaction and return what it returns, after the majority has it in its journal.

        `work` may run more than once, so it must do nothing but database operations with the session, one at a time.
        A DuplicateKeyError comes out as it is. Raises Contended after some lost races, and DatabaseUnavailable after `seconds`,
        where the drivers' own helper would go on for 120 s in both cases.
        """
        attempts = 0

        async def attempt(session: Session) -> R:
            nonlocal attempts
            attempts += 1
            if attempts > RACES:
                raise Contended("the database is busy with the same documents", retry_after_seconds=1.0)
            return await work(session)

        try:
            # Motor's helper repeats a commit of unknown outcome without looking at the driver's own time-out.
            async with asyncio.timeout(seconds + 1.0):
                with _told(), pymongo.timeout(seconds):
                    async with await self._start_session() as session:
                        result: R = await session.with_transaction(
                            attempt,
                            read_concern=ReadConcern("snapshot"),
                            write_concern=WriteConcern("majority", j=True),
                            read_preference=ReadPreference.PRIMARY,
                        )
                        return result
        except TimeoutError as error:
            raise DatabaseUnavailable("the database did not answer", retry_after_seconds=1.0) from error

    async def _start_session(self) -> Session:
        session = self._client.start_session()
        return await session if self._driver == "motor" else session

    async def read(self, work: Awaitable[R]) -> R:
        """Return what one operation outside a transaction returns. Raises DatabaseUnavailable."""
        with _told(), pymongo.timeout(OPERATION_SECONDS):
            return await work

    async def watch(
        self, collection: str, pipeline: Sequence[Mapping[str, Any]], *, resume_after: Mapping[str, Any] | None = None
    ) -> Any:
        """Open a change stream (`try_next`, `next`, `resume_token`, `close`) that begins now or after a resume token."""
        stream = self._database[collection].watch(list(pipeline), resume_after=resume_after, max_await_time_ms=1_000)
        return stream if self._driver == "motor" else await stream


class _Returns(ServerListener):
    """Counts servers that were known, were lost, and are there again; called from the drivers' threads."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._known: set[Any] = set()

    def opened(self, event: ServerOpeningEvent) -> None:
        """Nothing: it is not there yet."""

    def description_changed(self, event: ServerDescriptionChangedEvent) -> None:
        """Count a server that is there, and was not just before."""
        is_back = event.previous_description.server_type_name == UNKNOWN != event.new_description.server_type_name
        if is_back and event.server_address in self._known:
            self._counter.inc()
        elif is_back:
            self._known.add(event.server_address)

    def closed(self, event: ServerClosedEvent) -> None:
        """Nothing: we are closing it."""


class _told:  # noqa: N801 - reads as a statement: with _told()
    """Turns the drivers' errors of a dead or slow server into DatabaseUnavailable; errors about the data pass."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, PyMongoError) and (error.timeout or _is_away(error)):
            raise DatabaseUnavailable("the database did not answer", retry_after_seconds=1.0) from error


def _is_away(error: PyMongoError) -> bool:
    return isinstance(error, pymongo.errors.ConnectionFailure | pymongo.errors.ExecutionTimeout) or (
        error.has_error_label("TransientTransactionError") or error.has_error_label("UnknownTransactionCommitResult")
    )


@asynccontextmanager
async def open_mongo(
    url: str, *, database: str, driver: Driver, tls: Tls | None = None, registry: CollectorRegistry | None = None
) -> AsyncIterator[Database]:
    """Open a database; connects on first use. MongoDB must be a replica set, as transactions and change streams need one.

    An address with `tls=true` (or mongodb+srv) is called with TLS; `tls` then says whom to trust, unless the address does. Raises
    TlsError.
    """
    client: Any
    options = _OPTIONS | _mongo_tls(url, tls)
    if registry is not None:
        options["event_listeners"] = [_Returns(shared(registry, Reconnects).of("mongo"))]
    if driver == "motor":
        from motor.motor_asyncio import AsyncIOMotorClient  # noqa: PLC0415 - only who chose it pays for it

        client = AsyncIOMotorClient(url, **options)
    else:
        client = AsyncMongoClient(url, **options)
    try:
        yield Database(client, database, driver)
    finally:
        closing = client.close()
        if closing is not None:
            await closing


def _mongo_tls(url: str, tls: Tls | None) -> dict[str, Any]:
    """Return the drivers' options for the authorities that we trust. Our own certificate would be one file with its key, so
    an address names it itself (tlsCertificateKeyFile).
    """
    asks = "tls=true" in url.lower() or "ssl=true" in url.lower() or url.startswith("mongodb+srv:")
    if not asks or tls is None or not tls.ca or "tlscafile=" in url.lower():
        return {}
    tls.context()
    return {"tlsCAFile": tls.ca}


@asynccontextmanager
async def open_redis(url: str, *, tls: Tls | None = None) -> AsyncIterator["redis.Redis"]:
    """Open Redis. It only makes things faster, so its time-outs are short and its absence is no failure.

    An address that begins with rediss is called with TLS, by the authorities and with the certificate of `tls`. Raises TlsError.
    """
    options: dict[str, Any] = {}
    if url.startswith("rediss:") and tls is not None:
        tls.context()
        files = {"ssl_ca_certs": tls.ca, "ssl_certfile": tls.certificate, "ssl_keyfile": tls.key}
        options = {name: path for name, path in files.items() if path}
    client = redis.Redis.from_url(url, socket_timeout=0.25, socket_connect_timeout=0.25, max_connections=16, **options)
    try:
        yield client
    finally:
        await client.aclose()
