"""The contract's messages, both ways."""

from datetime import timedelta
from typing import Any, Literal, cast

import pytest

from exchange_gw import wire
from exchange_gw.command import Asks, TimeInForce, Type
from exchange_gw.report import Kind, Reason, Report, Source
from exchange_gw.tick import Instrument, MarketState, Phase, Tick
from exchange_gw.trading import Permission, TradingState
from gen.trading.v1 import exchange_pb2, price_pb2
from runtime.errors import Malformed
from tests.integration.exchange_gw.venue import a_command, market
from tests.unit.exchange_gw.factories import NOON


def test_a_command_is_read_as_it_was_said() -> None:
    said = a_command("REPLACE", "o1", replace_number=2, active_number=1, exchange_order_id="X1", account_id="demo")

    command = wire.command_from(said.SerializeToString())

    assert (command.asks, command.order_id, command.number, command.active_number) == (Asks.REPLACE, "o1", 2, 1)
    assert (command.price_micros, command.quantity, command.exchange_order_id) == (1_000_000, 10, "X1")
    assert command.submit_by is not None
    assert command.submit_by.utcoffset() == timedelta(0)
    assert command.raw == said.SerializeToString()


def test_a_market_order_has_its_collar_as_price() -> None:
    command = wire.command_from(market(collar_price_micros=7).SerializeToString())

    assert (command.type, command.price_micros, command.time_in_force) == (Type.MARKET, 7, TimeInForce.IOC)


def test_a_command_without_a_time_in_force_lives_for_the_day() -> None:
    said = a_command()
    said.ClearField("time_in_force")

    assert wire.command_from(said.SerializeToString()).time_in_force is TimeInForce.DAY


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": 0},
        {"kind": 77},
        {"order_id": "a-b"},
        {"command_id": ""},
        {"account_id": ""},
        {"symbol": ""},
        {"symbol": "AA\x01PL"},
        {"account_id": "dém"},
        {"side": 0},
        {"type": 0},
        {"quantity": 0},
        {"quantity": -1},
        {"limit_price_micros": 0},
        {"limit_price_micros": -1},
        {"kind": "REPLACE"},
        {"active_number": -1},
    ],
)
def test_a_command_that_means_nothing_is_malformed_and_names_its_order(changes: dict[str, Any]) -> None:
    said = a_command(order_id="o1")
    said.MergeFrom(exchange_pb2.OrderCommand(**changes))
    for name, value in changes.items():
        if not value:
            said.ClearField(cast('Literal["kind"]', name))

    with pytest.raises(wire.MalformedCommand) as error:
        wire.command_from(said.SerializeToString())

    assert error.value.order_id == said.order_id


def test_bytes_that_are_no_command_name_nothing() -> None:
    with pytest.raises(wire.MalformedCommand) as error:
        wire.command_from(b"\xff\xff\xff")
    assert error.value.order_id == ""


def test_a_report_keeps_all_that_it_says() -> None:
    report = Report(
        report_id="r1",
        kind=Kind.FILL,
        order_id="o1",
        gateway_time=NOON,
        client_order_id="k",
        exec_id="E1",
        last_quantity=3,
        last_price_micros=5,
        cumulative_quantity=3,
        reason=Reason("CODE", Source.EXCHANGE, "words"),
        exchange_time=NOON,
    )

    message = wire.report_to_proto(report)

    assert message.kind == exchange_pb2.ExecutionReport.FILL
    assert (message.exec_id, message.last_quantity, message.last_price_micros) == ("E1", 3, 5)
    assert (message.reason.code, message.reason.message) == ("CODE", "words")
    assert message.exchange_time == message.gateway_time
    assert not wire.report_to_proto(Report(report_id="r", kind=Kind.PLACED, order_id="o", gateway_time=NOON)).HasField(
        "exchange_time"
    )


def test_ticks_and_phases_of_a_batch() -> None:
    tick = Tick("AAPL", 7, 5, 1_772_452_800_250, price_micros=10, size=3, bid_micros=9, volume=50, snapshot=True)
    phase = Phase("AAPL", MarketState.HALTED, "news", NOON, 7)

    batch = price_pb2.TickBatch.FromString(wire.tick_batch_bytes([tick], [phase]))

    [said] = batch.ticks
    assert (said.symbol, said.epoch, said.seq, said.price_micros, said.size, said.bid_micros) == (
        "AAPL",
        7,
        5,
        10,
        3,
        9,
    )
    assert (said.exchange_time.seconds, said.exchange_time.nanos) == (1_772_452_800, 250_000_000)
    assert said.snapshot
    assert batch.phases[0].state == price_pb2.GetMarketStatusResponse.HALTED


def test_instruments_of_a_batch() -> None:
    one = Instrument("AAPL", "Apple Inc.", "XNAS", "USD", 10_000, 1, 1000)

    [said] = price_pb2.InstrumentBatch.FromString(wire.instrument_batch_bytes([one])).instruments

    assert (said.symbol, said.name, said.tick_size, said.lot_size, said.tradable) == (
        "AAPL",
        "Apple Inc.",
        "0.01",
        1,
        True,
    )


def test_the_permission_survives_the_way() -> None:
    permission = Permission(TradingState.REDUCING, "olga", "why", NOON)

    assert wire.permission_from(wire.permission_to_proto(permission).SerializeToString()) == permission
    with pytest.raises(Malformed):
        wire.permission_from(b"\xff\xff")
    with pytest.raises(Malformed):
        wire.permission_from(b"")
