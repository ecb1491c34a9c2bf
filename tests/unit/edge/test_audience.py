"""Clients that want the same get the same bytes; whoever is out of step gets exactly what is missing, and nothing goes back."""

import random

import pytest

from edge import audience as audiences
from edge.audience import QUOTES_PER_FRAME
from edge.audiences import SEATS_PER_AUDIENCE
from edge.topic import Mode
from gen.trading.v1.price_pb2 import PriceStatus, Quote
from tests.unit.edge.desk import Desk, Reader


def test_all_of_an_audience_get_the_very_same_bytes() -> None:
    desk, readers = Desk("A", "B"), [Reader() for _ in range(3)]
    for reader in readers:
        desk.sit(reader)
    desk.tick(2)
    desk.turn()
    assert readers[0].frames[0] is readers[1].frames[0] is readers[2].frames[0]
    assert readers[0].updates() == [{"A": 2, "B": 2}]


def test_only_the_newest_price_of_a_beat_is_sent() -> None:
    desk, reader = Desk("A", "B"), Reader()
    desk.sit(reader)
    for seq in range(2, 50):
        desk.tick(seq, "A")
    desk.tick(7, "B")
    desk.turn()
    assert reader.updates() == [{"A": 49, "B": 7}]
    desk.turn(10)
    assert reader.updates() == []


@pytest.mark.parametrize("hz", [1, 10, 50])
def test_a_symbol_is_sent_once_in_a_beat(hz: float) -> None:
    desk, reader = Desk("A"), Reader()
    desk.sit(reader, hz=hz)
    for step in range(2_000):
        desk.tick(step + 2)
        desk.turn(0.001)
    assert 2 * hz <= len(reader.updates()) <= 2 * hz + 1


def test_busy_symbols_go_together_and_a_quiet_one_does_not_wait_for_their_beat() -> None:
    desk, reader = Desk("A", "B", "Q"), Reader()
    desk.sit(reader, hz=1)
    desk.tick(2, "A", "B")
    desk.turn(0.5)
    desk.tick(3, "A", "B")
    desk.turn(0.1)
    reader.updates()
    desk.tick(2, "Q")
    desk.turn(audiences.GAP_SECONDS)
    assert [update for update in reader.updates() if "Q" in update] == [{"Q": 2}]


def test_nobody_gets_frames_faster_than_the_fastest_pace() -> None:
    symbols = [f"S{number}" for number in range(40)]
    desk, reader = Desk(*symbols), Reader()
    desk.sit(reader, hz=50)
    for step in range(1_000):
        desk.tick(step + 2, symbols[step % 40])
        desk.turn(0.001)
    updates = reader.updates()
    assert len(updates) <= 51
    assert sum(len(update) for update in updates) >= 900, "joined, not dropped"


def test_a_client_that_did_not_read_gets_the_newest_of_all_it_missed_and_is_then_one_of_the_others() -> None:
    desk, slow, fast = Desk("A", "B", "C"), Reader(), Reader()
    seat = desk.sit(slow)
    desk.sit(fast)
    desk.tick(2, "C")
    desk.turn(1)
    slow.updates()
    slow.is_ready = False
    for seq in range(3, 8):
        desk.tick(seq, "A", "B")
        desk.turn(1)
    assert slow.frames == []
    assert len(fast.updates()) == 6
    slow.is_ready = True
    assert seat.catch_up() == 8, "ten updates were missed, two bring the newest"
    assert slow.updates() == [{"A": 7, "B": 7}]
    desk.tick(9)
    desk.turn(1)
    assert slow.frames[0] is fast.frames[0]


def test_what_was_caught_up_is_not_sent_again_at_the_next_beat() -> None:
    desk, slow = Desk("A", "B"), Reader()
    seat = desk.sit(slow, hz=1)
    slow.is_ready = False
    desk.tick(2)
    desk.turn(1)
    desk.tick(3, "A")
    slow.is_ready = True
    seat.catch_up()
    assert slow.updates() == [{"A": 3, "B": 2}]
    desk.turn(5)
    assert slow.updates() == []


def test_a_client_that_stops_again_while_it_catches_up_loses_nothing() -> None:
    symbols = [f"S{number}" for number in range(QUOTES_PER_FRAME * 2 + 3)]
    desk, slow = Desk(*symbols), Reader()
    seat = desk.sit(slow)
    slow.is_ready = False
    desk.tick(2)
    desk.turn(1)
    slow.is_ready = True

    def take_one(frame: bytes) -> None:
        slow.frames.append(frame)
        slow.is_ready = False

    slow.write = take_one
    seen: dict[str, int] = {}
    for _ in range(3):
        slow.is_ready = True
        seat.catch_up()
        (update,) = slow.updates()
        assert not seen.keys() & update.keys()
        seen |= update
    assert seen == dict.fromkeys(symbols, 2)


