"""Orders in FIX 4.4, both directions, field by field."""

from datetime import UTC, datetime

import pytest
from fixcore.message import Message

from exchange_gw import fix_messages
from exchange_gw.command import Asks, Side, TimeInForce, Type
from exchange_gw.exchange import ExecType, OrdStatus
from runtime.money import InvalidMoney
from tests.unit.exchange_gw.factories import NOON, a_command


def heard(text: str) -> Message:
    """Read a message written `35=8|11=o1`."""
    message = Message()
    for field in text.split("|"):
        tag, _, value = field.partition("=")
        message.set_field(int(tag), value)
    return message


def fields(message: Message) -> dict[int, str]:
    return {35: message.msg_type, **message.body}


def test_a_limit_order() -> None:
    message = fix_messages.request_of(a_command(), NOON, again=False)

    assert fields(message) == {
        35: "D", 11: "o1", 1: "demo", 55: "AAPL", 54: "1", 38: "10", 60: "20260302-12:00:00.000", 21: "1",
        40: "2", 44: "190.12", 59: "0",
    }  # fmt: skip
    assert not message.has_field(97)


@pytest.mark.parametrize(
    ("time_in_force", "code"),
    [(TimeInForce.DAY, "0"), (TimeInForce.GTC, "1"), (TimeInForce.IOC, "3"), (TimeInForce.FOK, "4")],
)
def test_a_market_order_carries_its_collar(time_in_force: TimeInForce, code: str) -> None:
    command = a_command(type=Type.MARKET, side=Side.SELL, price_micros=180_500_000, time_in_force=time_in_force)

    sent = fields(fix_messages.request_of(command, NOON, again=False))

    assert (sent[40], sent[44], sent[54], sent[59]) == ("1", "180.50", "2", code)


def test_a_cancel_and_a_replace_name_the_order_as_the_venue_knows_it() -> None:
    cancel = a_command(Asks.CANCEL, active_number=1, exchange_order_id="X1")
    replace = a_command(Asks.REPLACE, number=2, active_number=1, quantity=7)

    f = fields(fix_messages.request_of(cancel, NOON, again=False))
    g = fields(fix_messages.request_of(replace, NOON, again=True))

    assert (f[35], f[41], f[37]) == ("F", "o1-1", "X1")
    assert (g[35], g[11], g[41], g[38]) == ("G", "o1-2", "o1-1", "7")


def test_what_is_sent_again_says_so_in_its_header() -> None:
    assert fix_messages.request_of(a_command(), NOON, again=True).header.get(97) == "Y"


def test_questions() -> None:
    assert fields(fix_messages.status_request(a_command(), request_id="q1")) == {
        35: "H", 11: "o1", 790: "q1", 55: "AAPL", 54: "1",
    }  # fmt: skip
    assert fields(fix_messages.mass_status_request("q2")) == {35: "AF", 584: "q2", 585: "7"}


def test_a_fill_is_read() -> None:
    execution = fix_messages.execution_from(
        heard(
            "35=8|37=X1|11=o1|17=E9|150=F|39=1|1=demo|55=AAPL|54=1|38=10|44=190.12|32=3|31=190.1|151=7|14=3"
            "|6=190.1|60=20260302-12:00:00.123|58=hello"
        )
    )

    assert (execution.exec_type, execution.status) == (ExecType.FILL, OrdStatus.PARTIALLY_FILLED)
    assert (execution.last_quantity, execution.last_price_micros) == (3, 190_100_000)
    assert (execution.cumulative_quantity, execution.leaves_quantity) == (3, 7)
    assert execution.time == datetime(2026, 3, 2, 12, 0, 0, 123_000, tzinfo=UTC)
    assert not execution.refusal


def test_an_unknown_order_and_the_end_of_an_empty_answer_are_told_apart() -> None:
    unknown = fix_messages.execution_from(heard("35=8|37=NONE|11=o1|17=0|150=I|39=8|790=q|151=0|14=0|6=0|103=5"))
    empty = fix_messages.execution_from(heard("35=8|37=NONE|17=0|150=I|39=8|584=q|585=7|911=0|912=Y|151=0|14=0|6=0"))

    assert unknown.is_unknown
    assert not unknown.exchange_order_id
    assert empty.is_empty
    assert not empty.is_unknown


def test_a_part_of_an_answer_knows_its_place() -> None:
    part = fix_messages.execution_from(heard("35=8|37=X1|11=o1|17=0|150=I|39=0|584=q|911=3|912=N")).part

    assert part is not None
    assert (part.request_id, part.total, part.is_last) == ("q", 3, False)


@pytest.mark.parametrize(
    ("code", "word"), [("1", "UNKNOWN_SYMBOL"), ("6", "DUPLICATE_ORDER"), ("77", "REFUSED_BY_EXCHANGE")]
)
def test_a_rejection_has_a_word(code: str, word: str) -> None:
    execution = fix_messages.execution_from(heard(f"35=8|37=NONE|11=o1|17=E1|150=8|39=8|103={code}|58=no"))

    assert (execution.refusal, execution.text) == (word, "no")


@pytest.mark.parametrize(("answers", "is_replace"), [("1", False), ("2", True)])
def test_a_refused_change_is_read(answers: str, is_replace: bool) -> None:
    refused = fix_messages.change_refused_from(heard(f"35=9|37=NONE|11=o1-2|41=o1|39=8|434={answers}|102=1"))

    assert (refused.is_replace, refused.refusal, refused.exchange_order_id) == (is_replace, "UNKNOWN_ORDER", "")


def test_a_refused_message_is_read_from_either_layer() -> None:
    business = fix_messages.unsupported_from(heard("35=j|45=7|372=D|379=o1|380=5|58=tag 44"))
    session = fix_messages.unsupported_from(heard("35=3|45=7|372=D|373=1"), name="o2")

    assert (business.name, business.code) == ("o1", "FIELD_MISSING")
    assert (session.name, session.message_type) == ("o2", "D")


@pytest.mark.parametrize("text", ["35=8|11=o1|39=0", "35=8|11=o1|150=F|39=1|32=1.5", "35=8|11=o1|150=F|39=1|31=1e3"])
def test_what_does_not_hold_what_it_must_raises(text: str) -> None:
    with pytest.raises((LookupError, InvalidMoney)):
        fix_messages.execution_from(heard(text))


def test_whole_shares_may_be_written_as_decimals() -> None:
    assert fix_messages.execution_from(heard("35=8|11=o1|150=F|39=1|32=3.00")).last_quantity == 3


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [("20260302-12:00:00", 0), ("20260302-12:00:00.5", 500_000), ("20260302-12:00:00.123456", 123_456)],
)
def test_times_are_read_to_the_microsecond(text: str, microseconds: int) -> None:
    assert fix_messages.time_from(text) == datetime(2026, 3, 2, 12, 0, 0, microseconds, tzinfo=UTC)
