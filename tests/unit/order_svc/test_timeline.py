"""order_svc/wire.py: the timeline of an order, from the edge to the first fill told."""

from datetime import timedelta

from gen.trading.v1 import exchange_pb2
from order_svc.fact import Kind
from order_svc.request import received_time
from order_svc.wire import fact_from, timeline_to_proto
from tests.factories import NOON, a_fact, a_fill, an_order, at

NOON_US = int(NOON.timestamp()) * 1_000_000


def test_every_step_is_there_and_stands_where_it_happened() -> None:
    hops = tuple(NOON_US + microseconds for microseconds in (4_000, 6_500, 8_200, 8_900))
    placed = a_fact(Kind.PLACED, time=at(0.008), hops=hops)
    order = an_order(facts=[placed, a_fill("x1", 10, seconds=0.02)])
    object.__setattr__(order, "receive_time", NOON - timedelta(milliseconds=3))

    entries = timeline_to_proto(order, pushed=at(0.03))

    steps = ["RECEIVED", "CREATED", "COMMITTED", "PUBLISHED", "INTENT", "SENT", "PLACED", "FILL", "PUSHED"]
    assert [entry.event for entry in entries] == steps
    assert entries[5].event_time.ToMicroseconds() == hops[3]


def test_steps_that_nobody_told_are_left_out() -> None:
    assert [entry.event for entry in timeline_to_proto(an_order())] == ["CREATED"]


def test_a_report_brings_its_hops_and_the_exchanges_count() -> None:
    report = exchange_pb2.ExecutionReport(
        report_id="r", order_id="o", kind=exchange_pb2.ExecutionReport.PLACED, cumulative_quantity=7
    )
    report.commit_time.FromMicroseconds(NOON_US + 1)
    report.send_time.FromMicroseconds(NOON_US + 4)

    _, fact = fact_from(report.SerializeToString(), now=NOON)

    assert fact.hops == (NOON_US + 1, 0, 0, NOON_US + 4)
    assert fact.cumulative == 7


def test_what_the_edge_says_of_its_time_is_believed_within_a_minute() -> None:
    def heard(seconds: float) -> str:
        return str(int((NOON.timestamp() + seconds) * 1000))

    assert received_time(heard(-0.25), now=NOON) == at(-0.25)
    assert received_time(heard(-3600), now=NOON) == at(-60)
    assert received_time(heard(5), now=NOON) == NOON
    assert received_time("", now=NOON) == received_time("-5", now=NOON) == received_time("9" * 30, now=NOON) == NOON
