"""Market data in FIX 4.4: W, X, y, f and h read into ticks, phases and instruments; V and x written. Pure."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeAlias

from fixcore.message import Message
from fixcore.message.field import Group

from exchange_gw.tick import Instrument, MarketState, Phase, Tick
from runtime.errors import InvalidArgument
from runtime.money import MICROS, micros_from_text

SOH = b"\x01"
# MDEntryType (269) → field of a tick.
_PRICES = {
    b"0": "bid_micros",
    b"1": "ask_micros",
    b"4": "open_micros",
    b"5": "previous_close_micros",
    b"7": "high_micros",
    b"8": "low_micros",
}
TRADE, VOLUME = b"2", b"B"
ENTRY_TYPES = ("0", "1", "2", "4", "5", "7", "8", "B")
DELETE = b"2"
# An entry as most venues write it; one that is written otherwise is read field by field, three times as slowly.
_ENTRY = re.compile(
    rb"279=([^\x01]*)\x01269=([^\x01]*)\x0155=([^\x01]*)\x01(?:270=([^\x01]*)\x01)?(?:271=([^\x01]*)\x01)?"
    rb"(?:83=([^\x01]*)\x01)?(?=279=|\Z)"
)
_HEAD_COUNT = re.compile(rb"(?:\A|\x01)268=(\d+)\x01")
_TIME = re.compile(rb"(?:\A|\x01)60=([^\x01]*)\x01")
_MOST_PRICES = 100_000

_Pair: TypeAlias = tuple[bytes, bytes]
_Entry: TypeAlias = tuple[bytes, bytes, bytes, bytes, bytes, bytes]


class UnreadableMarketData(InvalidArgument):
    """The venue's message does not hold what its type promises."""

    reason = "UNREADABLE_MARKET_DATA"


