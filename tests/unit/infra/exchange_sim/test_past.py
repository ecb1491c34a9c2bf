"""The seeded past: charts that are full, that agree with one another, and that end where the market begins."""

from itertools import pairwise
from pathlib import Path

from infra.exchange_sim.instruments import Instrument
from infra.exchange_sim.past import DAY, FIVE_MINUTES, HOUR, MINUTE, NAMES, Past, PastBar
from infra.exchange_sim.past_file import lines
from infra.exchange_sim.settings import ExchangeSimSettings

# 2026-03-02 12:34:56 UTC.
END = 1_772_454_896
ITEM = Instrument(
    symbol="AAPL",
    name="Apple Inc.",
    exchange="XNAS",
    currency="USD",
    tick_micros=10_000,
    lot_size=1,
    max_quantity=100_000,
    start_micros=210_000_000,
    popularity=20,
)


def a_past(*, seed: int = 1, end: int = END, opened: int = 21_000, last: int = 21_000) -> dict[int, list[PastBar]]:
    return Past(ITEM, 2.0, seed=seed, end=end, opened=opened, last=last).bars()


PAST = a_past()


def test_every_chart_is_full_until_the_market_begins() -> None:
    for interval, days in ((MINUTE, 1), (FIVE_MINUTES, 7), (HOUR, 31)):
        bars, now = PAST[interval], END - END % MINUTE
        assert bars[0].start <= now - days * DAY
        assert bars[-1].start < now <= bars[-1].start + interval
        assert all(after.start - before.start == interval for before, after in pairwise(bars))
    assert len(PAST[DAY]) == 365
    assert PAST[DAY][-1].start == END // DAY * DAY - DAY


def test_it_ends_with_the_first_price_of_the_market_without_a_jump() -> None:
    for interval in (MINUTE, FIVE_MINUTES, HOUR):
        bars = a_past(opened=20_500, last=21_234)[interval]
        assert bars[-1].close == 21_234
        assert all(before.close == after.open for before, after in pairwise(bars))
    assert a_past(opened=20_500, last=21_234)[DAY][-1].close == 20_500


def test_coarse_bars_are_what_fine_ones_add_up_to() -> None:
    for fine, coarse in ((MINUTE, FIVE_MINUTES), (FIVE_MINUTES, HOUR), (HOUR, DAY)):
        for bar in PAST[coarse][-5:]:
            parts = [part for part in PAST[fine] if bar.start <= part.start < bar.start + coarse]
            assert bar == PastBar(
                bar.start,
                parts[0].open,
                max(part.high for part in parts),
                min(part.low for part in parts),
                parts[-1].close,
                sum(part.volume for part in parts),
            )


def test_every_bar_is_one() -> None:
    for bars in PAST.values():
        assert all(0 < bar.low <= min(bar.open, bar.close) for bar in bars)
        assert all(bar.high >= max(bar.open, bar.close) for bar in bars)
        assert all(bar.volume > 0 for bar in bars)


def test_the_same_seed_gives_the_same_past_and_another_one_another() -> None:
    assert a_past() == PAST
    assert a_past(seed=2) != PAST
    later = a_past(end=END + 600)
    assert later[DAY] == PAST[DAY]
    assert later[HOUR][:-14] == PAST[HOUR][: len(later[HOUR]) - 14]


def test_the_file_says_that_it_is_simulated_and_what_is_looked_at_most_comes_first(tmp_path: Path) -> None:
    rare = Instrument(
        **{**{name: getattr(ITEM, name) for name in ITEM.__struct_fields__}, "symbol": "A", "popularity": 1}
    )
    settings = ExchangeSimSettings(ledger_path=tmp_path / "ledger.jsonl")

    text = "".join(lines(settings, {"A": rare, "AAPL": ITEM}, end=END)).splitlines()

    assert text[0] == "# source: simulated"
    assert text[2].startswith("AAPL,1d,2025-03-0")
    assert text[-1].startswith("A,1min,2026-03-02T12:33:00Z,")
    assert {line.split(",")[1] for line in text[2:]} == set(NAMES.values())
