"""Records of the contract are read from canonical JSON and written back the same."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from stockmesh import UnexpectedAnswer
from stockmesh.models import (
    Bar,
    Instrument,
    MarketState,
    MarketStatus,
    Order,
    OrderPage,
    OrderState,
    OrderUpdate,
    Placement,
    PriceState,
    Quote,
    StockPrice,
    TimelineEntry,
)
from stockmesh.models.wire import Model, canonical, read
from tests.unit.stockmesh.scripted import a_quote, an_order, an_update

CANONICAL: list[tuple[type[Model], dict[str, Any]]] = [
    (Quote, a_quote()),
    (Quote, a_quote(price="", previousClose="", quoteTime="2026-09-01T12:00:00.250000Z", state="STALE")),
    (Instrument, {"symbol": "BRK.B", "name": "Berkshire", "exchange": "XNYS", "currency": "USD", "tickSize": "0.01"}
     | {"lotSize": "1", "maxQuantity": "100000", "tradable": True}),
    (MarketStatus, {"state": "OPEN", "since": "2026-09-01T00:00:00Z", "feedAgeMs": "12", "pricedInstruments": 503}
     | {"timeZone": "America/New_York", "sessionOpen": "2026-09-01T13:30:00Z", "sessionClose": "2026-09-01T20:00:00Z"}),
    (StockPrice, {"quote": a_quote(), "bars": [{"startTime": "2026-09-01T12:00:00Z", "open": "1.00", "high": "2.00"}
     | {"low": "0.50", "close": "1.50", "volume": "10", "final": True}]}
     | {"interval": "1min", "sources": ["simulated"]}),
    (TimelineEntry, {"event": "CREATED", "eventTime": "2026-09-01T12:00:00Z", "detail": "by the user"}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "raw"), CANONICAL, ids=[kind.__name__ for kind, _ in CANONICAL])
def test_what_was_read_is_written_the_same(kind: type[Model], raw: dict[str, Any]) -> None:
    assert canonical(read(kind, raw)) == raw


def test_an_order_is_read_with_exact_money_and_aware_times() -> None:
    order = read(Order, an_order(averagePrice="190.123457", filledQuantity="10", state="FILLED"))

    assert (order.average_price, order.filled_quantity, order.state) == (Decimal("190.123457"), 10, OrderState.FILLED)
    assert order.state.is_final
    assert order.limit_price is None
    assert order.create_time == datetime(2026, 9, 1, 12, 0, 0, 123, tzinfo=UTC)
    assert order.close_time is None


def test_lists_and_nested_records_are_read() -> None:
    page = read(OrderPage, {"orders": [an_order(), an_order(orderId="o-2")], "nextPageToken": "t"})
    update = read(OrderUpdate, an_update("p-2", "p-1", kind="FILL"))
    placement = read(Placement, {"order": an_order(), "replayed": True})

    assert [order.order_id for order in page.orders] == ["o-1", "o-2"]
    assert (update.previous, update.event.kind, update.order.symbol) == ("p-1", "FILL", "AAPL")
    assert placement.replayed


def test_what_a_newer_server_says_is_read_as_far_as_it_is_known() -> None:
    quote = read(Quote, a_quote(state="AUCTION", greeks={"delta": "1"}))

    assert quote.state is PriceState.UNRECOGNIZED
    assert read(MarketStatus, {"state": "LUNCH"}).state is MarketState.UNRECOGNIZED


@pytest.mark.parametrize("raw", [None, [], "quote", {}, {"symbol": 7}, a_quote(price="much"), a_quote(volume="1.5")])
def test_what_is_no_record_is_refused(raw: object) -> None:
    with pytest.raises(UnexpectedAnswer, match="no Quote"):
        read(Quote, raw)


def test_a_quote_knows_its_change_and_its_age() -> None:
    quote = read(Quote, a_quote(price="190.385", previousClose="188.50"))

    assert (quote.change, quote.change_percent) == (Decimal("1.885"), Decimal(1))
    assert quote.age(datetime(2026, 9, 1, 12, 0, 3, tzinfo=UTC)) == 3.0
    assert read(Quote, a_quote(previousClose="0")).change_percent is None
    assert read(Quote, {"symbol": "AAPL"}).change is None
    assert read(Quote, {"symbol": "AAPL"}).age() is None


def test_bars_need_their_prices() -> None:
    with pytest.raises(UnexpectedAnswer):
        read(Bar, {"startTime": "2026-09-01T12:00:00Z", "open": ""})
