"""The hub: newer wins, bytes are made once, and what nobody watches is forgotten."""

import json

import pytest

from edge import topic as topics
from edge.hub import Hub
from edge.topic import Mode, Topic
from gen.trading.v1.price_pb2 import PriceStatus, Quote, QuoteBatch


class Ear:
    """A watcher that counts."""

    def __init__(self, topic: Topic) -> None:
        self.offers = 0
        self.statuses: list[bytes] = []
        self._topic = topic

    def offer(self) -> None:
        self.offers += 1
        self._topic.await_change(self)

    def tell(self, status: bytes) -> None:
        self.statuses.append(status)


def a_quote(seq: int, *, epoch: int = 1, state: "Quote.State.ValueType" = Quote.LIVE) -> Quote:
    return Quote(symbol="AAPL", price="1.00", epoch=epoch, seq=seq, state=state)


def a_batch(*quotes: Quote, sequence: int = 0, statuses: tuple[PriceStatus, ...] = ()) -> QuoteBatch:
    return QuoteBatch(quotes=quotes, ticks_sequence=sequence, statuses=statuses)


def watched(hub: Hub) -> tuple[Topic, Ear]:
    (topic,) = hub.hold(["AAPL"])
    ear = Ear(topic)
    topic.join(ear)
    return topic, ear


def test_a_version_never_goes_back() -> None:
    hub = Hub()
    topic, ear = watched(hub)
    for quote in (a_quote(5), a_quote(4), a_quote(5), a_quote(9), a_quote(1, epoch=2), a_quote(99, epoch=1)):
        hub.hear("quotes.live.0", a_batch(quote))
    assert topic.quote is not None
    assert (topic.quote.epoch, topic.quote.seq, ear.offers) == (2, 1, 3)


def test_a_watcher_is_offered_the_next_price_only_when_it_waits_for_one() -> None:
    class Deaf(Ear):
        def offer(self) -> None:
            self.offers += 1

    topic = Topic("AAPL")
    deaf = Deaf(topic)
    topic.join(deaf)
    for seq in (1, 2, 3):
        topic.hear(a_quote(seq))
    assert deaf.offers == 1
    topic.await_change(deaf)
    topic.hear(a_quote(4))
    assert (deaf.offers, topic.changes) == (2, 4)


def test_another_state_of_the_same_version_is_news() -> None:
    hub = Hub()
    topic, ear = watched(hub)
    hub.hear("quotes.live.0", a_batch(a_quote(5)))
    hub.hear("quotes.live.0", a_batch(a_quote(5, state=Quote.STALE)))
    assert ear.offers == 2
    assert json.loads(topic.text(Mode.QUOTE))["state"] == "STALE"


def test_a_snapshot_never_replaces_what_was_heard_of_the_same_version() -> None:
    hub = Hub()
    topic, ear = watched(hub)
    hub.hear("quotes.live.0", a_batch(a_quote(5, state=Quote.HALTED)))
    topic.catch_up(a_quote(5))
    topic.catch_up(a_quote(4))
    assert topic.quote is not None
    assert (topic.quote.state, ear.offers) == (Quote.HALTED, 1)
    topic.catch_up(a_quote(6))
    assert topic.quote.seq == 6


def test_bytes_are_made_once_for_all_watchers(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Quote] = []

    def render(quote: Quote) -> bytes:
        made.append(quote)
        return b"{}"

    monkeypatch.setattr(topics, "json_of", render)
    topic = Topic("AAPL")
    topic.hear(a_quote(1))
    assert {topic.text(Mode.QUOTE) for _ in range(1_000)} == {b"{}"}
    topic.hear(a_quote(2))
    topic.text(Mode.QUOTE)
    assert len(made) == 2


def test_ltp_holds_only_what_a_list_of_prices_needs() -> None:
    topic = Topic("AAPL")
    topic.hear(a_quote(3))
    assert json.loads(topic.text(Mode.LTP)) == {
        "symbol": "AAPL",
        "price": "1.00",
        "epoch": "1",
        "seq": "3",
        "state": "LIVE",
    }


def test_a_status_changes_the_quote_and_is_told() -> None:
    hub = Hub()
    topic, ear = watched(hub)
    hub.hear("quotes.live.0", a_batch(a_quote(1)))
    status = PriceStatus(symbol="AAPL", state=Quote.HALTED, reason="news")
    hub.hear("quotes.live.0", a_batch(statuses=(status, PriceStatus(symbol="MSFT"))))
    assert json.loads(topic.text(Mode.QUOTE))["state"] == "HALTED"
    assert [json.loads(text)["reason"] for text in ear.statuses] == ["news"]


def test_a_held_symbol_hears_before_anybody_watches_it() -> None:
    hub = Hub()
    (topic,) = hub.hold(["AAPL"])
    hub.hear("quotes.live.0", a_batch(a_quote(3)))
    assert topic.quote is not None
    hub.release([topic])
    assert hub.watched_symbols == 0


def test_a_symbol_is_forgotten_with_the_last_who_holds_it() -> None:
    hub = Hub()
    (topic,) = hub.hold(["AAPL"])
    (again,) = hub.hold(["AAPL"])
    assert again is topic
    hub.release([topic])
    assert hub.watched_symbols == 1
    hub.release([topic])
    assert hub.watched_symbols == 0


def test_the_feed_is_as_old_as_its_last_news() -> None:
    hub = Hub()
    assert hub.feed_age_ms == -1
    hub.hear("quotes.live.0", a_batch(a_quote(1), sequence=7))
    assert 0 <= hub.feed_age_ms < 1_000
    hub._heard_at = 0.0
    hub.hear("quotes.live.0", a_batch(a_quote(1), sequence=7))
    assert hub.feed_age_ms > 1_000, "a repetition is no news"
    hub.hear("quotes.live.1", a_batch(a_quote(1), sequence=7))
    assert hub.feed_age_ms < 1_000, "another partition counts for itself"
