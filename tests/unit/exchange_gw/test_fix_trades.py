"""The drop copy in FIX's words."""

import pytest
from fixcore.message import Message

from exchange_gw.command import Asks
from exchange_gw.exchange import ExecType, TradePart
from exchange_gw.fix_trades import answer_from, trade_from, trades_of, trades_since
from tests.unit.exchange_gw.factories import a_command, at


def a_message(**fields: str) -> Message:
    message = Message()
    for tag, value in fields.items():
        message.set_field(int(tag[1:]), value)
    return message


def a_body(**changes: str) -> bytes:
    fields = {
        "571": "R1", "568": "trades-1", "748": "2", "487": "0", "150": "F", "17": "E7", "39": "1", "55": "AAPL", "32": "4",
        "31": "190.12", "75": "20260302", "60": "20260302-12:00:01.250", "552": "1", "54": "1", "37": "X1", "11": "o1",
        "1": "demo", **{tag[1:]: value for tag, value in changes.items()},
    }  # fmt: skip
    return b"".join(f"{tag}={value}\x01".encode() for tag, value in fields.items())


def test_executions_are_asked_for_since_a_time() -> None:
    message = trades_since("trades-1", at(1.25))

    assert {tag: message.get(tag) for tag in (35, 568, 569, 263, 580)} == {
        35: "AD", 568: "trades-1", 569: "1", 263: "0", 580: "1",
    }  # fmt: skip
    assert message.get_groups(580)[0].items() == [(75, "20260302"), (60, "20260302-12:00:01.250")]


def test_executions_are_asked_for_by_order() -> None:
    message = trades_of("trades-1", a_command(Asks.QUERY, exchange_order_id="X1"))
    assert (message.get(11), message.get(37), message.has_field(580)) == ("o1", "X1", False)


def test_an_execution_is_read() -> None:
    part = trade_from(a_body(t912="Y"))

    assert (part.request_id, part.is_last) == ("trades-1", True)
    trade = part.trade
    assert trade is not None
    assert (trade.exec_type, trade.exec_id, trade.exec_ref_id, trade.cl_ord_id) == (ExecType.FILL, "E7", "", "o1")
    assert (trade.last_quantity, trade.last_price_micros, trade.account_id) == (4, 190_120_000, "demo")
    assert (trade.exchange_order_id, trade.time, trade.cumulative_quantity) == ("X1", at(1.25), -1)


@pytest.mark.parametrize(("kind", "exec_type"), [("1", ExecType.BUST), ("2", ExecType.CORRECTION)])
def test_an_execution_that_changes_another_names_it(kind: str, exec_type: ExecType) -> None:
    trade = trade_from(a_body(t487=kind, t572="E3")).trade
    assert trade is not None
    assert (trade.exec_type, trade.exec_ref_id) == (exec_type, "E3")


def test_an_execution_without_an_id_cannot_be_read() -> None:
    with pytest.raises(KeyError):
        trade_from(a_body().replace(b"\x0117=E7", b""))


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"t748": "0", "t749": "0", "t750": "1"}, TradePart(request_id="q", is_last=True)),
        ({"t748": "3", "t749": "0", "t750": "0"}, TradePart(request_id="q", is_last=False)),
        (
            {"t749": "8", "t750": "2", "t58": "no"},
            TradePart(request_id="q", is_last=True, refusal="no", is_unsupported=True),
        ),
        ({"t749": "99", "t750": "2"}, TradePart(request_id="q", is_last=True, refusal="result 99")),
    ],
)
def test_an_answer_without_executions_is_read(fields: dict[str, str], part: TradePart) -> None:
    assert answer_from(a_message(t568="q", **fields)) == part
