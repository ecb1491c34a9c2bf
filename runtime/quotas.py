"""Limits that all replicas of a service share, kept in Redis: rates of work, and places that are taken and given back.

Nobody waits for Redis but who takes a place, and nobody is refused because it is away: then each replica goes by what it sees.
"""

import asyncio
import time
from collections.abc import Sequence

from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from redis.asyncio import Redis
from redis.exceptions import RedisError

from runtime import logs
from runtime.batching import Batcher, TooBusy

# A rate is counted over this many seconds, so that a busy moment is no offence.
WINDOW_SECONDS = 10
# How late replicas may learn of one another's work.
REPORT_SECONDS = 0.2
# Accounts told to Redis in one round; the rest waits for the next.
KEYS_PER_ROUND = 500
# A place of a replica that died is free after this.
PLACE_SECONDS = 60.0
RENEW_SECONDS = 15.0
PLACES_PER_CALL = 500
TAKE_SECONDS = 0.5
# After a failure Redis is left alone for so long.
PAUSE_SECONDS = 2.0

# Redis' own clock counts: replicas' clocks differ.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""
_NO_LIMIT = 1 << 40
# What the drivers raise when the server is away, and what a time-out of ours raises.
_AWAY = (RedisError, OSError, TimeoutError)

logger = logs.get_logger("runtime.quotas")


class _Link:
    """Whether Redis is worth a question now. Says once that it is away, and once that it is back."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._away_until = 0.0

    @property
    def is_away(self) -> bool:
        return asyncio.get_running_loop().time() < self._away_until

    def lose(self, error: BaseException) -> None:
        if not self._away_until:
            logger.warning("limits are not shared now", what=self._what, error=type(error).__name__)
        self._away_until = asyncio.get_running_loop().time() + PAUSE_SECONDS

    def find(self) -> None:
        if self._away_until:
            logger.info("limits are shared again", what=self._what)
        self._away_until = 0.0


class SharedRate:
    """Work of each key, counted over all replicas. Work is noted here and told to Redis in the background, so it costs no time.

    A replica learns within `REPORT_SECONDS` that the others have used a key up; until then it lets through what its own limit does.
    """

    def __init__(self, redis: Redis, name: str, *, per_second: float) -> None:
        self._name = name
        storage = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix="limits",
            # The library hands it on; its annotation knows only plain values.
            connection_pool=redis.connection_pool,  # type: ignore[arg-type]
        )
        self._limiter = FixedWindowRateLimiter(storage)
        self._limit = RateLimitItemPerSecond(max(round(per_second * WINDOW_SECONDS), 1), WINDOW_SECONDS)
        self._link = _Link(name)
        self._noted: dict[str, int] = {}
        self._free_at: dict[str, float] = {}

    def note(self, key: str) -> None:
        """Count one piece of work that was let through."""
        self._noted[key] = self._noted.get(key, 0) + 1

    def wait_seconds(self, key: str) -> float:
        """Return how long a key must wait because all replicas together have used it up; 0 when it need not."""
        free_at = self._free_at.get(key)
        return 0.0 if free_at is None else max(free_at - asyncio.get_running_loop().time(), 0.0)

    async def run(self) -> None:
        """Tell Redis what was noted, for ever."""
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            now = asyncio.get_running_loop().time()
            self._free_at = {key: free_at for key, free_at in self._free_at.items() if free_at > now}
            noted, self._noted = self._noted, {}
            # What could not be told is forgotten: it would be counted at the wrong time.
            if noted and not self._link.is_away:
                await self._tell(list(noted.items())[:KEYS_PER_ROUND])

    async def _tell(self, noted: Sequence[tuple[str, int]]) -> None:
        try:
            for key, count in noted:
                # Also what is above the limit counts: it was let through.
                if not await self._limiter.hit(self._limit, self._name, key, cost=count):
                    await self._shut(key)
        except _AWAY as error:
            self._link.lose(error)
        else:
            self._link.find()

    async def _shut(self, key: str) -> None:
        window = await self._limiter.get_window_stats(self._limit, self._name, key)
        seconds = min(max(window.reset_time - time.time(), REPORT_SECONDS), WINDOW_SECONDS)
        self._free_at[key] = asyncio.get_running_loop().time() + seconds


class Places:
    """Places of each key that members take and give back, counted over all replicas. Concurrent callers share one call to Redis."""

    def __init__(self, redis: Redis, name: str, *, limit: int) -> None:
        self._redis, self._name, self._limit = redis, name, limit
        self._link = _Link(name)
        self._held: dict[str, str] = {}
        self._given_back: dict[str, str] = {}
        self._batcher: Batcher[tuple[str, str], bool] = Batcher(
            self._take_all, max_items=PLACES_PER_CALL, max_wait=0.001
        )

    async def take(self, key: str, member: str) -> bool:
        """Give a member a place of a key and return True; False when all are taken. True as well while Redis is away."""
        taken = True
        if not self._link.is_away:
            try:
                async with asyncio.timeout(TAKE_SECONDS):
                    taken = await self._batcher.add((key, member))
            except (*_AWAY, TooBusy) as error:
                self._link.lose(error)
        if taken:
            self._held[member] = key
        return taken

    def give_back(self, member: str) -> None:
        """Free the place of a member; it does not matter whether it has one. Redis hears of it within a moment."""
        key = self._held.pop(member, None)
        if key is not None:
            self._given_back[member] = key

    async def run(self) -> None:
        """Keep the places that are held, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._batcher.run())
            group.create_task(self._keep())

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        renewed_at = loop.time()
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            given_back, self._given_back = list(self._given_back.items()), {}
            try:
                for at in range(0, len(given_back), PLACES_PER_CALL):
                    await self._free(given_back[at : at + PLACES_PER_CALL])
                if loop.time() - renewed_at > RENEW_SECONDS:
                    renewed_at = loop.time()
                    await self._renew()
            except _AWAY as error:
                # Places that were not freed end by themselves.
                self._link.lose(error)

    async def _renew(self) -> None:
        held = [(key, member) for member, key in self._held.items()]
        for at in range(0, len(held), PLACES_PER_CALL):
            part = held[at : at + PLACES_PER_CALL]
            await self._take_all(part, limit=_NO_LIMIT)
            # Whoever left in the meantime must not be kept.
            await self._free([(member, key) for key, member in part if member not in self._held])

    async def _take_all(self, wanted: Sequence[tuple[str, str]], *, limit: int = 0) -> list[bool | Exception]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for key, member in wanted:
                pipeline.eval(_TAKE, 1, self._place(key), member, limit or self._limit, int(PLACE_SECONDS * 1000))
            answers = await pipeline.execute()
        self._link.find()
        return [bool(answer) for answer in answers]

    async def _free(self, members: Sequence[tuple[str, str]]) -> None:
        if not members:
            return
        async with self._redis.pipeline(transaction=False) as pipeline:
            for member, key in members:
                pipeline.zrem(self._place(key), member)
            await pipeline.execute()

    def _place(self, key: str) -> str:
        return f"places:{self._name}:{key}"