class TickReader:
    """Reads the prices of one life of the feed; every tick gets its epoch."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch
        # The same few thousand prices come again and again: reading one anew costs twenty times the look-up.
        self._micros: dict[bytes, int] = {}
        self._symbols: dict[bytes, str] = {}
        self._counted: dict[str, int] = {}

    def snapshot(self, body: bytes) -> list[Tick]:
        """Read a MarketDataSnapshotFullRefresh (W): one symbol."""
        fields, groups = _groups(body, count=b"268", delimiter=b"269")
        head = dict(fields)
        symbol = self._symbol(head.get(b"55", b""))
        tick = Tick(symbol, self._epoch, self._sequence(symbol, head.get(b"83", b"")), _milliseconds(body))
        tick.snapshot = True
        for group in groups:
            entry = dict(group)
            self._put(tick, entry.get(b"269", b""), entry.get(b"270", b""), entry.get(b"271", b""))
        return [tick]

    def increments(self, body: bytes) -> list[Tick]:
        """Read a MarketDataIncrementalRefresh (X): many symbols; neighbouring entries of one symbol make one tick."""
        head = _HEAD_COUNT.search(body)
        if head is None:
            raise UnreadableMarketData("an increment without a number of entries")
        entries: list[_Entry] = _ENTRY.findall(body, head.end())
        if len(entries) != int(head[1]):
            entries = _entries_field_by_field(body)
        time_ms, ticks = _milliseconds(body), list[Tick]()
        last, tick = b"", None
        for action, kind, symbol, price, size, sequence in entries:
            if tick is None or symbol != last:
                name = self._symbol(symbol)
                tick, last = Tick(name, self._epoch, self._sequence(name, sequence), time_ms), symbol
                ticks.append(tick)
            if action != DELETE:
                self._put(tick, kind, price, size)
        return ticks

    def _put(self, tick: Tick, kind: bytes, price: bytes, size: bytes) -> None:
        if kind == TRADE:
            tick.price_micros, tick.size = self._price(price), _count(size)
        elif kind == VOLUME:
            tick.volume = _count(size)
        elif kind in _PRICES:
            setattr(tick, _PRICES[kind], self._price(price))

    def _price(self, text: bytes) -> int:
        micros = self._micros.get(text)
        if micros is None:
            if len(self._micros) >= _MOST_PRICES:
                self._micros.clear()
            micros = self._micros[text] = micros_from_text(text.decode("latin-1"), field="270")
        return micros

    def _symbol(self, text: bytes) -> str:
        symbol = self._symbols.get(text)
        if symbol is None:
            if not text:
                raise UnreadableMarketData("an entry without a symbol")
            symbol = self._symbols[text] = text.decode("latin-1")
        return symbol

    def _sequence(self, symbol: str, text: bytes) -> int:
        # A venue that does not count per symbol is counted by us: messages of a session come in order.
        number = _count(text) if text else self._counted.get(symbol, 0) + 1
        self._counted[symbol] = number
        return number


def instruments_from(body: bytes) -> tuple[tuple[Instrument, ...], bool]:
    """Read a SecurityList (y): the instruments, and whether they are the last."""
    fields, groups = _groups(body, count=b"146", delimiter=b"55")
    # Venues write LastFragment before the list or after it.
    tail = dict(groups[-1]) if groups else {}
    last = dict(fields).get(b"893") or tail.get(b"893") or b"Y"
    return tuple(_instrument(dict(group)) for group in groups), last == b"Y"


def _instrument(entry: dict[bytes, bytes]) -> Instrument:
    def text(tag: bytes) -> str:
        return entry.get(tag, b"").decode("latin-1")

    return Instrument(
        symbol=text(b"55"),
        name=text(b"107"),
        exchange=text(b"207"),
        currency=text(b"15"),
        tick_size_micros=max(micros_from_text(text(b"969") or "0.01", field="969"), 1),
        # A step of nothing is no rule; the smallest step says the same, and can be divided by.
        lot_size=max(_whole(text(b"561") or "1"), 1),
        max_quantity=max(_whole(text(b"1140") or "0"), 0),
    )


_MOST_DIGITS = 18
_COUNT = re.compile(rb"([0-9]{1,18})(?:\.0*)?")


def _count(text: bytes) -> int:
    """Read a number of shares or of messages; FIX lets a quantity have decimals. Raises UnreadableMarketData.

    One that no message of ours can carry must not get as far as the bus.
    """
    if text.isdigit() and len(text) <= _MOST_DIGITS:
        return int(text)
    if not text:
        return 0
    match = _COUNT.fullmatch(text)
    if match is None:
        raise UnreadableMarketData(f"not a whole number: {text[:30]!r}")
    return int(match[1])


def _whole(text: str) -> int:
    return micros_from_text(text) // MICROS


# SecurityTradingStatus (326) and TradSesStatus (340) that say something about trading; others say nothing new.
_SECURITY_STATES = {"2": MarketState.HALTED, "3": MarketState.OPEN, "17": MarketState.OPEN, "18": MarketState.CLOSED}
_SESSION_STATES = {
    "1": MarketState.HALTED,
    "2": MarketState.OPEN,
    "3": MarketState.CLOSED,
    "4": MarketState.CLOSED,
    "5": MarketState.OPEN,
}


def phase_from(message: Message, epoch: int) -> Phase | None:
    """Read a SecurityStatus (f) or TradingSessionStatus (h); None when it says nothing about trading."""
    is_session = message.msg_type == "h"
    states, tag = (_SESSION_STATES, 340) if is_session else (_SECURITY_STATES, 326)
    state = states.get(message.get_field_or(tag))
    symbol = "" if is_session else message.get_field_or(55)
    if state is None or not (symbol or is_session):
        return None
    time = message.get_field_or(60).encode()
    when = datetime.fromtimestamp(_time_ms(time) / 1000, UTC) if time else datetime.now(UTC)
    return Phase(symbol, state, message.get_field_or(58), when, epoch)


def security_list_request(request_id: str) -> Message:
    """Write a SecurityListRequest (x) for all securities."""
    message = Message()
    for tag, value in ((35, "x"), (320, request_id), (559, "4")):
        message.set_field(tag, value)
    return message


def market_data_request(request_id: str, symbols: Sequence[str]) -> Message:
    """Write a MarketDataRequest (V): a snapshot of each symbol, then every change."""
    message = Message()
    for tag, value in ((35, "V"), (262, request_id), (263, "1"), (264, "1"), (265, "1")):
        message.set_field(tag, value)
    for count_tag, tag, values in ((267, 269, ENTRY_TYPES), (146, 55, symbols)):
        for value in values:
            group = Group()
            group.set_field(tag, value)
            message.add_group(count_tag, group)
    return message


def _groups(body: bytes, *, count: bytes, delimiter: bytes) -> tuple[list[_Pair], list[list[_Pair]]]:
    """Split a body into the fields outside of its one repeating group, and the group's entries.

    Fields after the last entry cannot be told from its own without a dictionary; they count as both.
    """
    before: list[_Pair] = []
    groups: list[list[_Pair]] = []
    inside = False
    for field in body.split(SOH):
        tag, _, value = field.partition(b"=")
        if inside and tag == delimiter:
            groups.append([])
        if groups:
            groups[-1].append((tag, value))
        else:
            before.append((tag, value))
        inside |= tag == count
    return before, groups


def _entries_field_by_field(body: bytes) -> list[_Entry]:
    entries = (dict(group) for group in _groups(body, count=b"268", delimiter=b"279")[1])
    # An entry without a symbol is of the symbol before (FIX 4.4, MDEntry group).
    read, symbol = list[_Entry](), b""
    for entry in entries:
        symbol = entry.get(b"55", symbol)
        action, kind, price, size, sequence = (entry.get(tag, b"") for tag in (b"279", b"269", b"270", b"271", b"83"))
        read.append((action, kind, symbol, price, size, sequence))
    return read


def _milliseconds(body: bytes) -> int:
    found = _TIME.search(body)
    return _time_ms(found[1]) if found else int(datetime.now(UTC).timestamp() * 1000)


@lru_cache(maxsize=16)
def _second(text: bytes) -> int:
    return int(datetime.strptime(text.decode(), "%Y%m%d-%H:%M:%S").replace(tzinfo=UTC).timestamp())


def _time_ms(text: bytes) -> int:
    """Read a UTCTimestamp, to milliseconds. Raises UnreadableMarketData."""
    seconds, _, part = text.partition(b".")
    try:
        return _second(seconds) * 1000 + int(part[:3].ljust(3, b"0"))
    except ValueError:
        raise UnreadableMarketData(f"not a time: {text[:30]!r}") from None
