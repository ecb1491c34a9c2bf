"""The flaw: whether a key was used is known to Redis alone; one that Redis forgot gets a second order."""

import os
from uuid import uuid4

import redis

from order_svc.identity import order_id_of
from order_svc.placement import Wish
from tests.faults.mutants import put


def apply() -> None:
    """Put it in."""
    client = redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=0.25)
    used: set[str] = set()

    def order_id(wish: Wish) -> str:
        name = f"key:{wish.account_id}:{wish.client_order_id}"
        known = client.get(name)
        if isinstance(known, bytes):
            return str(known.decode())
        first = order_id_of(wish.account_id, wish.client_order_id)
        fresh = order_id_of(wish.account_id, f"{wish.client_order_id}:{uuid4()}") if first in used else first
        used.add(fresh)
        client.set(name, fresh)
        return fresh

    put(Wish, "order_id", property(order_id))
