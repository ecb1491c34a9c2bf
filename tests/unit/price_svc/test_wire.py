import pytest

from gen.trading.v1 import price_pb2 as pb
from price_svc import wire
from price_svc.market import Phase
from price_svc.quote import Quote, State
from price_svc.service import MarketStatus, Priced, ToldBar
from runtime.money import InvalidMoney
from tests.unit.price_svc.examples import NOON_NS, a_bar, an_instrument, at

QUOTE = Quote(
    "BRK.B", 190_120_000, 190_110_000, 190_130_000, 189_000_000, 191_500_000, 188_000_001, 187_000_000, 12_345, 7, 9,
    at(1.5), State.HALTED, at(1), "news",
)  # fmt: skip


def test_a_quote_survives_the_wire() -> None:
    batch = pb.QuoteBatch(quotes=[wire.quote_to(QUOTE)], statuses=[wire.status_to(QUOTE)])

    assert wire.quotes_from(pb.QuoteBatch.FromString(batch.SerializeToString())) == [QUOTE]


def test_what_is_unknown_is_absent() -> None:
    message = wire.quote_to(Quote("AAPL"))

    assert message == pb.Quote(symbol="AAPL", state=pb.Quote.STALE)
    assert not message.HasField("quote_time")


def test_money_is_text() -> None:
    message = wire.quote_to(QUOTE)

    assert (message.price, message.low, message.open) == ("190.12", "188.000001", "189.00")


def test_ltp_is_price_version_time_and_state() -> None:
    message = wire.last_price_to(QUOTE)

    assert {field.name for field, _ in message.ListFields()} == {
        "symbol",
        "price",
        "epoch",
        "seq",
        "quote_time",
        "state",
    }


def test_a_quote_is_rendered_once_a_change() -> None:
    messages = wire.QuoteMessages()

    first = messages.of(QUOTE)
    assert messages.of(QUOTE) is first
    assert messages.of(QUOTE._replace(seq=10)) is not first


def test_a_quote_that_is_not_money_is_refused() -> None:
    with pytest.raises(InvalidMoney):
        wire.quotes_from(pb.QuoteBatch(quotes=[pb.Quote(symbol="AAPL", price="1e3")]))


def test_a_tick_without_a_time_was_made_now() -> None:
    assert wire.tick_from(pb.Tick(symbol="AAPL", epoch=1, seq=2), NOON_NS).time_ns == NOON_NS


def test_a_tick_keeps_every_number() -> None:
    message = pb.Tick(
        symbol="AAPL", price_micros=1, size=2, bid_micros=3, ask_micros=4, epoch=5, seq=6, open_micros=7, high_micros=8,
        low_micros=9, previous_close_micros=10, volume=11, snapshot=True,
    )  # fmt: skip
    message.exchange_time.FromNanoseconds(at(1))

    assert tuple(wire.tick_from(message, 0)) == ("AAPL", 1, 2, 3, 4, 5, 6, at(1), 7, 8, 9, 10, 11, True)


@pytest.mark.parametrize("phase", list(Phase))
def test_phases_survive_the_wire(phase: Phase) -> None:
    message = pb.TradingPhase(symbol="AAPL", state=wire.phase_to(phase), reason="why", epoch=3)

    change = wire.phase_from(message, NOON_NS)

    assert (change.phase, change.symbol, change.reason, change.epoch, change.time_ns) == (
        phase,
        "AAPL",
        "why",
        3,
        NOON_NS,
    )


def test_bars_are_told_with_their_interval_sources_and_whether_they_are_final() -> None:
    bars = [ToldBar(a_bar(), at(0), True), ToldBar(a_bar(start_ns=at(60)), at(60), False)]

    message = wire.priced_to(Priced(QUOTE, bars, "1min", ["simulated"]), wire.quote_to(QUOTE))
    assert (message.interval, list(message.sources)) == ("1min", ["simulated"])

    assert [bar.final for bar in message.bars] == [True, False]
    assert message.bars[1].start_time.ToNanoseconds() == at(60)


def test_an_instrument_survives_the_wire() -> None:
    assert wire.instruments_from([wire.instrument_to(an_instrument())]) == (an_instrument(),)


def test_a_market_that_was_never_heard_says_so() -> None:
    message = wire.market_status_to(MarketStatus(Phase.UNKNOWN, 0, -1, 0, "UTC", None))

    assert message == pb.GetMarketStatusResponse(
        state=pb.GetMarketStatusResponse.UNKNOWN, feed_age_ms=-1, time_zone="UTC"
    )
