"""The venue in FIX 4.4: two kinds of session behind the port, one for orders and one for market data."""

from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count

from fixcore.message import Message
from msgspec import Struct

from exchange_gw import fix_market, fix_messages, fix_trades
from exchange_gw.command import Command
from exchange_gw.exchange import (
    Listed,
    LoggedOn,
    LoggedOut,
    MarketEvent,
    MarketListener,
    OrderEvent,
    OrderListener,
    Standing,
)
from exchange_gw.fix_line import Bulk, Heard, Line, Listener
from runtime import logs
from runtime.errors import TradingError

_BULKY = frozenset({b"W", b"X", b"y"})
_TRADES = frozenset({b"AE"})
# How many messages back a session-level Reject may refer.
_REMEMBERED = 10_000

logger = logs.get_logger("exchange_gw.fix")


class Venue(Struct, frozen=True):
    """Where the venue is, and how the two of us are called; `sender` is the stem of our sessions' names."""

    host: str
    port: int
    sender: str
    target: str
    heartbeat_seconds: int


class FixOrderSession:
    """A FIX session for the orders of a group (the port's OrderSession)."""

    def __init__(self, venue: Venue, group: int, hear: OrderListener) -> None:
        self.line = _OrderLine(venue, f"{venue.sender}-ORD-{group}", self._translate)
        self._hear = hear

    @property
    def standing(self) -> Standing:
        """Return how we stand with the venue."""
        return self.line.standing

    async def send(self, command: Command, *, again: bool = False) -> None:
        """Send a request. Raises VenueUnreachable."""
        await self.line.send(fix_messages.request_of(command, datetime.now(UTC), again=again))

    async def ask(self, command: Command, *, request_id: str = "") -> None:
        """Ask how the order of a command stands. Raises VenueUnreachable."""
        await self.line.send(fix_messages.status_request(command, request_id=request_id))

    async def ask_about(self, order_id: str, *, request_id: str) -> None:
        """Ask how an order stands. Raises VenueUnreachable."""
        await self.line.send(fix_messages.status_request_by_id(order_id, request_id=request_id))

    async def ask_all(self, request_id: str) -> None:
        """Ask how all orders stand. Raises VenueUnreachable."""
        await self.line.send(fix_messages.mass_status_request(request_id))

    async def ask_trades(self, request_id: str, *, since: datetime) -> None:
        """Ask for all executions since a time by the venue's clock. Raises VenueUnreachable."""
        await self.line.send(fix_trades.trades_since(request_id, since))

    async def ask_trades_of(self, command: Command, request_id: str) -> None:
        """Ask for all executions of the order of a command. Raises VenueUnreachable."""
        await self.line.send(fix_trades.trades_of(request_id, command))

    def hang_up(self) -> None:
        """End the connection; it is built up again."""
        self.line.hang_up()

    async def _translate(self, heard: Sequence[Heard]) -> None:
        events: list[OrderEvent] = []
        for one in heard:
            try:
                event = one if isinstance(one, LoggedOn | LoggedOut) else self._event(one)
            except (TradingError, ValueError, LookupError) as error:
                # What it was about is asked again, as it stays unanswered.
                logger.error("message cannot be read", session=self.line.sender, error=repr(error))
                continue
            if event is not None:
                events.append(event)
        await self._hear(events)

    def _event(self, message: Message | Bulk) -> OrderEvent | None:
        if isinstance(message, Bulk):
            return fix_trades.trade_from(message.body)
        match message.msg_type:
            case "8":
                return fix_messages.execution_from(message)
            case "AQ":
                return fix_trades.answer_from(message)
            case "9":
                return fix_messages.change_refused_from(message)
            case "j" | "3":
                sequence = message.get_field_or(45)
                return fix_messages.unsupported_from(message, name=self.line.sent_as(sequence))
            case other:
                logger.warning("unexpected message", session=self.line.sender, kind=other)
                return None


class _OrderLine(Line):
    """A line that remembers which message had which number: a session-level Reject names nothing else."""

    def __init__(self, venue: Venue, sender: str, hear: Listener) -> None:
        super().__init__(
            host=venue.host,
            port=venue.port,
            sender=sender,
            target=venue.target,
            heartbeat_seconds=venue.heartbeat_seconds,
            hear=hear,
            bulky=_TRADES,
        )
        self._names: OrderedDict[str, str] = OrderedDict()

    def to_app(self, message: Message, session_id: object) -> None:
        """Note the name of a message that is sent (called by the engine)."""
        self._names[message.header.get_or(34)] = (
            message.get_field_or(11) or message.get_field_or(584) or message.get_field_or(568)
        )
        if len(self._names) > _REMEMBERED:
            self._names.popitem(last=False)

    def sent_as(self, sequence: str) -> str:
        """Return the ClOrdID or question id of a sent message; empty when it is forgotten."""
        return self._names.get(sequence, "")


class FixMarketSession:
    """The FIX session for market data (the port's MarketSession)."""

    def __init__(self, venue: Venue, hear: MarketListener) -> None:
        self.line = Line(
            host=venue.host,
            port=venue.port,
            sender=f"{venue.sender}-MD",
            target=venue.target,
            heartbeat_seconds=venue.heartbeat_seconds,
            hear=self._translate,
            bulky=_BULKY,
        )
        self._hear = hear
        self._requests = count(1)
        self._epoch = 0
        self._reader = fix_market.TickReader(0)

    async def list_instruments(self, *, epoch: int) -> None:
        """Ask for all instruments; what is heard from now on carries the epoch. Raises VenueUnreachable."""
        self._epoch, self._reader = epoch, fix_market.TickReader(epoch)
        await self.line.send(fix_market.security_list_request(f"list-{next(self._requests)}"))

    async def watch(self, symbols: Sequence[str]) -> None:
        """Ask for the prices of symbols. Raises VenueUnreachable."""
        await self.line.send(fix_market.market_data_request(f"watch-{next(self._requests)}", symbols))

    def hang_up(self) -> None:
        """End the connection; it is built up again."""
        self.line.hang_up()

    async def _translate(self, heard: Sequence[Heard]) -> None:
        events: list[MarketEvent] = []
        for one in heard:
            try:
                event = one if isinstance(one, LoggedOn | LoggedOut) else self._event(one)
            except (TradingError, ValueError, LookupError) as error:
                logger.error("market data cannot be read", error=repr(error))
                continue
            if event is not None:
                events.append(event)
        await self._hear(events)

    def _event(self, message: Message | Bulk) -> MarketEvent | None:
        if isinstance(message, Bulk):
            match message.kind:
                case "X":
                    return self._reader.increments(message.body)
                case "W":
                    return self._reader.snapshot(message.body)
                case _:
                    return Listed(*fix_market.instruments_from(message.body))
        if message.msg_type in ("f", "h"):
            return fix_market.phase_from(message, self._epoch)
        logger.warning("refused by the venue", kind=message.msg_type, text=message.get_field_or(58))
        return None
