from datetime import timedelta

from price_svc import documents
from tests.unit.price_svc.examples import a_bar, a_tick, an_instrument, at


def test_a_bar_survives_its_document() -> None:
    assert documents.bar_from(documents.bar_to(a_bar())) == a_bar()


def test_bars_of_days_are_kept_for_ever() -> None:
    assert "expire_time" in documents.bar_to(a_bar())
    assert "expire_time" not in documents.bar_to(a_bar(interval=86_400))


def test_an_instrument_survives_its_document() -> None:
    assert documents.instrument_from(documents.instrument_to(an_instrument())) == an_instrument()


def test_ticks_lie_in_columns() -> None:
    document = documents.ticks_to([a_tick(seq=1), a_tick(seq=2, price_micros=5)], kept=timedelta(days=1))

    assert document["_id"] == "AAPL|1|1"
    assert (document["seq"], document["price_micros"]) == ([1, 2], [190_000_000, 5])
    assert document["expire_time"] - document["time"] == timedelta(days=1)
    assert documents.ns_of(document["time"]) == at(1)
