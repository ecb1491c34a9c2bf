"""One seed, one history: build the world, let clients and faults at it, wait until it rests, check."""

import asyncio
import os
import random
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import structlog

from tests.simulation.clients import Clients
from tests.simulation.faults import Faults
from tests.simulation.invariants import Invariants
from tests.simulation.rooms import GatewayRoom, OrderRoom, live
from tests.simulation.world import Host, World
from tests.simulation.world_clock import BIRTH, Stuck, VirtualLoop

STORM_SECONDS = 8.0
REST_SECONDS = 240.0
LOOK_SECONDS = 0.5


@dataclass
class Outcome:
    """What came of a run; it is good if nothing was violated."""

    seed: int
    violations: list[str]
    trace: list[str]
    orders: int = 0
    acceptances: int = 0
    deaths: int = 0
    virtual_seconds: float = 0.0
    kinds: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Tell whether everything held."""
        return not self.violations


@dataclass
class Rooms:
    """What runs; a mutant replaces one of them."""

    order: Callable[[World], Any] = OrderRoom
    gateway: Callable[[World], Any] = GatewayRoom


def simulate(seed: int, rooms: Rooms | None = None) -> Outcome:
    """Run one seed and return what came of it."""
    loop = VirtualLoop()
    # What a buried task still says concerns nobody; what fails in a living process ends it.
    loop.set_exception_handler(lambda _loop, _context: None)
    with _one_chance(loop, seed):
        try:
            return loop.run_until_complete(_run(World(loop, seed), rooms or Rooms()))
        finally:
            _bury(loop)
            loop.close()


async def _run(world: World, rooms: Rooms) -> Outcome:
    world.trace.capture()
    chance = random.Random(world.seed + 3)
    orders = [Host(world, f"orders-{n}", rooms.order, live) for n in range(chance.choice([1, 2]))]
    gateways = [Host(world, f"gateway-{n}", rooms.gateway, live) for n in range(chance.choice([1, 2]))]
    world.hosts = [*orders, *gateways]
    for host in world.hosts:
        host.start()
    await asyncio.sleep(0.5)
    clients = Clients(world, orders, chance)
    invariants = Invariants(world, clients)
    faults = Faults(world, orders, gateways, chance)
    clients.begin(accounts=2, orders=chance.randint(2, 10), seconds=STORM_SECONDS / 2)
    try:
        await faults.rage(STORM_SECONDS)
        faults.stop()
        await _rest(world, invariants)
    except Exception as error:
        world.violated(repr(error))
    invariants.check_exchange()
    invariants.check_clients()
    invariants.check_updates()
    return Outcome(
        world.seed,
        world.violations,
        world.trace.lines,
        orders=len(world.orders.orders),
        acceptances=sum(world.exchange.book.acceptances.values()),
        deaths=sum(host.deaths for host in world.hosts),
        virtual_seconds=world.loop.time(),
        kinds=faults.kinds,
    )


async def _rest(world: World, invariants: Invariants) -> None:
    """Return when nothing is left to do; that it never comes to rest is a violation, too."""
    deadline = world.loop.time() + REST_SECONDS
    while unfinished := invariants.unfinished():
        if world.violations:
            return
        if world.loop.time() > deadline:
            for what in unfinished:
                world.violated(f"never came to rest: {what}")
            return
        await asyncio.sleep(LOOK_SECONDS)


@contextmanager
def _one_chance(loop: VirtualLoop, seed: int) -> Iterator[None]:
    """Let the seed decide whatever the code leaves to chance or to the clock."""
    state, urandom = random.getstate(), random.Random(seed + 4)
    random.seed(seed)
    born = int(BIRTH.timestamp() * 1e9)
    before = structlog.get_config()
    with (
        patch.object(os, "urandom", urandom.randbytes),
        patch.object(time, "monotonic", loop.time),
        patch.object(time, "time", lambda: born / 1e9 + loop.seconds),
        patch.object(time, "time_ns", lambda: born + int(loop.seconds * 1e9)),
    ):
        try:
            yield
        finally:
            random.setstate(state)
            structlog.configure(**before)


def _bury(loop: VirtualLoop) -> None:
    """End all tasks, dead processes' too, so that nothing of this run is left."""
    # A coroutine whose process died before its first step is not forgotten by mistake.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        _end_all(loop)


def _end_all(loop: VirtualLoop) -> None:
    loop.bury()
    for _ in range(20):
        left = [task for task in asyncio.all_tasks(loop) if not task.done()]
        if not left:
            return
        for task in left:
            task.cancel()
        loop.bury()
        try:
            loop.run_until_complete(asyncio.sleep(10.0))
        except (Stuck, RuntimeError):
            return
