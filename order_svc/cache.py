"""Orders that have ended, in Redis: answers repetitions fast. It may be wiped or dead at any moment; MongoDB decides."""

import time
from collections.abc import Sequence

import bson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from order_svc.documents import Document, document_of, order_from
from order_svc.order import Order
from runtime import logs

# Clients repeat within minutes; older repetitions cost one database read.
KEEP_SECONDS = 600
# After a failure Redis is left alone for this long, so that a dead one costs one time-out and not one a batch.
REST_SECONDS = 2.0
_CODEC: bson.CodecOptions[Document] = bson.CodecOptions(tz_aware=True)

logger = logs.get_logger("order_svc.cache")


class RedisFinished:
    """Remembers finished orders for some minutes, under the name of the database whose orders they are."""

    def __init__(self, redis: Redis, *, database: str) -> None:
        self._redis, self._database = redis, database
        self._rests_until = 0.0

    async def find(self, order_ids: Sequence[str]) -> dict[str, Order]:
        """Return those of the orders that are remembered; nothing when Redis is away."""
        if not order_ids or self._resting:
            return {}
        try:
            values = await self._redis.mget([self._key(order_id) for order_id in order_ids])
        except (RedisError, OSError) as error:
            self._rest(error)
            return {}
        found = [order_from(bson.decode(value, _CODEC)) for value in values if isinstance(value, bytes)]
        return {order.order_id: order for order in found}

    async def remember(self, orders: Sequence[Order]) -> None:
        """Keep finished orders; when Redis is away they are not kept."""
        if not orders or self._resting:
            return
        pipeline = self._redis.pipeline(transaction=False)
        for order in orders:
            pipeline.set(self._key(order.order_id), bson.encode(document_of(order)), ex=KEEP_SECONDS)
        try:
            await pipeline.execute()
        except (RedisError, OSError) as error:
            self._rest(error)

    @property
    def _resting(self) -> bool:
        return time.monotonic() < self._rests_until

    def _rest(self, error: Exception) -> None:
        logger.warning("redis away, repetitions are answered by the database", error=repr(error))
        self._rests_until = time.monotonic() + REST_SECONDS

    def _key(self, order_id: str) -> str:
        return f"{self._database}:order:{order_id}"
