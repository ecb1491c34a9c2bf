"""order_svc/risk.py: each refusal, and the collar."""

import pytest

from order_svc import risk
from order_svc.order import Side, Type
from runtime.money import MICROS
from tests.factories import a_market, an_instrument, some_terms

LIMITS = risk.Limits(max_notional_micros=1_000_000 * MICROS, limit_collar_bps=1_000, market_collar_bps=500)
MARKET_ORDER = {"type": Type.MARKET, "limit_price_micros": 0}


@pytest.mark.parametrize(
    ("terms", "market", "refusal"),
    [
        ({}, {"instrument": None}, risk.UnknownSymbol),
        ({}, {"instrument": an_instrument(tradable=False)}, risk.SymbolNotTradable),
        ({"quantity": 5}, {"instrument": an_instrument(lot_size=10)}, risk.QuantityOffLot),
        ({"quantity": 100_001}, {}, risk.QuantityTooLarge),
        ({"limit_price_micros": 190_125_000}, {}, risk.PriceOffTick),
        ({}, {"trading_state": "HALTED"}, risk.TradingHalted),
        ({}, {"trading_state": "REDUCING"}, risk.TradingReducing),
        ({}, {"venue_open": False}, risk.MarketClosed),
        ({}, {"symbol_halted": True}, risk.SymbolHalted),
        ({}, {"last_price_micros": 0}, risk.PriceStale),
        (MARKET_ORDER, {"last_price_micros": 0}, risk.PriceStale),
        ({"limit_price_micros": 209_010_000}, {}, risk.PriceOutsideCollar),
        ({"side": Side.SELL, "limit_price_micros": 170_990_000}, {}, risk.PriceOutsideCollar),
        ({"quantity": 10_000}, {}, risk.NotionalTooLarge),
        ({**MARKET_ORDER, "quantity": 10_000}, {}, risk.NotionalTooLarge),
    ],
)
def test_what_must_not_reach_the_exchange_is_refused(
    terms: dict[str, object], market: dict[str, object], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        risk.check(some_terms(**terms), a_market(**market), LIMITS)


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"limit_price_micros": 209_000_000},
        {"limit_price_micros": 10_000},
        {"side": Side.SELL, "limit_price_micros": 900_000_000, "quantity": 1},
    ],
)
def test_a_price_within_the_collar_or_on_the_harmless_side_passes_unchanged(terms: dict[str, object]) -> None:
    assert risk.check(some_terms(**terms), a_market(), LIMITS) == some_terms(**terms)


def test_reducing_lets_sells_through() -> None:
    sell = some_terms(side=Side.SELL)

    assert risk.check(sell, a_market(trading_state="REDUCING"), LIMITS) == sell


def test_a_market_order_gets_a_disclosed_collar_on_the_tick_grid() -> None:
    buy = risk.check(some_terms(**MARKET_ORDER), a_market(last_price_micros=190_130_000), LIMITS)
    sell = risk.check(some_terms(**MARKET_ORDER, side=Side.SELL), a_market(last_price_micros=190_130_000), LIMITS)

    assert (buy.collar_price_micros, sell.collar_price_micros) == (199_630_000, 180_630_000)


def test_a_refusal_tells_the_limit_and_what_was_asked_for() -> None:
    with pytest.raises(risk.PriceOutsideCollar) as refusal:
        risk.check(some_terms(limit_price_micros=250_000_000), a_market(), LIMITS)

    assert refusal.value.metadata == {"limit": "209.00", "actual": "250.00", "reference": "190.00"}
