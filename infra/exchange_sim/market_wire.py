"""Market data in FIX 4.4: requests read from V and x, prices and states written as W, X, Y, y, f and h."""

from collections.abc import Iterator, Mapping, Sequence

from fixcore.message import Message
from msgspec import Struct

from infra.exchange_sim.instruments import Instrument
from infra.exchange_sim.market import DAY_SECONDS, Quote
from infra.exchange_sim.wire import SYMBOL, BadMessage, Text, fields, required, time_text
from runtime.money import MICROS, text_from_micros

# MDEntryType (tag 269).
BID, OFFER, TRADE, OPEN, PREVIOUS_CLOSE, HIGH, LOW, VOLUME = "0", "1", "2", "4", "5", "7", "8", "B"
ENTRY_TYPES = frozenset({BID, OFFER, TRADE, OPEN, PREVIOUS_CLOSE, HIGH, LOW, VOLUME})
INSTRUMENTS_A_MESSAGE = 100


class Subscription(Struct, frozen=True, kw_only=True):
    """What a MarketDataRequest asks for. `kind` is 0 for a snapshot, 1 for that and updates, 2 for the end of them."""

    request_id: str
    kind: str
    symbols: tuple[str, ...]
    entry_types: frozenset[str]


def subscription(message: Message) -> Subscription:
    """Read a MarketDataRequest (V). Raises BadMessage."""
    kind = required(message, 263)
    if kind not in {"0", "1", "2"}:
        raise BadMessage(BadMessage.OTHER, "tag 263 must be 0, 1 or 2")
    return Subscription(
        request_id=required(message, 262),
        kind=kind,
        symbols=tuple(dict.fromkeys(group.get_field(SYMBOL) for group in message.get_groups(146))),
        entry_types=frozenset(group.get_field(269) for group in message.get_groups(267)) or ENTRY_TYPES,
    )


def security_lists(request_id: str, instruments: Sequence[Instrument]) -> Iterator[Text]:
    """Write all instruments as SecurityLists (y)."""
    for start in range(0, len(instruments), INSTRUMENTS_A_MESSAGE):
        some = instruments[start : start + INSTRUMENTS_A_MESSAGE]
        is_last = start + INSTRUMENTS_A_MESSAGE >= len(instruments)
        head = fields(
            (320, request_id),
            (322, f"{request_id}-{start // INSTRUMENTS_A_MESSAGE}"),
            (560, 0),
            (393, len(instruments)),
            (893, "Y" if is_last else "N"),
            (146, len(some)),
        )
        yield Text("y", head + "".join(_listed(item) for item in some))


def _listed(item: Instrument) -> str:
    return fields(
        (SYMBOL, item.symbol),
        (207, item.exchange),
        (107, item.name),
        (15, item.currency),
        (561, item.lot_size),
        (969, text_from_micros(item.tick_micros)),
        (1140, item.max_quantity),
    )


def snapshot(quote: Quote, wanted: Subscription, time_us: int) -> Text:
    """Write a symbol's whole quote as a MarketDataSnapshotFullRefresh (W)."""
    entries = [
        fields((269, kind), (270, price), (271, size))
        for kind, price, size in _entries(quote)
        if kind in wanted.entry_types
    ]
    head = fields(
        (262, wanted.request_id), (SYMBOL, quote.symbol), (60, time_text(time_us)), (83, quote.seq), (268, len(entries))
    )
    return Text("W", head + "".join(entries))


def increments(moves: Sequence[tuple[Quote, Quote]], wanted: Mapping[str, frozenset[str]], time_us: int) -> Text | None:
    """Write the moves of many symbols as one MarketDataIncrementalRefresh (X); a symbol's entries lie side by side.

    A move is the quote told before and the new one. Returns None when nothing of what is wanted has changed.
    """
    entries: list[str] = []
    for told, quote in moves:
        kinds = wanted[quote.symbol]
        tail = f"\x0183={quote.seq}\x01"
        for kind, price, size in _moved_entries(told, quote):
            if kind in kinds:
                priced = f"\x01270={price}" if price else ""
                sized = f"\x01271={size}" if size is not None else ""
                entries.append(f"279=1\x01269={kind}\x0155={quote.symbol}{priced}{sized}{tail}")
    if not entries:
        return None
    return Text("X", f"60={time_text(time_us)}\x01268={len(entries)}\x01{''.join(entries)}")


def _moved_entries(told: Quote, quote: Quote) -> Iterator[tuple[str, str, int | None]]:
    """Yield what every move changes, and what else of the day differs from what was told."""
    yield TRADE, text_from_micros(quote.last), quote.size
    yield BID, text_from_micros(quote.bid), quote.bid_size
    yield OFFER, text_from_micros(quote.ask), quote.ask_size
    yield VOLUME, "", quote.volume
    if quote.high != told.high:
        yield HIGH, text_from_micros(quote.high), None
    if quote.low != told.low:
        yield LOW, text_from_micros(quote.low), None
    if quote.open != told.open:
        yield OPEN, text_from_micros(quote.open), None
    if quote.previous_close != told.previous_close:
        yield PREVIOUS_CLOSE, text_from_micros(quote.previous_close), None


def _entries(quote: Quote) -> Iterator[tuple[str, str, int | None]]:
    yield BID, text_from_micros(quote.bid), quote.bid_size
    yield OFFER, text_from_micros(quote.ask), quote.ask_size
    yield TRADE, text_from_micros(quote.last), quote.size
    yield OPEN, text_from_micros(quote.open), None
    yield HIGH, text_from_micros(quote.high), None
    yield LOW, text_from_micros(quote.low), None
    yield PREVIOUS_CLOSE, text_from_micros(quote.previous_close), None
    yield VOLUME, "", quote.volume


def refused_symbols(request_id: str, symbols: Sequence[str]) -> Text:
    """Write a MarketDataRequestReject (Y) for symbols that are not traded here; without symbols, for a request without any."""
    text = f"not traded here: {' '.join(symbols)}" if symbols else "the request names no symbol"
    return Text("Y", fields((262, request_id), (281, 0), (58, text)))


def security_status(symbol: str, *, halted: bool, time_us: int) -> Text:
    """Write whether a symbol is traded as a SecurityStatus (f)."""
    return Text("f", fields((SYMBOL, symbol), (326, 2 if halted else 17), (60, time_text(time_us))))


def session_status(day: int) -> Text:
    """Write that the trading day is open, and when it ends, as a TradingSessionStatus (h)."""
    start = day * DAY_SECONDS * MICROS
    return Text(
        "h",
        fields((336, "DAY"), (340, 2), (341, time_text(start)), (345, time_text(start + DAY_SECONDS * MICROS))),
    )


def business_reject(message: Message, bad: BadMessage) -> Text:
    """Write that a message could not be read, as a BusinessMessageReject (j)."""
    return Text(
        "j",
        fields(
            (45, message.header.get_or(34)),
            (372, message.msg_type),
            (379, message.get_field_or(11) or message.get_field_or(262)),
            (380, bad.reason),
            (58, bad.text),
        ),
    )
