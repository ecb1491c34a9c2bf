"""A gateway's session with the model of the exchange: built up again for ever; what was said in an older one never arrives."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from msgspec import structs

from exchange_gw.command import Asks, Command
from exchange_gw.exchange import (
    ExecType,
    Execution,
    LoggedOn,
    LoggedOut,
    OrderEvent,
    OrdStatus,
    Part,
    Standing,
    TradePart,
    VenueUnreachable,
)
from tests.simulation.exchange_server import HEARTBEAT_SECONDS, NO_LINE, Exchange
from tests.simulation.network import Network, Server
from tests.simulation.world_clock import CURRENT

RETRY_SECONDS = 0.5


class ModelSession:
    """One gateway's session (the port's OrderSession), kept up for ever by `run`."""

    def __init__(
        self, exchange: Exchange, network: Network, hear: Callable[[Sequence[OrderEvent]], Awaitable[None]]
    ) -> None:
        self._exchange, self._network, self._hear = exchange, network, hear
        self._process = CURRENT.get()
        self.standing = Standing.AWAY
        self._number = NO_LINE
        self._events: asyncio.Queue[list[OrderEvent] | None] = asyncio.Queue()
        self._heard_at = 0.0

    async def run(self) -> None:
        """Log on, hear, and log on again, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await self._log_on()
            if self.standing is not Standing.LOGGED_ON:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            await self._hear([LoggedOn()])
            pinged = 0.0
            self._heard_at = loop.time()
            while self.standing is Standing.LOGGED_ON:
                if loop.time() - pinged > HEARTBEAT_SECONDS / 2:
                    pinged = loop.time()
                    self._ping()
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS / 2):
                        events = await self._events.get()
                except TimeoutError:
                    if loop.time() - self._heard_at > 2 * HEARTBEAT_SECONDS:
                        break
                    continue
                if events is None:
                    break
                await self._hear(events)
            self.standing, self._number = Standing.AWAY, NO_LINE
            self._events = asyncio.Queue()
            await self._hear([LoggedOut()])
            await asyncio.sleep(RETRY_SECONDS)

    async def _log_on(self) -> None:
        try:
            number = await self._network.call(
                Server.EXCHANGE,
                lambda: self._exchange.log_on(self._process, self._arrive, self._over),
                seconds=2.0,
                away=VenueUnreachable,
                what="log on",
            )
        except VenueUnreachable:
            self.standing = Standing.AWAY
            return
        self._number = number
        self.standing = Standing.LOGGED_ON if number else Standing.REFUSED

    def _ping(self) -> None:
        """Ask for a sign of life."""
        number = self._number

        def pong() -> None:
            line = self._exchange.line
            if line is not None and line.number == number:
                self._network.push(Server.EXCHANGE, self._process, lambda: self._arrive(number, []))

        self._say(pong, "ping")

    def _arrive(self, number: int, events: list[OrderEvent]) -> None:
        if number == self._number or (self._number == NO_LINE and events):
            self._heard_at = asyncio.get_running_loop().time()
            if events:
                self._events.put_nowait(events)

    def _over(self, number: int) -> None:
        if number == self._number:
            self._events.put_nowait(None)

    def _say(self, request: Callable[[], None], what: str) -> None:
        number, exchange = self._number, self._exchange
        if self.standing is not Standing.LOGGED_ON:
            raise VenueUnreachable("no session stands", retry_after_seconds=1.0)
        self._network.tell(Server.EXCHANGE, lambda: exchange.hear(number, request, what), process=self._process)

    async def send(self, command: Command, *, again: bool = False) -> None:
        """Hand over a request."""
        await asyncio.sleep(0)
        book = self._exchange.book
        act = {Asks.CANCEL: book.cancel, Asks.REPLACE: book.replace}.get(command.asks, book.place)
        kind = {Asks.CANCEL: "F", Asks.REPLACE: "G"}.get(command.asks, "D")
        self._say(lambda: act(command), f"{kind} {command.cl_ord_id}{' again' if again else ''}")

    async def ask(self, command: Command, *, request_id: str = "") -> None:
        """Ask how the order of a command stands."""
        await self.ask_about(command.orig_cl_ord_id, request_id=request_id)

    async def ask_about(self, order_id: str, *, request_id: str) -> None:
        """Ask how an order stands."""
        await asyncio.sleep(0)
        exchange = self._exchange

        def reply() -> None:
            exchange.answer([structs.replace(exchange.book.status_of(order_id), request_id=request_id)])

        self._say(reply, f"H {order_id}")

    async def ask_all(self, request_id: str) -> None:
        """Ask how all orders stand."""
        await asyncio.sleep(0)
        exchange = self._exchange

        def reply() -> None:
            statuses = [exchange.book.status_of(order.names[-1]) for order in exchange.book.orders]
            total = len(statuses)
            parts = [
                structs.replace(one, part=Part(request_id, total, number == total))
                for number, one in enumerate(statuses, 1)
            ]
            nothing = Execution(
                cl_ord_id="",
                exec_type=ExecType.STATUS,
                status=OrdStatus.UNKNOWN,
                part=Part(request_id, 0, is_last=True),
            )
            exchange.answer(parts or [nothing])

        self._say(reply, f"AF {request_id}")

    async def ask_trades(self, request_id: str, *, since: datetime) -> None:
        """Ask for all executions since a time."""
        await asyncio.sleep(0)
        book = self._exchange.book
        self._say(lambda: self._tell_trades(request_id, book.fill_reports(since=since)), f"AD since {since:%M:%S}")

    async def ask_trades_of(self, command: Command, request_id: str) -> None:
        """Ask for all executions of an order."""
        await asyncio.sleep(0)
        book, name = self._exchange.book, command.orig_cl_ord_id
        self._say(lambda: self._tell_trades(request_id, book.fill_reports(name=name)), f"AD {name}")

    def _tell_trades(self, request_id: str, trades: Sequence[Execution]) -> None:
        parts: list[OrderEvent] = [
            TradePart(request_id=request_id, is_last=number == len(trades), trade=trade)
            for number, trade in enumerate(trades, 1)
        ]
        self._exchange.answer(parts or [TradePart(request_id=request_id, is_last=True)])

    def hang_up(self) -> None:
        """End the session; it is built up again."""
        self._events.put_nowait(None)
