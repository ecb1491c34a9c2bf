"""One client's outbox: nothing lossless is dropped, nothing old is sent, and the client's pace is kept."""

import json
from math import inf
from typing import Any

import pytest

from edge.outbox import QUOTES_PER_FRAME, Outbox, Overflow, Watch
from edge.topic import Mode, Topic
from gen.trading.v1.price_pb2 import PriceStatus, Quote

HZ_10 = 0.1


class Desk:
    """An outbox, and a clock that a test turns."""

    def __init__(self, *, max_frames: int = 100, max_bytes: int = 10_000) -> None:
        self.now = 1_000.0
        self.woken: list[float] = []
        self.outbox = Outbox(self.woken.append, max_frames=max_frames, max_bytes=max_bytes)

    def watch(self, symbol: str, *, mode: Mode = Mode.QUOTE, interval: float = HZ_10) -> Topic:
        topic = Topic(symbol)
        topic.hear(a_quote(symbol, 1))
        watch = Watch(self.outbox, topic, mode, interval)
        topic.join(watch)
        watch.wake()
        return topic

    def taken(self) -> list[Any]:
        """Take all that may be sent now, as the writer does."""
        frames = []
        while (frame := self.outbox.take(self.now)) is not None:
            frames.append(json.loads(frame))
        return frames

    def seqs(self) -> list[list[str]]:
        return [[quote["seq"] for quote in frame["params"]["quotes"]] for frame in self.taken()]


def a_quote(symbol: str, seq: int, *, epoch: int = 1) -> Quote:
    return Quote(symbol=symbol, price=f"{seq}.00", epoch=epoch, seq=seq, state=Quote.LIVE)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_lossless_frames_go_first_and_in_order(desk: Desk) -> None:
    topic = desk.watch("A")
    topic.hear(a_quote("A", 2))
    desk.outbox.put(b"1")
    desk.outbox.put_newest("beat", b"9")
    desk.outbox.put(b"2")
    frames = desk.taken()
    assert frames[:3] == [1, 2, 9]
    assert frames[3]["params"]["quotes"][0]["seq"] == "2"


def test_only_the_newest_price_of_a_symbol_is_sent(desk: Desk) -> None:
    one, two = desk.watch("A"), desk.watch("B")
    for seq in range(2, 50):
        one.hear(a_quote("A", seq))
    two.hear(a_quote("B", 7))
    assert desk.seqs() == [["49", "7"]]
    assert desk.outbox.conflated == 47
    assert desk.taken() == []


def test_a_symbol_is_sent_once_in_a_beat_and_the_writer_is_woken_for_the_next(desk: Desk) -> None:
    topic = desk.watch("A")
    sent = 0
    for step in range(1_000):
        desk.now = 1_000.0 + step / 1_000
        topic.hear(a_quote("A", step + 2))
        sent += len(desk.taken())
    assert 10 <= sent <= 11
    assert all(when == 0.0 or when >= 1_000.0 for when in desk.woken)


def test_busy_symbols_of_a_client_go_together_in_one_frame(desk: Desk) -> None:
    topics = [desk.watch(f"S{number}") for number in range(5)]
    for step in range(100):
        desk.now = 1_000.0 + step / 100
        topics[step % 5].hear(a_quote(f"S{step % 5}", step + 2))
        for frame in desk.taken()[1 if step < 20 else 0 :]:
            assert step < 20 or len(frame["params"]["quotes"]) >= 4


def test_a_quiet_symbol_is_sent_at_once(desk: Desk) -> None:
    topic = desk.watch("A", interval=1.0)
    desk.now = 1_000.5
    assert desk.taken() == []
    desk.woken.clear()
    topic.hear(a_quote("A", 2))
    assert desk.woken == [0.0]
    assert desk.seqs() == [["2"]]


def test_the_writer_is_not_woken_for_what_may_not_be_sent_yet(desk: Desk) -> None:
    topic = desk.watch("A", interval=1.0)
    topic.hear(a_quote("A", 2))
    desk.taken()
    topic.hear(a_quote("A", 3))
    desk.taken()
    desk.woken.clear()
    for seq in range(4, 40):
        topic.hear(a_quote("A", seq))
    assert desk.woken == []
    desk.now += 1.0
    assert desk.seqs() == [["39"]]


def test_nothing_is_sent_before_the_subscription_is_answered(desk: Desk) -> None:
    topic = Topic("A")
    topic.hear(a_quote("A", 1))
    watch = Watch(desk.outbox, topic, Mode.QUOTE, HZ_10)
    topic.join(watch)
    topic.hear(a_quote("A", 2))
    assert desk.taken() == []
    watch.wake()
    assert desk.seqs() == [["2"]]


def test_a_dropped_watch_is_sent_no_more(desk: Desk) -> None:
    topic = desk.watch("A")
    topic.hear(a_quote("A", 2))
    (watch,) = topic.watchers
    assert isinstance(watch, Watch)
    desk.outbox.drop(watch)
    assert desk.taken() == []


def test_a_long_list_is_cut_into_frames(desk: Desk) -> None:
    topics = [desk.watch(f"S{number}") for number in range(QUOTES_PER_FRAME + 5)]
    for topic in topics:
        topic.hear(a_quote(topic.symbol, 2))
    assert [len(seqs) for seqs in desk.seqs()] == [QUOTES_PER_FRAME, 5]


def test_a_status_replaces_an_unsent_one_of_its_symbol(desk: Desk) -> None:
    topic, other = desk.watch("A"), desk.watch("B")
    topic.hear_status(PriceStatus(symbol="A", state=Quote.STALE))
    topic.hear_status(PriceStatus(symbol="A", state=Quote.HALTED, reason="news"))
    other.hear_status(PriceStatus(symbol="B", state=Quote.STALE))
    frames = [frame for frame in desk.taken() if frame["method"] == "prices.status"]
    assert [(frame["params"]["symbol"], frame["params"]["state"]) for frame in frames] == [
        ("A", "HALTED"),
        ("B", "STALE"),
    ]


@pytest.mark.parametrize("limits", [{"max_frames": 3}, {"max_bytes": 30}])
def test_too_much_unread_is_an_overflow_and_taking_makes_room(limits: dict[str, int]) -> None:
    desk = Desk(**limits)
    for _ in range(3):
        desk.outbox.put(b"1234567890")
    with pytest.raises(Overflow):
        desk.outbox.put(b"1234567890")
    assert len(desk.taken()) == 3
    desk.outbox.put(b"1234567890")


def test_an_idle_outbox_waits_until_something_comes(desk: Desk) -> None:
    assert desk.taken() == []
    assert desk.outbox.expected == inf
    desk.outbox.put(b"1")
    assert desk.woken == [0.0]
    desk.outbox.clear()
    assert desk.taken() == []
