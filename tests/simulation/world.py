"""One simulated world: servers that last, processes that come and go, and the network between them."""

import asyncio
import random
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from order_svc.order import Order
from runtime.errors import Unavailable
from tests.simulation.broker import Broker
from tests.simulation.exchange_server import Exchange
from tests.simulation.gateway_database import GatewayDatabase
from tests.simulation.network import Network
from tests.simulation.orders_database import OrdersDatabase
from tests.simulation.trace import Trace
from tests.simulation.world_clock import CURRENT, Life, Process, VirtualLoop

RESTART_SECONDS = 0.5


class Violation(AssertionError):
    """Something happened that must never happen."""


class World:
    """The durable part, and the making of processes."""

    def __init__(self, loop: VirtualLoop, seed: int) -> None:
        self.loop, self.seed = loop, seed
        self.chance = random.Random(seed)
        self.trace = Trace(loop.time, lambda: getattr(CURRENT.get(), "name", "world"))
        self.network = Network(loop, random.Random(seed + 1), self.trace)
        self.orders = OrdersDatabase(loop.now)
        self.gateway = GatewayDatabase()
        self.redis: dict[str, Order] = {}
        self.broker = Broker(loop, self.network, self.trace)
        self.exchange = Exchange(loop, self.network, random.Random(seed + 2), self.trace)
        self.hosts: list[Host] = []
        self.violations: list[str] = []
        self.network.crashed = self.crashed

    def violated(self, what: str) -> None:
        """Note that an invariant does not hold."""
        self.trace.say("CHECK", f"violated: {what}")
        self.violations.append(what)

    def crashed(self, process: Process) -> None:
        """Kill a process and have it started again some time later."""
        for host in self.hosts:
            if host.process is process:
                host.kill(again_after=self.chance.choice([0.05, 1.0, 4.0]))


@dataclass
class Host:
    """A place where one kind of process runs, again and again."""

    world: World
    name: str
    make: Callable[[World], Any]
    live: Callable[[Any], Coroutine[Any, Any, None]]
    process: Process | None = None
    room: Any = None
    deaths: int = 0

    def start(self) -> None:
        """Start a process, if none runs."""
        if self.process is not None and self.process.life is not Life.DEAD:
            return
        self.process = Process(self.name)
        self.world.trace.say(self.name, "starts")
        self.world.loop.begin(self._live(self.process), process=self.process, name=self.name)

    async def _live(self, process: Process) -> None:
        try:
            self.room = self.make(self.world)
            await self.live(self.room)
        except asyncio.CancelledError:
            return
        except BaseException as error:
            if self.world.loop.is_over:
                return
            reasons = _leaves(error)
            self.world.trace.say(self.name, f"ends: {reasons}")
            if not all(isinstance(one, Unavailable) for one in reasons):
                self.world.violated(f"{self.name} died of {reasons}")
                for one in reasons:
                    frames = traceback.extract_tb(one.__traceback__)
                    self.world.trace.say(self.name, " < ".join(f"{f.name}:{f.lineno}" for f in reversed(frames)))
        process.life = Life.DEAD
        self.room = None
        self.world.loop.later(RESTART_SECONDS, self.start)

    def kill(self, *, again_after: float) -> None:
        """End the process without a last word, and start another one later. Its connections fall."""
        if self.process is None or self.process.life is Life.DEAD:
            return
        process = self.process
        self.world.trace.say(self.name, "killed")
        process.life, self.room = Life.DEAD, None
        self.deaths += 1
        line = self.world.exchange.line
        if line is not None and line.process is process:
            self.world.loop.later(0.001, self._hang_up, process)
        self.world.loop.later(again_after, self.start)

    def _hang_up(self, process: Process) -> None:
        line = self.world.exchange.line
        if line is not None and line.process is process:
            self.world.exchange.cut()

    def freeze(self, seconds: float) -> None:
        """Stop the process for a while (SIGSTOP); its connections stand."""
        if self.process is None or self.process.life is not Life.RUNNING:
            return
        process = self.process
        self.world.trace.say(self.name, f"frozen for {seconds:.1f} s")
        process.life = Life.FROZEN
        self.world.loop.later(seconds, self.thaw, process)

    def thaw(self, process: Process) -> None:
        """Let it go on."""
        if process.life is Life.FROZEN:
            self.world.trace.say(self.name, "thaws")
            self.world.loop.thaw(process)


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for one in error.exceptions for leaf in _leaves(one)]
    return [error]
