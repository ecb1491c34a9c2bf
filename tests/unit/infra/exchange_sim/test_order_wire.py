"""Tests of infra/exchange_sim/order_wire.py."""

import pytest
from fixcore.message import Message

from infra.exchange_sim.facts import OrderType, Side, TimeInForce
from infra.exchange_sim.order_wire import mass_status_request_id, new_order, report
from infra.exchange_sim.reports import CancelRefusal, Execution, Part, Report, Status
from infra.exchange_sim.requests import NewOrder
from infra.exchange_sim.wire import BadMessage
from tests.unit.infra.exchange_sim.factories import SESSION, Floor, an_order, micros

LIMIT_ORDER = {11: "key", 1: "demo", 55: "BRK.B", 54: "2", 38: "100", 40: "2", 44: "190.12", 59: "1"}


def a_message(fields: dict[int, str]) -> Message:
    message = Message()
    for tag, value in fields.items():
        message.set_field(tag, value)
    return message


def sent(content: Report) -> Message:
    """Return a report as a member decodes it."""
    message = report(content)
    for tag, value in {8: "FIX.4.4", 49: "EXSIM", 56: SESSION, 34: "2", 52: "20250101-00:00:00"}.items():
        message.header.set(tag, value)
    return Message.decode(message.encode())


def executions(floor: Floor) -> list[Message]:
    return [sent(Execution(SESSION, fact, order)) for fact, order in floor.changes]


def test_an_order_is_read() -> None:
    assert new_order(a_message(LIMIT_ORDER), SESSION) == NewOrder(
        session=SESSION, cl_ord_id="key", account="demo", symbol="BRK.B", side=Side.SELL, type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC, quantity=100, price_micros=micros("190.12"),
    )  # fmt: skip


def test_a_market_order_without_protection_for_the_day_is_the_shortest() -> None:
    order = new_order(a_message({11: "key", 55: "AAPL", 54: "1", 38: "100.00", 40: "1"}), SESSION)

    assert (order.type, order.time_in_force, order.price_micros, order.account) == (
        OrderType.MARKET, TimeInForce.DAY, 0, "",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({11: ""}, BadMessage.FIELD_MISSING),
        ({44: ""}, BadMessage.FIELD_MISSING),
        ({54: "5"}, BadMessage.OTHER),
        ({40: "3"}, BadMessage.OTHER),
        ({59: "9"}, BadMessage.OTHER),
        ({38: "1.5"}, BadMessage.OTHER),
        ({38: "1e3"}, BadMessage.OTHER),
        ({44: "NaN"}, BadMessage.OTHER),
    ],
)
def test_an_order_that_cannot_be_read_says_why(changes: dict[int, str], reason: int) -> None:
    with pytest.raises(BadMessage) as bad:
        new_order(a_message(LIMIT_ORDER | changes), SESSION)

    assert bad.value.reason == reason


def test_a_mass_status_request_is_for_all_orders() -> None:
    assert mass_status_request_id(a_message({584: "all", 585: "7"})) == "all"
    with pytest.raises(BadMessage):
        mass_status_request_id(a_message({584: "some", 585: "1"}))


def test_fills_are_told_with_what_is_left_and_the_average() -> None:
    floor = Floor()
    floor.place(quantity=400)

    accepted, first, second = executions(floor)

    assert accepted.body.items() >= {150: "0", 39: "0", 151: "400", 14: "0", 6: "0", 17: "b-E1", 37: "b-O1"}.items()
    assert (
        first.body.items() >= {150: "F", 39: "1", 32: "300", 31: "190.01", 151: "100", 14: "300", 6: "190.01"}.items()
    )
    assert (
        second.body.items() >= {150: "F", 39: "2", 32: "100", 31: "190.02", 151: "0", 14: "400", 6: "190.0125"}.items()
    )


def test_a_replace_and_a_cancel_name_both_keys() -> None:
    floor = Floor()
    floor.place(price="189.00")
    floor.replace(50, "189.10")
    floor.cancel("replace")

    _, replaced, canceled = executions(floor)

    assert replaced.body.items() >= {11: "replace", 41: "key", 150: "5", 39: "0", 38: "50", 44: "189.10"}.items()
    assert canceled.body.items() >= {11: "cancel", 41: "replace", 150: "4", 39: "4", 151: "0"}.items()


def test_a_duplicate_is_rejected_without_an_order() -> None:
    floor = Floor()
    floor.place(price="189.00")
    floor.place(price="189.00")

    rejected = executions(floor)[-1]

    assert rejected.body.items() >= {37: "NONE", 11: "key", 150: "8", 39: "8", 103: "6", 151: "0"}.items()


def test_a_status_tells_everything_and_an_unknown_one_that() -> None:
    known = sent(Status(session=SESSION, cl_ord_id="key", order=an_order(filled=40), time_us=0, request_id="q"))
    unknown = sent(Status(session=SESSION, cl_ord_id="never", order=None, time_us=0))

    assert known.body.items() >= {150: "I", 39: "0", 790: "q", 1: "demo", 38: "100", 151: "60", 14: "40"}.items()
    assert unknown.body.items() >= {150: "I", 39: "8", 103: "5", 37: "NONE", 11: "never"}.items()


@pytest.mark.parametrize(("part", "last"), [(Part("all", 1, 2), "N"), (Part("all", 2, 2), "Y")])
def test_a_part_of_a_mass_status_says_whether_it_is_the_last(part: Part, last: str) -> None:
    message = sent(Status(session=SESSION, cl_ord_id="key", order=an_order(), time_us=0, part=part))

    assert message.body.items() >= {584: "all", 585: "7", 911: "2", 912: last}.items()


def test_a_mass_status_of_nothing_is_one_report_that_is_no_rejection() -> None:
    message = sent(Status(session=SESSION, cl_ord_id="", order=None, time_us=0, part=Part("all", 0, 0)))

    assert message.body.items() >= {37: "NONE", 911: "0", 912: "Y"}.items()
    assert 103 not in message.body


def test_a_refused_replace_is_told_apart_from_a_refused_cancel() -> None:
    message = sent(
        CancelRefusal(
            session=SESSION, cl_ord_id="new", orig_cl_ord_id="old", order=None, is_replace=True, reason=1, text="no",
            time_us=0,
        )
    )  # fmt: skip

    assert message.msg_type == "9"
    assert message.body.items() >= {11: "new", 41: "old", 434: "2", 102: "1", 39: "8", 37: "NONE", 58: "no"}.items()
