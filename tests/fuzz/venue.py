"""Harnesses of what the exchange says in FIX: whatever it is, it becomes facts or ticks that can be told, or is refused. Pure."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from fixcore.message import Message
from hypothesis import strategies as st

from exchange_gw import fix_market, fix_messages, fix_trades, wire
from exchange_gw.answers import facts_of
from exchange_gw.tick import Tick
from gen.trading.v1 import price_pb2
from order_svc.wire import fact_from
from price_svc.wire import instruments_from
from runtime.errors import TradingError
from tests.fuzz.harness import Harness, mutated

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SOH = "\x01"
# What a session drops with a line in the log; anything else would end the process.
UNREADABLE = (TradingError, ValueError, LookupError)

_texts = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=10)
_numbers = st.one_of(
    st.integers(-10, 10**6).map(str),
    st.decimals(0, 10**6, places=4).map(str),
    st.sampled_from(["", "0", "1e5", "NaN", "-1", "9" * 19, "9" * 40, "1.5", "100.00", "+7", " 1", "1_0", "\xb2"]),
)
_times = st.sampled_from(
    ["", "20260102-03:04:05", "20260102-03:04:05.123456789", "20261399-25:61:61", "99991231-23:59:60", "now"]
)


def _fields(tags: dict[int, st.SearchStrategy[str]]) -> st.SearchStrategy[str]:
    some = st.fixed_dictionaries({}, optional=tags)
    return some.map(lambda given: "".join(f"{tag}={value}{SOH}" for tag, value in given.items()))


def _latin(text: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    return mutated(text.map(lambda body: body.encode("latin-1")))


_ORDER_TAGS: dict[int, st.SearchStrategy[str]] = {
    **dict.fromkeys((1, 17, 19, 37, 55, 58, 584, 790), _texts),
    **dict.fromkeys((6, 14, 31, 32, 38, 44, 151, 911), _numbers),
    **dict.fromkeys((60,), _times),
    11: st.sampled_from(["o1", "o1-2", "o1-x", "-", ""]),
    41: st.sampled_from(["o1", "o1-1"]),
    39: st.sampled_from("0123468ACE"),
    150: st.sampled_from("04568ACEFGHI"),
    103: st.sampled_from(["5", "6", "99"]),
    102: st.sampled_from(["0", "6"]),
    434: st.sampled_from("12"),
    912: st.sampled_from("YN"),
    487: st.sampled_from("0129"),
    568: _texts,
}


def _message(kind: str, data: bytes) -> Message:
    message = Message()
    message.set_field(35, kind)
    for field in data.decode("latin-1").split(SOH):
        tag, _, value = field.partition("=")
        # The engine hands on fields that have a number and a value.
        if tag.isascii() and tag.isdecimal() and len(tag) < 6 and tag != "35" and value:
            message.set_field(int(tag), value)
    return message


def check_execution(data: bytes) -> None:
    """A report of the exchange becomes facts that the orders understand, or is unreadable."""
    with suppress(*UNREADABLE):
        fix_messages.change_refused_from(_message("9", data))
    try:
        execution = fix_messages.execution_from(_message("8", data))
    except UNREADABLE:
        return
    for report in facts_of(execution, NOW):
        fact_from(wire.report_to_proto(report).SerializeToString(), now=NOW)


def check_trade(data: bytes) -> None:
    """A trade of the drop copy becomes facts likewise."""
    try:
        part = fix_trades.trade_from(data)
    except UNREADABLE:
        return
    assert part.trade is not None
    for report in facts_of(part.trade, NOW):
        fact_from(wire.report_to_proto(report).SerializeToString(), now=NOW)


def check_market(data: bytes) -> None:
    """Market data becomes ticks that can be told, or is unreadable: a tick that cannot be told would end the gateway."""
    for read in (_snapshot, _increments):
        with suppress(*UNREADABLE):
            ticks = read(data)
            _tell(lambda ticks=ticks: wire.tick_batch_bytes(ticks, []))  # type: ignore[misc]
    for kind in "fh":
        with suppress(*UNREADABLE):
            phase = fix_market.phase_from(_message(kind, data), 1)
            _tell(lambda phase=phase: wire.tick_batch_bytes([], [phase] if phase else []))  # type: ignore[misc]


def _snapshot(data: bytes) -> list[Tick]:
    return fix_market.TickReader(1).snapshot(data)


def _increments(data: bytes) -> list[Tick]:
    return fix_market.TickReader(1).increments(data)


def check_instruments(data: bytes) -> None:
    """A list of securities becomes instruments that can be told and traded, or is unreadable."""
    with suppress(*UNREADABLE):
        instruments, _ = fix_market.instruments_from(data)
        told: list[bytes] = []
        _tell(lambda: told.append(wire.instrument_batch_bytes(instruments)))
        for one in instruments_from(price_pb2.InstrumentBatch.FromString(told[0]).instruments):
            assert one.lot_size >= 0


class CannotBeTold(AssertionError):
    """What was read cannot be written."""


def _tell(write: Callable[[], object]) -> None:
    try:
        write()
    except Exception as error:
        raise CannotBeTold(repr(error)) from error


_entry = _fields(
    {
        279: st.sampled_from("012"),
        269: st.sampled_from("0124578Bx"),
        55: st.sampled_from(["AAPL", "BRK.B", "\xe9", ""]),
        270: _numbers,
        271: _numbers,
        83: _numbers,
    }
)
_market = st.builds(
    lambda head, count, entries: f"{head}268={count}{SOH}{''.join(entries)}",
    _fields(
        {55: st.just("AAPL"), 60: _times, 83: _numbers, 326: st.sampled_from(["2", "17"]), 340: st.sampled_from("123")}
    ),
    st.one_of(st.integers(0, 4).map(str), _numbers),
    st.lists(_entry, max_size=3),
)
_listed = st.lists(
    _fields(
        {
            55: _texts,
            107: _texts,
            207: _texts,
            15: _texts,
            561: _numbers,
            969: _numbers,
            1140: _numbers,
            893: st.sampled_from("YN"),
        }
    ),
    max_size=3,
).map(lambda entries: f"146={len(entries)}{SOH}{''.join(entries)}")

HARNESSES = (
    Harness("executions", _latin(_fields(_ORDER_TAGS)), check_execution),
    Harness("trades", _latin(_fields(_ORDER_TAGS)), check_trade),
    Harness("market", _latin(_market), check_market),
    Harness("instruments", _latin(_listed), check_instruments),
)
