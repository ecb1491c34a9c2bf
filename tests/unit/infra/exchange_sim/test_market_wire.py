"""Tests of infra/exchange_sim/market_wire.py."""

import pytest
from fixcore.message import Group, Message
from fixcore.message.data_dictionary import load_data_dictionary

from infra.exchange_sim.market_wire import (
    ENTRY_TYPES,
    Subscription,
    increments,
    security_lists,
    session_status,
    snapshot,
    subscription,
)
from infra.exchange_sim.wire import BadMessage, Text
from tests.unit.infra.exchange_sim.factories import a_quote, an_instrument

ALL = {"AAPL": ENTRY_TYPES}


def fields_of(message: Text) -> list[tuple[int, str]]:
    """Return the body's fields in the order of the line, once the line was found whole."""
    for tag, value in {8: "FIX.4.4", 49: "EXSIM", 56: "STOCKMESH-MD", 34: "2", 52: "20250101-00:00:00"}.items():
        message.header.set(tag, value)
    raw = message.encode()
    Message.decode(raw)
    pairs = (field.split("=", 1) for field in raw.decode("latin-1").rstrip("\x01").split("\x01"))
    return [(int(tag), value) for tag, value in pairs][7:-1]


def a_request(symbols: list[str], kinds: str = "", kind: str = "1") -> Message:
    message = Message()
    for tag, value in {35: "V", 262: "r", 263: kind, 264: "1"}.items():
        message.set_field(tag, value)
    for count_tag, tag, values in ((267, 269, list(kinds)), (146, 55, symbols)):
        for value in values:
            entry = Group()
            entry.set_field(tag, value)
            message.add_group(count_tag, entry)
    for tag, value in {8: "FIX.4.4", 49: "STOCKMESH-MD", 56: "EXSIM", 34: "2", 52: "20250101-00:00:00"}.items():
        message.header.set(tag, value)
    return Message.decode(message.encode(), load_data_dictionary("FIX44.xml"))


def test_a_subscription_is_read_with_all_its_symbols_once() -> None:
    wanted = subscription(a_request(["AAPL", "BRK.B", "AAPL"], "02"))

    assert wanted == Subscription(request_id="r", kind="1", symbols=("AAPL", "BRK.B"), entry_types=frozenset("02"))
    assert subscription(a_request(["AAPL"])).entry_types == ENTRY_TYPES


def test_a_subscription_of_an_odd_kind_is_refused() -> None:
    with pytest.raises(BadMessage):
        subscription(a_request(["AAPL"], kind="9"))


def test_a_snapshot_is_one_symbol_with_what_is_wanted() -> None:
    wanted = Subscription(request_id="r", kind="1", symbols=("AAPL",), entry_types=frozenset("0B"))

    fields = fields_of(snapshot(a_quote(), wanted, 1_735_689_600_123_456))

    assert fields == [
        (262, "r"), (55, "AAPL"), (60, "20250101-00:00:00.123"), (83, "7"), (268, "2"),
        (269, "0"), (270, "189.99"), (271, "300"), (269, "B"), (271, "1000"),
    ]  # fmt: skip


def test_an_increment_holds_many_symbols_each_with_its_sequence() -> None:
    moves = [(a_quote(seq=6), a_quote()), (a_quote(symbol="BRK.B"), a_quote(symbol="BRK.B", seq=9))]

    message = increments(moves, {"AAPL": ENTRY_TYPES, "BRK.B": frozenset("2")}, 0)

    assert message is not None
    fields = fields_of(message)
    assert fields[:2] == [(60, "19700101-00:00:00.000"), (268, "5")]
    assert fields[2:8] == [(279, "1"), (269, "2"), (55, "AAPL"), (270, "190.00"), (271, "300"), (83, "7")]
    assert [value for tag, value in fields if tag == 269] == ["2", "0", "1", "B", "2"]
    assert fields[-6:] == [(279, "1"), (269, "2"), (55, "BRK.B"), (270, "190.00"), (271, "300"), (83, "9")]


def test_an_increment_tells_a_new_high_and_a_new_day() -> None:
    old = a_quote("189.00")
    new_high = increments([(old, a_quote(low=old.low, open=old.open, previous_close=old.previous_close))], ALL, 0)
    new_day = increments([(old, a_quote(volume=0))], ALL, 0)

    assert new_high is not None
    assert new_day is not None
    assert [value for tag, value in fields_of(new_high) if tag == 269] == list("201B7")
    assert [value for tag, value in fields_of(new_day) if tag == 269] == list("201B7845")
    # A volume of nothing is said, too.
    assert (271, "0") in fields_of(new_day)


def test_an_increment_without_anything_wanted_is_not_sent() -> None:
    assert increments([(a_quote(), a_quote())], {"AAPL": frozenset("7")}, 0) is None


def test_the_list_of_securities_comes_in_messages_of_a_hundred() -> None:
    messages = list(security_lists("q", [an_instrument(f"S{number}") for number in range(201)]))

    bodies = [fields_of(message) for message in messages]
    assert [dict(body)[893] for body in bodies] == ["N", "N", "Y"]
    assert [sum(tag == 55 for tag, _ in body) for body in bodies] == [100, 100, 1]
    assert bodies[2][-7:] == [
        (55, "S200"), (207, "XNAS"), (107, "S200 Inc."), (15, "USD"), (561, "1"), (969, "0.01"), (1140, "100000"),
    ]  # fmt: skip


def test_a_trading_day_lasts_from_midnight_to_midnight() -> None:
    assert dict(fields_of(session_status(20_089))) == {
        336: "DAY", 340: "2", 341: "20250101-00:00:00.000", 345: "20250102-00:00:00.000",
    }  # fmt: skip
