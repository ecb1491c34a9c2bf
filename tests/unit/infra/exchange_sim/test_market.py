"""Tests of infra/exchange_sim/market.py."""

from itertools import pairwise
from pathlib import Path

import pytest

from infra.exchange_sim.instruments import Instrument, read_instruments
from infra.exchange_sim.market import Market, Memory
from infra.exchange_sim.settings import ExchangeSimSettings
from tests.unit.infra.exchange_sim.factories import an_instrument, micros

RATE = 300.0


def a_market(
    item: Instrument | None = None, *, seed: int = 1, rate: float = RATE, memory: Memory | None = None
) -> Market:
    item = item or an_instrument()
    return Market({item.symbol: item}, seed=seed, day=20_000, ticks_per_second=rate, memory=memory)


def test_the_same_seed_gives_the_same_prices() -> None:
    one, other, third = a_market(), a_market(), a_market(seed=2)

    walks = [[market.step(3) for _ in range(100)] for market in (one, other, third)]

    assert walks[0] == walks[1] != walks[2]


@pytest.mark.parametrize("start", ["0.80", "12.00", "190.00", "8200.00"])
def test_prices_stay_on_the_grid_between_bid_and_ask(start: str) -> None:
    market = a_market(an_instrument(start_micros=micros(start)))

    quotes = [quote for _ in range(3000) for quote in market.step(1)]

    assert all(quote.bid < quote.last < quote.ask for quote in quotes)
    assert all(price % 10_000 == 0 and price > 0 for quote in quotes for price in (quote.bid, quote.last, quote.ask))
    assert len({quote.last for quote in quotes}) > 1


def test_a_day_wanders_some_percent() -> None:
    market = a_market(rate=0.1)

    (quote,) = market.step(8_640)

    assert 0.005 < (quote.high - quote.low) / quote.open < 0.15


def test_sequence_high_low_and_volume_follow_every_move() -> None:
    market = a_market()

    quotes = [market.step(1)[0] for _ in range(500)]

    assert [quote.seq for quote in quotes] == list(range(2, 502))
    assert all(later.volume == earlier.volume + later.size for earlier, later in pairwise(quotes))
    assert quotes[-1].high == max(micros("190.00"), *(quote.last for quote in quotes))
    assert quotes[-1].low == min(micros("190.00"), *(quote.last for quote in quotes))


def test_a_price_never_leaves_its_neighbourhood() -> None:
    market = a_market(an_instrument(start_micros=micros("0.10")))

    quotes = [quote for _ in range(20_000) for quote in market.step(1)]

    assert all(micros("0.02") <= quote.last <= micros("0.50") for quote in quotes)


def test_many_moves_of_a_symbol_are_one_quote() -> None:
    market = a_market()

    (quote,) = market.step(50)

    assert quote.seq == 51
    assert market.quotes["AAPL"] is quote


def test_a_halted_symbol_stands_still() -> None:
    market = a_market()
    market.halted.add("AAPL")

    assert market.step(10) == []


def test_the_day_rolls_to_a_new_open() -> None:
    market = a_market()
    market.step(500)
    last = market.quotes["AAPL"].last

    (quote,) = market.roll(20_001)

    assert {quote.open, quote.high, quote.low, quote.previous_close, quote.last} == {last}
    assert quote.volume == 0
    assert market.day == 20_001


def test_a_market_goes_on_from_its_memory_with_other_moves() -> None:
    first = a_market()
    start = first.step(1)
    memory = first.memory()

    again = a_market(memory=memory)

    assert again.quotes == first.quotes
    assert again.step(1)[0].seq == start[0].seq + 1
    assert again.memory().steps == memory.steps + 1


def test_the_list_holds_the_market_that_people_know() -> None:
    instruments = read_instruments(ExchangeSimSettings().instruments_path)

    assert len(instruments) >= 500
    assert {"AAPL", "MSFT", "BRK.B"} <= instruments.keys()
    assert {(item.tick_micros, item.lot_size, item.max_quantity) for item in instruments.values()} == {
        (10_000, 1, 100_000)
    }
    assert all(item.start_micros > 0 and item.start_micros % 10_000 == 0 for item in instruments.values())


def test_popular_symbols_move_about_every_second() -> None:
    market = Market(read_instruments(ExchangeSimSettings().instruments_path), seed=1, day=1, ticks_per_second=RATE)

    seconds = [market.step(int(RATE)) for _ in range(60)]

    for symbol in ("AAPL", "MSFT"):
        assert sum(any(quote.symbol == symbol for quote in second) for second in seconds) >= 55


def test_a_list_without_instruments_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "instruments.csv"
    empty.write_text("symbol,name\n")

    with pytest.raises(ValueError, match="names no instrument"):
        read_instruments(empty)
