"""Market data in FIX 4.4: many entries a message, whatever order a venue writes its fields in."""

import pytest
from fixcore.message import Message

from exchange_gw import fix_market
from exchange_gw.fix_market import TickReader, UnreadableMarketData
from exchange_gw.tick import MarketState
from runtime.errors import TradingError

EPOCH, NOON_MS = 77, 1_772_452_800_000


def body(text: str) -> bytes:
    return "".join(f"{field}\x01" for field in text.split("|")).encode()


INCREMENT = (
    "60=20260302-12:00:00.250|268=6"
    "|279=1|269=2|55=AAPL|270=190.12|271=300|83=5"
    "|279=1|269=0|55=AAPL|270=190.11|271=100|83=5"
    "|279=1|269=1|55=AAPL|270=190.13|271=200|83=5"
    "|279=1|269=B|55=AAPL|271=123456|83=5"
    "|279=1|269=2|55=BRK.B|270=412.5|271=10|83=9"
    "|279=1|269=7|55=BRK.B|270=413|83=9"
)


def test_neighbouring_entries_of_a_symbol_make_one_tick() -> None:
    apple, berkshire = TickReader(EPOCH).increments(body(INCREMENT))

    assert (apple.symbol, apple.epoch, apple.seq, apple.time_ms) == ("AAPL", EPOCH, 5, NOON_MS + 250)
    assert (apple.price_micros, apple.size) == (190_120_000, 300)
    assert (apple.bid_micros, apple.ask_micros, apple.volume) == (190_110_000, 190_130_000, 123_456)
    assert (berkshire.symbol, berkshire.price_micros, berkshire.high_micros) == ("BRK.B", 412_500_000, 413_000_000)
    assert not apple.snapshot


def test_fields_in_another_order_and_others_between_them_read_the_same() -> None:
    mixed = INCREMENT.replace("|269=2|55=AAPL|270=190.12", "|55=AAPL|278=7|269=2|15=USD|270=190.12")

    assert TickReader(EPOCH).increments(body(mixed)) == TickReader(EPOCH).increments(body(INCREMENT))


def test_an_entry_without_a_symbol_is_of_the_symbol_before() -> None:
    bare = INCREMENT.replace("|269=0|55=AAPL", "|269=0")

    assert TickReader(EPOCH).increments(body(bare)) == TickReader(EPOCH).increments(body(INCREMENT))


def test_a_deleted_entry_says_nothing() -> None:
    deleted = INCREMENT.replace("279=1|269=0|55=AAPL", "279=2|269=0|55=AAPL")

    assert TickReader(EPOCH).increments(body(deleted))[0].bid_micros == 0


def test_a_venue_that_does_not_number_is_numbered_by_us() -> None:
    reader, bare = TickReader(EPOCH), body("268=1|279=1|269=2|55=AAPL|270=1|271=1")

    assert [reader.increments(bare)[0].seq for _ in range(3)] == [1, 2, 3]


def test_a_snapshot_is_whole() -> None:
    [tick] = TickReader(EPOCH).snapshot(
        body(
            "262=r|55=AAPL|60=20260302-12:00:00.000|83=4|268=4|269=0|270=1.5|271=3|269=2|270=2|271=7|269=5|270=1.75"
            "|269=B|271=99"
        )
    )

    assert tick.snapshot
    assert (tick.symbol, tick.seq, tick.bid_micros, tick.price_micros, tick.size) == (
        "AAPL",
        4,
        1_500_000,
        2_000_000,
        7,
    )
    assert (tick.previous_close_micros, tick.volume) == (1_750_000, 99)


@pytest.mark.parametrize(
    "text",
    [
        "60=20260302-12:00:00",
        "268=1|279=1|269=2|55=|270=1|271=1",
        "268=1|279=1|269=2|55=A|270=nonsense|271=1",
        "268=1|279=1|269=2|55=A|270=1|271=many",
        "60=yesterday|268=1|279=1|269=2|55=A|270=1|271=1",
    ],
)
def test_what_cannot_be_read_raises_what_the_session_survives(text: str) -> None:
    with pytest.raises((TradingError, ValueError)):
        TickReader(EPOCH).increments(body(text))


def test_unreadable_names_itself() -> None:
    assert UnreadableMarketData.reason == "UNREADABLE_MARKET_DATA"


@pytest.mark.parametrize("last", ["893=N|146=2|{}", "146=2|{}|893=N"])
def test_instruments_are_read_wherever_the_end_is_marked(last: str) -> None:
    entries = (
        "55=AAPL|207=XNAS|107=Apple Inc.|15=USD|561=1|969=0.01|1140=100000"
        "|55=7203.T|207=XTKS|107=Toyota|15=JPY|561=100|969=0.5|1140=1000000"
    )

    instruments, is_last = fix_market.instruments_from(body(f"320=r|{last.format(entries)}"))

    assert not is_last
    assert [(one.symbol, one.tick_size_micros, one.lot_size) for one in instruments] == [
        ("AAPL", 10_000, 1),
        ("7203.T", 500_000, 100),
    ]
    assert (instruments[0].name, instruments[0].exchange, instruments[0].max_quantity) == (
        "Apple Inc.",
        "XNAS",
        100_000,
    )


def said(text: str) -> Message:
    message = Message()
    for field in text.split("|"):
        tag, _, value = field.partition("=")
        message.set_field(int(tag), value)
    return message


@pytest.mark.parametrize(
    ("text", "symbol", "state"),
    [
        ("35=f|55=AAPL|326=2|60=20260302-12:00:00.000", "AAPL", MarketState.HALTED),
        ("35=f|55=AAPL|326=17", "AAPL", MarketState.OPEN),
        ("35=f|55=AAPL|326=18", "AAPL", MarketState.CLOSED),
        ("35=h|336=DAY|340=2", "", MarketState.OPEN),
        ("35=h|336=DAY|340=3", "", MarketState.CLOSED),
        ("35=h|336=DAY|340=1|58=fire", "", MarketState.HALTED),
    ],
)
def test_phases(text: str, symbol: str, state: MarketState) -> None:
    phase = fix_market.phase_from(said(text), EPOCH)

    assert phase is not None
    assert (phase.symbol, phase.state, phase.epoch) == (symbol, state, EPOCH)


@pytest.mark.parametrize("text", ["35=f|55=AAPL|326=20", "35=f|326=2", "35=h|336=DAY|340=0"])
def test_what_says_nothing_about_trading_is_no_phase(text: str) -> None:
    assert fix_market.phase_from(said(text), EPOCH) is None


def test_a_request_names_every_symbol_and_kind_of_entry() -> None:
    message = fix_market.market_data_request("r", ["AAPL", "BRK.B"])

    assert [group.get_field(55) for group in message.get_groups(146)] == ["AAPL", "BRK.B"]
    assert [group.get_field(269) for group in message.get_groups(267)] == list("0124578B")
    assert message.get_field(263) == "1"


def test_a_step_of_nothing_is_the_smallest_step() -> None:
    (instrument,), _ = fix_market.instruments_from(body("146=1|55=AAPL|561=0|969=0"))

    assert (instrument.lot_size, instrument.tick_size_micros) == (1, 1)


def test_a_number_of_shares_may_have_decimals_but_no_more_digits_than_the_bus_carries() -> None:
    (tick,) = TickReader(EPOCH).increments(body("268=1|279=0|269=B|55=AAPL|271=100.00"))
    assert tick.volume == 100
    with pytest.raises(UnreadableMarketData):
        TickReader(EPOCH).increments(body("268=1|279=0|269=B|55=AAPL|271=9999999999999999999"))
