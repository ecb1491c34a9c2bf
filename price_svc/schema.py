"""The collections and indexes of price_svc, made at start, and the end of what is old."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import pymongo
from pymongo import IndexModel
from pymongo.errors import OperationFailure

from runtime import logs
from runtime.databases import Database
from runtime.schema_version import ensure_version

# Whose schema version it is, in the collection `schema`.
SERVICE = "price_svc"
# What expired is deleted in slices of so much of its time, one at each sweep, so that nobody waits for it long.
SLICE = timedelta(minutes=10)
# What expired longer ago than this goes at once at the first sweep; there is none unless the service was away that long.
LOOK_BACK = timedelta(days=2)
SHORTEST = timedelta(minutes=1)

Alone: TypeAlias = Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]
"""Runs some work while no other process runs the same, and returns when it is done."""

logger = logs.get_logger("price_svc.schema")


class Expiry:
    """Deletes documents after their `expire_time`.

    Not left to a TTL index: SecantusDB reads the whole collection under its lock every minute for one (seconds at a million
    documents), where this reads an index.
    """

    def __init__(self, database: Database, names: tuple[str, ...]) -> None:
        self._database, self._names = database, names
        self._swept: dict[str, datetime] = {}

    async def sweep(self, now: datetime) -> None:
        """Delete the next slice of what has expired. Raises DatabaseUnavailable."""
        for name in self._names:
            since = self._swept.get(name)
            if since is None:
                since = now - LOOK_BACK
                await self._delete(name, {"$lt": since})
            until = min(since + SLICE, now)
            if until - since >= SHORTEST:
                await self._delete(name, {"$gte": since, "$lt": until})
                since = until
            self._swept[name] = since

    async def _delete(self, name: str, expired: dict[str, datetime]) -> None:
        await self._database.read(self._database.collection(name).delete_many({"expire_time": expired}))


class Preparation:
    """Makes what is missing, once in the life of a process. Nobody writes before: see `prepare`.

    `alone` runs it while no other replica does.
    """

    def __init__(self, database: Database, *, ticks_kept: timedelta, alone: Alone | None = None) -> None:
        self._database, self._ticks_kept, self._alone = database, ticks_kept, alone
        self._expiry: Expiry | None = None
        self._at_it = asyncio.Lock()

    async def expiry(self) -> Expiry:
        """Return who deletes what expired, after all has been made. Raises DatabaseUnavailable."""
        async with self._at_it:
            while self._expiry is None:
                await (self._alone(self._prepare) if self._alone else self._prepare())
        return self._expiry

    async def _prepare(self) -> None:
        self._expiry = await prepare(self._database, ticks_kept=self._ticks_kept)


async def prepare(database: Database, *, ticks_kept: timedelta) -> Expiry:
    """Make what is missing, the collections first: one that is made while another process already writes to it locks SecantusDB
    up, for ever. Ticks are a time-series collection where the server has them. Raises SchemaTooNew and DatabaseUnavailable.
    """
    await ensure_version(database, SERVICE)
    await database.ensure_collections("bars", "unfinished_bars", "instruments", "past_bars")
    by_expiry = IndexModel([("expire_time", pymongo.ASCENDING)])
    await _index(
        database, "bars", IndexModel([(name, pymongo.ASCENDING) for name in ("symbol", "interval", "start")]), by_expiry
    )
    await prepare_past(database)
    if await _make_time_series(database, "ticks", kept=ticks_kept):
        logger.info("ticks are a time-series collection")
        return Expiry(database, ("bars", "past_bars"))
    logger.info("ticks are a plain collection: this server has no time series")
    await _index(database, "ticks", IndexModel([(name, pymongo.ASCENDING) for name in ("symbol", "time")]), by_expiry)
    return Expiry(database, ("bars", "past_bars", "ticks"))


async def prepare_past(database: Database) -> None:
    """Make what loaded bars need. Raises SchemaTooNew and DatabaseUnavailable."""
    by_block = IndexModel([(name, pymongo.ASCENDING) for name in ("symbol", "interval", "block")])
    await _index(database, "past_bars", by_block, IndexModel([("expire_time", pymongo.ASCENDING)]))


async def _index(database: Database, name: str, *indexes: IndexModel) -> None:
    await database.read(database.collection(name).create_indexes(list(indexes)))


async def _make_time_series(database: Database, name: str, *, kept: timedelta) -> bool:
    """Tell whether the collection is a time series; one that is missing is made so where the server can."""
    opened = database.collection(name).database
    seconds = int(kept.total_seconds())
    kind = await _kind(database, name)
    if kind is None:
        series = {"timeField": "time", "metaField": "symbol", "granularity": "seconds"}
        try:
            await database.read(opened.create_collection(name, timeseries=series, expireAfterSeconds=seconds))
        except OperationFailure as error:
            logger.info("no time series", error=str(error)[:200])
        kind = await _kind(database, name)
        if kind == "collection":
            # SecantusDB takes the words and makes a plain collection of them.
            await database.read(opened.drop_collection(name))
    elif kind == "timeseries":
        await database.read(opened.command({"collMod": name, "expireAfterSeconds": seconds}))
    return kind == "timeseries"


async def _kind(database: Database, name: str) -> str | None:
    opened: Any = database.collection(name).database
    listed = await database.read(opened.command({"listCollections": 1, "filter": {"name": name}}))
    found = listed["cursor"]["firstBatch"]
    return found[0].get("type", "collection") if found else None
