"""Which replicas of the price service live: each says so twice a second on core NATS, and that it goes when it goes."""

import asyncio
import time
from collections.abc import Callable, Collection
from contextlib import AsyncExitStack
from typing import TypeAlias

from runtime import logs, subjects
from runtime.jetstream import Bus, Heard
from runtime.leases import new_holder

BEAT_SECONDS = 0.5
# Three beats may be lost; who is taken for dead and is not still has its leases.
DEAD_SECONDS = 2.0
GONE = "-"

logger = logs.get_logger("price_svc.presence")

Listener: TypeAlias = Callable[[Collection[str]], None]


class Presence:
    """The living replicas, ourselves among them; `changed` is told of them whenever one comes or goes."""

    def __init__(self, bus: Bus, changed: Listener) -> None:
        self._bus, self._changed = bus, changed
        self.us = new_holder()
        self._heard: dict[str, float] = {}
        self._is_leaving = False
        # When we looked last who is dead.
        self._looked = time.monotonic()

    @property
    def alive(self) -> Collection[str]:
        """Return the names of the living replicas, unless we leave with our own."""
        return self._heard.keys() | ({self.us} if not self._is_leaving else set())

    async def run(self) -> None:
        """Say that we live and look who does, for ever."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._bus.listen(subjects.price_replicas(), self._hear))
            while True:
                await self._say()
                await asyncio.sleep(BEAT_SECONDS)
                self._forget_dead()

    async def leave(self) -> None:
        """Say that we go, so that others take over at once."""
        self._is_leaving = True
        self._changed(self.alive)
        await self._say()

    async def _say(self) -> None:
        mark = GONE if self._is_leaving else ""
        await self._bus.publish_live(subjects.price_replicas(), f"{mark}{self.us}".encode())

    async def _hear(self, heard: Heard) -> None:
        said = heard.payload.decode()
        name = said.removeprefix(GONE)
        if name == self.us:
            return
        if said.startswith(GONE):
            if self._heard.pop(name, None) is not None:
                logger.info("replica gone", replica=name, alive=len(self.alive))
                self._changed(self.alive)
            return
        is_new = name not in self._heard
        self._heard[name] = time.monotonic()
        if is_new:
            logger.info("replica heard", replica=name, alive=len(self.alive))
            self._changed(self.alive)
            # It is to know of us now, not in a second.
            await self._say()

    def _forget_dead(self) -> None:
        now = time.monotonic()
        if now - self._looked > DEAD_SECONDS:
            # It was us who slept; what the others said meanwhile is still to be heard.
            self._heard = dict.fromkeys(self._heard, now)
        self._looked, dead_since = now, now - DEAD_SECONDS
        dead = [name for name, heard in self._heard.items() if heard < dead_since]
        for name in dead:
            del self._heard[name]
        if dead:
            logger.warning("replicas fell silent", replicas=dead, alive=len(self.alive))
            self._changed(self.alive)
