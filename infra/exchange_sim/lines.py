"""Who is logged on and what each still has to hear: messages first and all of them, of prices only the newest per symbol."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from fixcore.message import Message
from fixcore.session.session import Session

from infra.exchange_sim.market import Quote
from infra.exchange_sim.market_wire import Subscription, increments
from infra.exchange_sim.order_wire import report as written
from infra.exchange_sim.reports import Report
from infra.exchange_sim.wire import Text
from runtime.logs import get_logger

SYMBOLS_A_MESSAGE = 100
MESSAGES_A_TURN = 50
# Long answers wait while more than this is still to be sent.
MANY_WAITING = 1_000
# A member that reads nothing for so long, or is so far behind, is cut off; it asks again when it is back.
STALL_SECONDS = 10.0
MOST_WAITING = 500_000

logger = get_logger("exchange_sim.lines")


class Line:
    """One logged-on session."""

    def __init__(self, session: Session, *, cut: Callable[[], None], clock: Callable[[], int]) -> None:
        self.name: str = session.session_id.target_comp_id
        # Whether it has asked for market data, and so hears of trading days.
        self.hears_market = False
        self.is_cut = False
        self._session, self._cut, self._clock = session, cut, clock
        self._waiting: deque[Text | Report] = deque()
        self._moved: dict[str, Quote] = {}
        self._told: dict[str, Quote] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._wanted: dict[str, frozenset[str]] = {}
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def cut(self) -> None:
        """End the connection now: what waits is not sent, what was read already is not taken."""
        self.is_cut = True
        self._waiting.clear()
        self._cut()

    def say(self, message: Text | Report) -> None:
        """Send a message, after those said before."""
        if len(self._waiting) >= MOST_WAITING:
            logger.warning("line cut: it is too far behind", session=self.name, waiting=len(self._waiting))
            self.cut()
            return
        self._waiting.append(message)
        self._news.set()
        if len(self._waiting) > MANY_WAITING:
            self._room.clear()

    async def room(self) -> None:
        """Return when little enough waits that a long answer may go on."""
        await self._room.wait()

    def watch(self, wanted: Subscription, told: Iterable[Quote]) -> None:
        """Send the prices of more symbols from now on; their quotes were told already."""
        self._subscriptions[wanted.request_id] = wanted
        self._told |= {quote.symbol: quote for quote in told}
        self._merge()

    def unwatch(self, request_id: str) -> None:
        """Send what a request asked for no longer."""
        self._subscriptions.pop(request_id, None)
        self._merge()

    def show(self, quotes: Iterable[Quote]) -> None:
        """Send the quotes that are watched; one that is overtaken before it is sent is not sent at all."""
        if not self._wanted:
            return
        for quote in quotes:
            if quote.symbol in self._wanted:
                self._moved[quote.symbol] = quote
        if self._moved:
            self._news.set()

    async def run(self) -> None:
        """Send for ever; to be canceled at logout. What a broken line loses, its member asks for after the next logon."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting or self._moved:
                await self._turn()
                # Thousands of messages may wait; the others' turn comes in between.
                await asyncio.sleep(0)

    async def _turn(self) -> None:
        try:
            async with asyncio.timeout(STALL_SECONDS):
                for message in self._next():
                    await self._session.send_app(message)
        except TimeoutError:
            logger.warning("line cut: it reads nothing", session=self.name)
            self.cut()
        except (OSError, RuntimeError) as error:
            # The engine's words for a line that has just ended; the logout follows.
            logger.debug("not sent", session=self.name, error=str(error))

    def _next(self) -> list[Message]:
        if self._waiting:
            count = min(len(self._waiting), MESSAGES_A_TURN)
            items = [self._waiting.popleft() for _ in range(count)]
            if len(self._waiting) <= MANY_WAITING:
                self._room.set()
            return [item if isinstance(item, Text) else written(item) for item in items]
        # What is no longer watched may still have been waiting.
        moved = [(self._told[symbol], quote) for symbol, quote in self._moved.items() if symbol in self._wanted]
        self._told |= self._moved
        self._moved = {}
        now_us = self._clock()
        chunks = (moved[start : start + SYMBOLS_A_MESSAGE] for start in range(0, len(moved), SYMBOLS_A_MESSAGE))
        return [message for some in chunks if (message := increments(some, self._wanted, now_us))]

    def _merge(self) -> None:
        self._wanted = {}
        for wanted in self._subscriptions.values():
            for symbol in wanted.symbols:
                self._wanted[symbol] = self._wanted.get(symbol, frozenset()) | wanted.entry_types


class Lines:
    """All logged-on sessions by their name (SenderCompID)."""

    def __init__(self) -> None:
        self._lines: dict[str, Line] = {}

    def add(self, line: Line) -> None:
        """Take a session in."""
        self._lines[line.name] = line

    def remove(self, name: str) -> None:
        """Let a session go."""
        self._lines.pop(name, None)

    def find(self, name: str) -> Line | None:
        """Return the session of that name, if it is logged on."""
        return self._lines.get(name)

    def tell(self, report: Report) -> None:
        """Send a report to its session. Whoever is not there asks for it when it is back: the book keeps it."""
        line = self._lines.get(report.session)
        if line is not None:
            line.say(report)

    def cut(self, name: str) -> None:
        """End a session's connection now."""
        line = self._lines.get(name)
        if line is not None:
            line.cut()

    def show(self, quotes: Iterable[Quote]) -> None:
        """Send new quotes to whoever watches them."""
        for line in self._lines.values():
            line.show(quotes)

    def announce(self, message: Text) -> None:
        """Send a message to whoever hears the market."""
        for line in self._lines.values():
            if line.hears_market:
                line.say(message)
