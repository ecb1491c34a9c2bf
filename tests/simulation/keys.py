"""A model of NATS KV, as far as leases use it: keys with revisions, that disappear when nobody renews them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import nats.errors
import nats.js.errors
from nats.js import api

from tests.simulation.broker import Broker
from tests.simulation.network import Network, Server


@dataclass(frozen=True)
class Entry:
    """A key's value and its revision."""

    value: bytes
    revision: int


class ModelKeys:
    """A way to the buckets, and a bucket: there is only one. Every time-out is the caller's own."""

    def __init__(self, broker: Broker, network: Network, seconds: float) -> None:
        self._broker, self._network, self._seconds = broker, network, seconds
        self._ttl = 0.0

    async def create_key_value(self, config: api.KeyValueConfig) -> "ModelKeys":
        """Make the bucket if it is not there."""
        self._ttl = config.ttl or 0.0
        await self._ask(lambda: None, "bucket")
        return self

    async def get(self, key: str) -> Entry:
        """Return what a key has. Raises KeyNotFoundError."""

        def look() -> Entry:
            found = self._live(key)
            if found is None:
                raise nats.js.errors.KeyNotFoundError
            return found

        entry: Entry = await self._ask(look, f"key {key}?")
        return entry

    async def create(self, key: str, value: bytes) -> int:
        """Give a key its value if it has none. Raises KeyWrongLastSequenceError."""
        return await self._write(key, value, lambda known: known is None, "create")

    async def update(self, key: str, value: bytes, *, last: int) -> int:
        """Renew a key whose revision is known. Raises KeyWrongLastSequenceError."""
        return await self._write(key, value, lambda known: known is not None and known.revision == last, "update")

    async def delete(self, key: str, *, last: int) -> None:
        """Take a key away whose revision is known."""

        def remove() -> None:
            known = self._live(key)
            if known is None or known.revision != last:
                raise nats.js.errors.KeyWrongLastSequenceError
            self._broker.key_writes += 1
            del self._broker.keys[key]

        await self._ask(remove, f"delete key {key}")

    async def _write(self, key: str, value: bytes, is_right: Callable[[Entry | None], bool], what: str) -> int:
        def write() -> int:
            if not is_right(self._live(key)):
                raise nats.js.errors.KeyWrongLastSequenceError
            self._broker.key_writes += 1
            revision = self._broker.key_writes
            self._broker.keys[key] = value, revision, self._network.loop.time() + self._ttl
            return revision

        revision: int = await self._ask(write, f"{what} key {key}")
        return revision

    def _live(self, key: str) -> Entry | None:
        value, revision, until = self._broker.keys.get(key, (b"", 0, 0.0))
        return Entry(value, revision) if until > self._network.loop.time() else None

    async def _ask(self, effect: Callable[[], Any], what: str) -> Any:
        return await self._network.call(
            Server.BROKER, effect, seconds=self._seconds, away=lambda _: nats.errors.TimeoutError(), what=what
        )
