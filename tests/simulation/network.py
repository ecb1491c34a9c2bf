"""The network between processes and servers: what is said may be late, lost on its way, or done without the answer coming back."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from tests.simulation.trace import Trace
from tests.simulation.world_clock import CURRENT, Process, VirtualLoop

R = TypeVar("R")
REFUSED_SECONDS = 0.001
# Timers of one moment have no order among them.
TICK = 1e-6
# A dead server's host mostly says that nobody listens, and sometimes nothing.
REFUSED_SHARE = 0.7


class Server(StrEnum):
    """The servers and the exchange: each a link's other end."""

    ORDERS_DATABASE = "orders database"
    GATEWAY_DATABASE = "gateway database"
    BROKER = "broker"
    REDIS = "redis"
    EXCHANGE = "exchange"


class Cut(StrEnum):
    """How a link can be cut."""

    BOTH = "both ways"
    THERE = "requests lost"
    BACK = "answers lost"


@dataclass
class Weather:
    """How bad it is: shares are chances for each message, delays in seconds."""

    loss: float = 0.0
    slow: float = 0.0
    slow_seconds: float = 1.0
    crash: float = 0.0
    cuts: dict[tuple[str, Server], Cut] = field(default_factory=dict)
    down: set[Server] = field(default_factory=set)


class Network:
    """Carries calls to servers. `crashed` is told which process shall die between two of its steps."""

    def __init__(self, loop: VirtualLoop, chance: random.Random, trace: Trace) -> None:
        self.loop, self.chance, self.trace = loop, chance, trace
        self.weather = Weather()
        self.crashed: Callable[[Process], None] = lambda process: None
        self._arrivals: dict[tuple[Process | None, Server, bool], float] = {}

    async def call(
        self, server: Server, effect: Callable[[], R], *, seconds: float, away: Callable[[str], Exception], what: str
    ) -> R:
        """Have a server do something and return its answer; what the server raises is raised here.

        Raises `away(…)` when no answer comes: it may be done all the same.
        """
        return await self.start(server, effect, seconds=seconds, away=away, what=what)

    def start(
        self, server: Server, effect: Callable[[], R], *, seconds: float, away: Callable[[str], Exception], what: str
    ) -> "asyncio.Future[R]":
        """Do as `call` does, and return the future of the answer at once."""
        process = CURRENT.get()
        answer: asyncio.Future[R] = self.loop.create_future()
        if self.loop.is_over:
            answer.cancel()
            return answer

        def arrive() -> None:
            if server in self.weather.down:
                return
            result: R | None = None
            error: Exception | None = None
            try:
                result = effect()
            except Exception as failure:
                error = failure
            self._maybe_crash(process, f"after {what}")
            delay = self._delay(process, server, back=True)
            if delay is not None:
                self.loop.later(delay, self._settle, answer, result, error)
            else:
                self.trace.say(server, f"answer to {_name(process)} lost: {what}")

        self._maybe_crash(process, f"before {what}")
        delay = self._delay(process, server, back=False)
        if server in self.weather.down and self.chance.random() < REFUSED_SHARE:
            self.loop.later(REFUSED_SECONDS, self._settle, answer, None, away("connection refused"))
        elif delay is not None:
            self.loop.later(delay, arrive)
        else:
            self.trace.say(_name(process), f"request lost: {what}")
        # The client's own time-out: it passes by the process's clock, so a frozen one hears the answer first.
        timer = self.loop.call_later(seconds, self._settle, answer, None, away(f"no answer: {what}"))
        answer.add_done_callback(lambda _: timer.cancel())
        return answer

    def tell(self, server: Server, effect: Callable[[], object], *, process: Process | None) -> None:
        """Say something to a server that answers nothing."""
        delay = self._delay(process, server, back=False)
        if delay is not None:
            self.loop.later(delay, lambda: server in self.weather.down or effect())

    def push(self, server: Server, process: Process | None, effect: Callable[[], object]) -> bool:
        """Have a server say something to a process; return whether it will arrive."""
        delay = self._delay(process, server, back=True)
        if delay is None:
            return False
        self.loop.later(delay, effect)
        return True

    @staticmethod
    def _settle(answer: "asyncio.Future[Any]", result: Any, error: Exception | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)

    def _delay(self, process: Process | None, server: Server, *, back: bool) -> float | None:
        """Return how long a message takes; None when it is lost. A connection to the broker or the exchange keeps its order."""
        weather, chance = self.weather, self.chance
        cut = weather.cuts.get((_name(process), server))
        if cut is not None and (cut is Cut.BOTH or (cut is Cut.BACK) == back):
            return None
        if chance.random() < weather.loss:
            return None
        delay = 0.0002 + chance.random() * 0.002
        if chance.random() < weather.slow:
            delay += chance.random() * weather.slow_seconds
        if server in (Server.BROKER, Server.EXCHANGE):
            key = (process, server, back)
            arrival = max(self.loop.time() + delay, self._arrivals.get(key, 0.0) + TICK)
            self._arrivals[key] = arrival
            return arrival - self.loop.time()
        return delay

    def _maybe_crash(self, process: Process | None, where: str) -> None:
        if process is not None and process.is_running and self.chance.random() < self.weather.crash:
            self.trace.say(process.name, f"dies {where}")
            self.crashed(process)


def _name(process: Process | None) -> str:
    return process.name if process else "world"