def test_a_newcomer_does_not_get_what_its_snapshot_said() -> None:
    desk, first, second = Desk("A", "B"), Reader(), Reader()
    desk.sit(first, hz=1)
    desk.tick(2)
    desk.turn(1)
    desk.tick(3)
    desk.sit(second, hz=1)
    desk.tick(4, "B")
    desk.turn(1)
    assert first.updates()[-1] == {"A": 3, "B": 4}
    assert second.updates() == [{"B": 4}]
    desk.tick(5)
    desk.turn(1)
    assert first.frames[-1] is second.frames[-1]


def test_a_newcomer_that_has_less_than_the_others_gets_the_rest_at_once() -> None:
    desk, first, second = Desk("A", "B"), Reader(), Reader()
    desk.sit(first)
    had = {topic: topic.changes for topic in desk.topics.values()}
    desk.tick(2, "A")
    desk.turn(1)
    desk.sit(second, told=had)
    assert second.updates() == [{"A": 2}]


def test_ltp_and_quote_are_audiences_of_their_own() -> None:
    desk, brief, full = Desk("A"), Reader(), Reader()
    desk.sit(brief, mode=Mode.LTP)
    desk.sit(full, mode=Mode.QUOTE)
    desk.tick(2)
    desk.turn()
    assert b"bid" not in brief.frames[0]
    assert b"bid" in full.frames[0]


def test_a_large_audience_is_split_and_an_empty_one_ends() -> None:
    desk = Desk("A")
    readers = [Reader() for _ in range(SEATS_PER_AUDIENCE + 1)]
    seats = [desk.sit(reader) for reader in readers]
    assert len(desk.topics["A"].watchers) == 2
    desk.tick(2)
    desk.turn(1)
    assert all(reader.updates() == [{"A": 2}] for reader in readers)
    for seat in seats:
        desk.audiences.leave(seat)
    assert not desk.topics["A"].watchers
    desk.tick(3)
    desk.turn(1)
    assert not any(reader.frames for reader in readers)


def test_a_long_list_is_cut_into_frames() -> None:
    symbols = [f"S{number}" for number in range(QUOTES_PER_FRAME + 5)]
    desk, reader = Desk(*symbols), Reader()
    desk.sit(reader)
    desk.tick(2)
    desk.turn()
    assert [len(update) for update in reader.updates()] == [QUOTES_PER_FRAME, 5]


def test_a_change_of_state_is_told_to_each() -> None:
    desk, readers = Desk("A", "B"), [Reader(), Reader()]
    for reader in readers:
        desk.sit(reader)
    desk.topics["A"].hear_status(PriceStatus(symbol="A", state=Quote.HALTED, reason="news"))
    for reader in readers:
        ((kind, frame),) = reader.told
        assert kind == "status A"
        assert b'"HALTED"' in frame


class Crowd:
    """Clients that come, go, stop and go on by chance."""

    def __init__(self, desk: Desk, chance: random.Random, size: int) -> None:
        self._desk, self._chance = desk, chance
        self.readers = [Reader() for _ in range(size)]
        self.seats = [desk.sit(reader, hz=self._pace()) for reader in self.readers]
        self.seen: list[dict[str, int]] = [{} for _ in self.readers]

    def _pace(self) -> float:
        return self._chance.choice([1, 10, 50])

    def stir(self) -> None:
        at = self._chance.randrange(len(self.readers))
        reader, seat = self.readers[at], self.seats[at]
        if self._chance.random() < 0.1:
            reader.is_ready = not reader.is_ready
            seat.catch_up()
        if self._chance.random() < 0.05:
            told = seat.audience.told(seat)
            self._desk.audiences.leave(seat)
            self.seats[at] = self._desk.sit(reader, hz=self._pace(), told=told)

    def read(self) -> None:
        for reader, known in zip(self.readers, self.seen, strict=True):
            for symbol, seq in (pair for update in reader.updates() for pair in update.items()):
                assert seq > known.get(symbol, 1)
                known[symbol] = seq

    def resume(self) -> None:
        for reader, seat in zip(self.readers, self.seats, strict=True):
            reader.is_ready = True
            seat.catch_up()


@pytest.mark.parametrize("seed", range(5))
def test_whatever_happens_versions_go_up_and_the_last_price_arrives(seed: int) -> None:
    chance, desk = random.Random(seed), Desk("A", "B", "C")
    crowd = Crowd(desk, chance, size=6)
    for seq in range(2, 1_000):
        desk.tick(seq, chance.choice("ABC"))
        crowd.stir()
        desk.turn(chance.choice([0.0, 0.001, 0.02]))
        crowd.read()
    crowd.resume()
    desk.turn(2)
    crowd.read()
    newest = {symbol: topic.quote.seq for symbol, topic in desk.topics.items() if topic.quote is not None}
    assert crowd.seen == [newest] * len(crowd.readers)
