"""Faults by chance: a seed picks which kinds occur in a run, and when. They stop, and then everything must come to rest."""

import asyncio
import random
from collections.abc import Callable, Sequence

from runtime.subjects import ORDER_PARTITIONS
from tests.simulation.network import Cut, Server, Weather
from tests.simulation.world import Host, World
from tests.simulation.world_clock import Life

assert ORDER_PARTITIONS  # the bus of the models is the system's


class Faults:
    """What goes wrong in one run."""

    def __init__(self, world: World, orders: Sequence[Host], gateways: Sequence[Host], chance: random.Random) -> None:
        self._world, self._orders, self._gateways, self._chance = world, orders, gateways, chance
        every = sorted(self._kinds())
        self.kinds = [kind for kind in every if chance.random() < 0.4] or [chance.choice(every)]
        self._habits()

    def _kinds(self) -> dict[str, Callable[[], None]]:
        return {
            "kill order service": lambda: self._kill(self._orders),
            "kill gateway": lambda: self._kill(self._gateways),
            "freeze order service": lambda: self._freeze(self._orders),
            "freeze gateway": lambda: self._freeze(self._gateways),
            "crash between steps": self._crash,
            "cut link": self._cut,
            "stop server": self._stop,
            "lose messages": self._lose,
            "slow network": self._slow,
            "wipe broker": self._wipe_broker,
            "forget message ids": self._world.broker.forget_ids,
            "wipe redis": self._world.redis.clear,
            "roll oplog": self._world.orders.roll,
            "wipe relay token": self._wipe_token,
            "cut exchange": self._world.exchange.cut,
            "silent exchange": self._silence,
        }

    def _habits(self) -> None:
        """Pick how the exchange is in this run."""
        habits, chance = self._world.exchange.book.habits, self._chance
        habits.duplicates_detected = chance.random() < 0.3
        for name in ("doubled", "shuffled", "dropped", "cut_before", "cut_after"):
            setattr(habits, name, chance.choice([0.0, 0.0, 0.05, 0.3]))
        if chance.random() < 0.5:
            habits.cut_before = habits.cut_after = 0.0

    async def rage(self, seconds: float) -> None:
        """Do harm for some time."""
        acts, loop = self._kinds(), self._world.loop
        end = loop.time() + seconds
        while loop.time() < end:
            await asyncio.sleep(self._chance.random() * 1.5)
            kind = self._chance.choice(self.kinds)
            self._world.trace.say("FAULT", kind)
            acts[kind]()

    def stop(self) -> None:
        """Have everything work from now on."""
        self._world.trace.say("FAULT", "all faults are over")
        self._world.network.weather = Weather()
        habits = self._world.exchange.book.habits
        habits.doubled = habits.shuffled = habits.dropped = habits.cut_before = habits.cut_after = (
            habits.silent_until
        ) = 0.0
        for host in [*self._orders, *self._gateways]:
            if host.process is not None and host.process.life is Life.FROZEN:
                host.thaw(host.process)
            host.start()

    def _one(self, hosts: Sequence[Host]) -> Host:
        return self._chance.choice(list(hosts))

    def _kill(self, hosts: Sequence[Host]) -> None:
        self._one(hosts).kill(again_after=self._chance.choice([0.05, 1.0, 5.0]))

    def _freeze(self, hosts: Sequence[Host]) -> None:
        self._one(hosts).freeze(self._chance.choice([0.5, 3.0, 12.0]))

    def _for_a_while(self, undo: Callable[[], object]) -> None:
        self._world.loop.later(self._chance.choice([0.2, 1.0, 3.0]), undo)

    def _crash(self) -> None:
        weather = self._world.network.weather
        weather.crash = 0.03
        self._for_a_while(lambda: setattr(weather, "crash", 0.0))

    def _cut(self) -> None:
        host = self._one([*self._orders, *self._gateways])
        near = (
            [Server.ORDERS_DATABASE, Server.REDIS]
            if host in self._orders
            else [Server.GATEWAY_DATABASE, Server.EXCHANGE]
        )
        key = host.name, self._chance.choice([Server.BROKER, *near])
        cuts = self._world.network.weather.cuts
        cuts[key] = self._chance.choice(list(Cut))
        self._world.trace.say("FAULT", f"{key} {cuts[key]}")
        self._for_a_while(lambda: cuts.pop(key, None))

    def _stop(self) -> None:
        server = self._chance.choice(list(Server))
        down = self._world.network.weather.down
        down.add(server)
        self._world.trace.say("FAULT", f"{server} is down")
        if server is Server.EXCHANGE:
            self._world.exchange.cut()
        self._for_a_while(lambda: down.discard(server))

    def _lose(self) -> None:
        weather = self._world.network.weather
        weather.loss = self._chance.choice([0.01, 0.1, 0.3])
        self._for_a_while(lambda: setattr(weather, "loss", 0.0))

    def _slow(self) -> None:
        weather = self._world.network.weather
        weather.slow, weather.slow_seconds = self._chance.choice([0.1, 0.5]), self._chance.choice([0.1, 1.0, 4.0])
        self._for_a_while(lambda: setattr(weather, "slow", 0.0))

    def _wipe_broker(self) -> None:
        # Rare: each one takes with it what the updates of before could prove.
        if self._chance.random() < 0.4:
            self._world.broker.wipe()

    def _wipe_token(self) -> None:
        database = self._world.orders
        database.token, database.epoch, database.mark = None, 0, ""

    def _silence(self) -> None:
        habits = self._world.exchange.book.habits
        habits.silent_until = self._world.loop.time() + self._chance.choice([0.5, 2.0, 6.0])
