from price_svc import blocks
from price_svc.bar import DAY, KEPT_DAYS, MINUTE
from price_svc.documents import ns_of
from price_svc.quote import DAY_NS
from tests.unit.price_svc.examples import NOON_NS, a_bar, at


def test_bars_survive_their_block() -> None:
    bars = [a_bar(start_ns=at(60 * nth), volume=nth, close_micros=10**14 + nth) for nth in (0, 1, 5, 600)]

    document = blocks.block_to("some", blocks.block_of(MINUTE, NOON_NS), bars, for_good=False)

    assert list(blocks.block_from(document)) == bars
    assert document["count"] == 4


def test_a_block_expires_with_its_last_bar_unless_it_is_of_days_or_for_good() -> None:
    bars = [a_bar(), a_bar(start_ns=at(60))]

    document = blocks.block_to("some", NOON_NS, bars, for_good=False)

    assert ns_of(document["expire_time"]) == at(60) + KEPT_DAYS[MINUTE] * DAY_NS
    assert "expire_time" not in blocks.block_to("some", NOON_NS, bars, for_good=True)
    assert "expire_time" not in blocks.block_to("some", NOON_NS, [a_bar(interval=DAY)], for_good=False)


def test_a_year_of_days_is_few_blocks_and_a_day_of_minutes_is_one() -> None:
    noon_day = NOON_NS - NOON_NS % DAY_NS
    minutes = {blocks.block_of(MINUTE, noon_day + 60 * 10**9 * nth) for nth in range(1_440)}
    days = {blocks.block_of(DAY, noon_day + DAY_NS * nth) for nth in range(366)}

    assert (len(minutes), len(days)) in {(1, 1), (1, 2)}
