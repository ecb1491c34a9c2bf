"""The FIX door: messages in, use cases, and the lines that carry what they say."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

from fixcore.application import Application
from fixcore.message import Message
from fixcore.session.session_id import SessionID
from msgspec.structs import replace

from infra.exchange_sim import market_wire, order_wire, trade_wire
from infra.exchange_sim.acceptor import Acceptor
from infra.exchange_sim.desk import Desk
from infra.exchange_sim.faults import Fault
from infra.exchange_sim.injector import Injector
from infra.exchange_sim.instruments import Instrument
from infra.exchange_sim.lines import Line, Lines
from infra.exchange_sim.pages import Pages
from infra.exchange_sim.passing import Request
from infra.exchange_sim.reports import NoCapture
from infra.exchange_sim.service import Exchange
from infra.exchange_sim.wire import CL_ORD_ID, BadMessage, required
from runtime.logs import get_logger
from runtime.process import Tasks

R = TypeVar("R", bound=Request)
INJECTED = "the fault script says so"

logger = get_logger("exchange_sim.fix")


class FixDoor(Application):  # type: ignore[misc]  # fixcore carries no type information
    """Translates between FIX sessions and the exchange. Made by `open_door`."""

    def __init__(
        self,
        exchange: Exchange,
        desk: Desk,
        lines: Lines,
        injector: Injector,
        instruments: Mapping[str, Instrument],
        *,
        clock: Callable[[], int],
        tasks: Tasks,
    ) -> None:
        self.acceptor: Acceptor
        self._exchange, self._desk, self._lines, self._injector = exchange, desk, lines, injector
        self._instruments, self._clock, self._tasks = instruments, clock, tasks
        self._pages: dict[str, Pages] = {}
        self._loops: dict[str, list[asyncio.Task[None]]] = {}
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answers: dict[str, Callable[[Message, Line], None]] = {
            "D": self._new_order,
            "F": self._cancel,
            "G": self._replace,
            "H": self._status,
            "AF": self._mass_status,
            "AD": self._trades,
            "x": self._list_securities,
            "V": self._market_data,
        }

    async def run(self) -> None:
        """Wait for ever; raises what an answer died of, which the engine would only log."""
        await self._failure

    def on_logon(self, session_id: SessionID) -> None:
        """Open a line to the session."""
        line = Line(self.acceptor.session(session_id), cut=lambda: self.acceptor.cut(session_id), clock=self._clock)
        self._lines.add(line)
        pages = self._pages[line.name] = Pages(self._desk, line)
        self._loops[line.name] = [
            self._tasks.spawn(line.run(), name=f"line {line.name}"),
            self._tasks.spawn(pages.run(), name=f"pages {line.name}"),
        ]
        logger.info("logon", session=line.name)

    def on_logout(self, session_id: SessionID) -> None:
        """Close the session's line."""
        name = session_id.target_comp_id
        self._lines.remove(name)
        self._pages.pop(name, None)
        for loop in self._loops.pop(name, ()):
            loop.cancel()
        logger.info("logout", session=name)

    def from_app(self, message: Message, session_id: SessionID) -> None:
        """Answer a message."""
        line = self._lines.find(session_id.target_comp_id)
        if line is None or line.is_cut:
            return
        try:
            self._answer(message, line)
        except Exception as error:
            # Half an exchange is worse than none.
            if not self._failure.done():
                self._failure.set_exception(error)

    def _answer(self, message: Message, line: Line) -> None:
        answer = self._answers.get(message.msg_type)
        try:
            if answer is None:
                raise BadMessage(BadMessage.UNSUPPORTED_TYPE, f"messages of type {message.msg_type} are not supported")
            answer(message, line)
        except BadMessage as bad:
            line.say(market_wire.business_reject(message, bad))

    def _new_order(self, message: Message, line: Line) -> None:
        request = order_wire.new_order(message, line.name)
        if not self._is_answered_as_resent(message, line, request.cl_ord_id):
            self._take(line, request, request.cl_ord_id, self._exchange.place, self._exchange.reject)

    def _cancel(self, message: Message, line: Line) -> None:
        request = order_wire.cancel_request(message, line.name)
        if not self._is_answered_as_resent(message, line, request.cl_ord_id):
            self._take(line, request, request.orig_cl_ord_id, self._exchange.cancel, self._exchange.refuse)

    def _replace(self, message: Message, line: Line) -> None:
        request = order_wire.replace_request(message, line.name)
        if not self._is_answered_as_resent(message, line, request.cl_ord_id):
            self._take(line, request, request.orig_cl_ord_id, self._exchange.replace, self._exchange.refuse)

    def _take(
        self, line: Line, request: R, order_key: str, take: Callable[[R], None], reject: Callable[[R, str], None]
    ) -> None:
        fault = None
        if self._injector.is_armed:
            fault = self._injector.meet(request, self._exchange.find(line.name, order_key))
        match fault:
            case Fault.CUT:
                line.cut()
            case Fault.REJECT:
                reject(request, INJECTED)
            case _:
                take(request)

    def _is_answered_as_resent(self, message: Message, line: Line, cl_ord_id: str) -> bool:
        """Answer a request that may have come before (PossResend) with what became of it, if it did."""
        known = message.header.get_or(97) == "Y" and self._exchange.remembers(line.name, cl_ord_id)
        if known:
            self._exchange.status(line.name, cl_ord_id)
        return known

    def _status(self, message: Message, line: Line) -> None:
        self._exchange.status(line.name, required(message, CL_ORD_ID), request_id=message.get_field_or(790))

    def _mass_status(self, message: Message, line: Line) -> None:
        request_id = order_wire.mass_status_request_id(message)
        self._pages[line.name].add(self._exchange.mass_status(line.name, request_id))

    def _trades(self, message: Message, line: Line) -> None:
        request_id, request_type = trade_wire.request_names(message)
        none = NoCapture(session=line.name, request_id=request_id, request_type=request_type)
        try:
            total, trades = self._exchange.trades(line.name, request_id, trade_wire.wanted_trades(message))
        except trade_wire.NoAnswer as no:
            self._desk.answer([replace(none, refusal=no.reason, text=no.text)])
            return
        self._pages[line.name].add(trades if total else [none])

    def _list_securities(self, message: Message, line: Line) -> None:
        request_id = required(message, 320)
        self._admit_to_market(line)
        for some in market_wire.security_lists(request_id, list(self._instruments.values())):
            line.say(some)

    def _market_data(self, message: Message, line: Line) -> None:
        wanted = market_wire.subscription(message)
        if wanted.kind == "2":
            line.unwatch(wanted.request_id)
            return
        self._admit_to_market(line)
        market, now_us = self._exchange.market, self._clock()
        unknown = [symbol for symbol in wanted.symbols if symbol not in market.quotes]
        if unknown or not wanted.symbols:
            line.say(market_wire.refused_symbols(wanted.request_id, unknown))
        quotes = [market.quotes[symbol] for symbol in wanted.symbols if symbol in market.quotes]
        for quote in quotes:
            line.say(market_wire.snapshot(quote, wanted, now_us))
            line.say(market_wire.security_status(quote.symbol, halted=quote.symbol in market.halted, time_us=now_us))
        if wanted.kind == "1" and quotes:
            line.watch(wanted, quotes)

    def _admit_to_market(self, line: Line) -> None:
        if not line.hears_market:
            line.hears_market = True
            line.say(market_wire.session_status(self._exchange.market.day))


@asynccontextmanager
async def open_door(door: FixDoor, *, host: str, port: int, comp_id: str, tasks: Tasks) -> AsyncIterator[None]:
    """Accept FIX connections for the block. Raises OSError when the address is taken."""
    door.acceptor = Acceptor(door, host=host, port=port, comp_id=comp_id)
    tasks.spawn(door.run(), name="fix door")
    tasks.spawn(door.acceptor.run(), name="fix names")
    async with door.acceptor:
        yield
