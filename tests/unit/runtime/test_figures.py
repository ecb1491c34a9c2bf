"""runtime/figures.py: what is counted, and under which labels."""

import pytest
from prometheus_client import CollectorRegistry

from runtime.figures import BusFigures, Queues, Reconnects, RpcFigures, shared
from runtime.subjects import ORDER_COMMANDS, ORDER_REPORTS, ORDER_UPDATES, order_command, order_update

READER = {"stream": ORDER_REPORTS, "consumer": "order_svc-reports"}
FIRST = "$JS.ACK.ORDER_REPORTS.order_svc-reports.1.7.3.1700000000000000000.0"
AGAIN = FIRST.replace(".1.7.", ".2.7.")
OF_A_DOMAIN = "$JS.ACK.hub.ACCHASH.ORDER_REPORTS.order_svc-reports.{}.7.3.1700000000000000000.0.token"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def test_parts_of_a_process_share_their_figures(registry: CollectorRegistry) -> None:
    assert shared(registry, Reconnects) is shared(registry, Reconnects)
    assert shared(registry, Reconnects) is not shared(CollectorRegistry(), Reconnects)


def test_only_deliveries_that_are_not_the_first_are_redeliveries(registry: CollectorRegistry) -> None:
    reading = BusFigures(registry).reading(**READER)
    for reply, count in [
        (FIRST, 0),
        (AGAIN, 1),
        (OF_A_DOMAIN.format(1), 1),
        (OF_A_DOMAIN.format(2), 2),
        ("", 2),
        ("_INBOX.x", 2),
    ]:
        reading.delivered(reply)
        assert registry.get_sample_value("bus_redelivered_total", READER) == count


def test_what_waits_for_a_reader_that_has_gone_is_not_told(registry: CollectorRegistry) -> None:
    figures = BusFigures(registry)
    figures.reading(**READER).waits(5)
    assert registry.get_sample_value("bus_consumer_pending", READER) == 5
    figures.forget(**READER)
    assert registry.get_sample_value("bus_consumer_pending", READER) is None


def test_receipts_are_told_by_stream_and_never_by_account(registry: CollectorRegistry) -> None:
    figures = BusFigures(registry)
    for subject in (order_command("demo"), order_update("demo"), order_update("other"), "$KV.LEASES.relay"):
        figures.published(subject, 0.002)
    streams = {
        sample.labels["stream"]: sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "bus_publish_seconds_count"
    }
    assert streams == {ORDER_COMMANDS: 1, ORDER_UPDATES: 2}


def test_calls_are_counted_by_method_and_code(registry: CollectorRegistry) -> None:
    calls = RpcFigures(registry).of("/trading.v1.OrderService/PlaceOrder")
    method = {"method": "trading.v1.OrderService/PlaceOrder"}
    calls.answered("OK", 0.003)
    calls.answered("UNAVAILABLE", 0.5)
    with calls.streaming():
        assert registry.get_sample_value("rpc_streams", method) == 1
    assert registry.get_sample_value("rpc_streams", method) == 0
    assert registry.get_sample_value("rpc_requests_total", {**method, "code": "OK"}) == 1
    assert registry.get_sample_value("rpc_request_seconds_count", method) == 2


def test_a_queue_is_looked_at_when_somebody_asks(registry: CollectorRegistry) -> None:
    waiting = [1, 2]
    shared(registry, Queues).watch("reports", lambda: len(waiting), capacity=10)
    waiting.append(3)
    assert registry.get_sample_value("queue_depth", {"queue": "reports"}) == 3
    assert registry.get_sample_value("queue_capacity", {"queue": "reports"}) == 10
