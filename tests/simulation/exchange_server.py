"""The model of the exchange as a server: who is logged on, what it says to them and when, and the market that fills orders."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from exchange_gw.exchange import ExecType, Execution, OrderEvent
from tests.simulation.exchange import Book, Resting
from tests.simulation.network import TICK, Network, Server
from tests.simulation.trace import Trace
from tests.simulation.world_clock import Process, VirtualLoop

HEARTBEAT_SECONDS = 2.0
NO_LINE = 0


@dataclass
class Line:
    """The exchange's end of a session."""

    number: int
    process: Process | None
    arrive: Callable[[int, list[OrderEvent]], None]
    over: Callable[[int], None]
    heard_at: float


class Exchange:
    """The exchange as a server: its book, who is logged on, and the market that fills orders."""

    def __init__(self, loop: VirtualLoop, network: Network, chance: random.Random, trace: Trace) -> None:
        self._loop, self._network, self._chance, self._trace = loop, network, chance, trace
        self.book = Book(chance, loop.now, self._say)
        self.line: Line | None = None
        self._numbers = 0
        self._spoken_at = 0.0

    def log_on(
        self, process: Process | None, arrive: Callable[[int, list[OrderEvent]], None], over: Callable[[int], None]
    ) -> int:
        """Begin a session, unless another member's stands; return its number, 0 when refused."""
        line = self.line
        if (
            line is not None
            and line.process is not process
            and self._loop.time() - line.heard_at < 2 * HEARTBEAT_SECONDS
        ):
            return NO_LINE
        self.cut()
        self._numbers += 1
        self.line = Line(self._numbers, process, arrive, over, self._loop.time())
        self._trace.say("exchange", f"session {self._numbers} with {process.name if process else '?'}")
        return self._numbers

    def hear(self, number: int, request: Callable[[], None], what: str) -> None:
        """Take a message of a session, if it is the one that stands."""
        if self.line is None or self.line.number != number or Server.EXCHANGE in self._network.weather.down:
            self._trace.say("exchange", f"not heard, session {number} is over: {what}")
            return
        self.line.heard_at = self._loop.time()
        habits = self.book.habits
        if what.startswith("D ") and self._chance.random() < habits.cut_before:
            self.cut()
            return
        if what != "ping":
            self._trace.say("exchange", f"hears {what}")
        request()
        if what.startswith("D ") and self._chance.random() < habits.cut_after:
            self._trace.say("exchange", f"cuts the line after {what}")
            self.cut()

    def cut(self) -> None:
        """End the session; the member hears of it, if the network lets it."""
        line, self.line = self.line, None
        if line is not None:
            self._trace.say("exchange", f"session {line.number} is over")
            self._network.push(Server.EXCHANGE, line.process, lambda: line.over(line.number))

    def _say(self, events: list[OrderEvent]) -> None:
        """Report to who is logged on: late, twice, or in another order, as the habits are."""
        habits = self.book.habits
        for event in events:
            live = isinstance(event, Execution) and event.exec_type is not ExecType.STATUS
            if live and self._chance.random() < habits.dropped:
                self._trace.say("exchange", f"drops {_words(event)}")
                continue
            self._market(event)
            copies = 2 if self._chance.random() < habits.doubled else 1
            for _ in range(copies):
                if self._chance.random() < habits.shuffled:
                    self._loop.later(self._chance.random() * 2.0, self._send, event)
                else:
                    self._in_turn(event)

    def answer(self, events: Sequence[OrderEvent]) -> None:
        """Answer a question, in order."""
        for event in events:
            self._in_turn(event)

    def _in_turn(self, event: OrderEvent) -> None:
        now = self._loop.time()
        self._spoken_at = max(now, self.book.habits.silent_until, self._spoken_at + TICK)
        self._loop.later(self._spoken_at - now, self._send, event)

    def _send(self, event: OrderEvent) -> None:
        line = self.line
        if line is None or Server.EXCHANGE in self._network.weather.down:
            return
        self._trace.say("exchange", f"says {_words(event)}")
        if not self._network.push(Server.EXCHANGE, line.process, lambda: line.arrive(line.number, [event])):
            # A stream of bytes has no holes: a lost one ends it.
            self.cut()

    def _market(self, event: OrderEvent) -> None:
        """Let an order that was just taken be traded, at some time, in some parts; or rest."""
        if not isinstance(event, Execution) or event.exec_type not in (ExecType.NEW, ExecType.REPLACED):
            return
        order = next(one for one in self.book.orders if event.exchange_order_id == one.exchange_order_id)
        if self._chance.random() < 0.25:
            return
        for _ in range(self._chance.randint(1, 3)):
            delay = self._chance.choice([0.0, 0.001, 0.5, 4.0]) * self._chance.random()
            quantity = self._chance.randint(1, max(order.quantity, 1))
            self._loop.later(delay, self.book.fill, order, quantity)
        if self._chance.random() < 0.2:
            self._loop.later(self._chance.random() * 5.0, self._end, order)

    def _end(self, order: Resting) -> None:
        self.book.expire(order)


def _words(event: OrderEvent) -> str:
    if isinstance(event, Execution):
        return f"{event.exec_type} {event.cl_ord_id} {event.status.name} {event.exec_id} {event.last_quantity or ''}"
    return repr(event)[:120]
