"""Market data waits, bounded, and newest wins."""

from collections.abc import Sequence

import pytest

from exchange_gw.exchange import Listed, LoggedOn, VenueUnreachable
from exchange_gw.feed import MOST_WAITING, Feed, Outbox, newest_of_each
from exchange_gw.tick import Instrument, MarketState, Phase, Tick
from runtime.errors import Unavailable
from runtime.subjects import TICK_PARTITIONS, partition_of
from tests.unit.exchange_gw.factories import NOON


def a_tick(seq: int = 1, symbol: str = "AAPL", **changes: object) -> Tick:
    return Tick(symbol, 7, seq, 1000, **changes)  # type: ignore[arg-type]  # fields by name


def test_the_newer_tick_wins_field_by_field() -> None:
    older = a_tick(1, price_micros=10, size=3, bid_micros=9, ask_micros=11, high_micros=12, low_micros=8, volume=50)
    newer = a_tick(2, price_micros=13, size=4, bid_micros=10, high_micros=13, low_micros=9, volume=54)

    merged = newer.overtakes(older)

    assert (merged.seq, merged.price_micros, merged.size, merged.bid_micros) == (2, 13, 4, 10)
    assert (merged.ask_micros, merged.high_micros, merged.low_micros, merged.volume) == (11, 13, 8, 54)


def test_a_quote_without_a_trade_keeps_the_last_trade() -> None:
    merged = a_tick(2, bid_micros=10).overtakes(a_tick(1, price_micros=10, size=3))

    assert (merged.price_micros, merged.size, merged.bid_micros) == (10, 3, 10)


def test_a_snapshot_and_another_life_of_the_feed_leave_nothing_of_the_old() -> None:
    older = a_tick(1, price_micros=10, ask_micros=11)
    snapshot = a_tick(2, price_micros=12, snapshot=True)
    reborn = Tick("AAPL", 8, 1, 1000, price_micros=12)

    assert snapshot.overtakes(older) == snapshot
    assert reborn.overtakes(older) == reborn
    assert a_tick(3, bid_micros=1).overtakes(snapshot).snapshot


def test_what_could_not_be_told_comes_before_what_came_since() -> None:
    outbox = Outbox()
    outbox.put(a_tick(1, price_micros=10))
    taken, phases = outbox.take()
    outbox.put(a_tick(2, price_micros=12))

    outbox.give_back(taken, phases)

    ticks, _ = outbox.take()
    assert [(tick.seq, tick.price_micros) for tick in ticks] == [(2, 12)]


def test_an_outbox_that_nobody_empties_keeps_the_newest_of_each_symbol() -> None:
    outbox = Outbox()
    for seq in range(MOST_WAITING + 1):
        outbox.put(a_tick(seq, symbol=f"S{seq % 10}", price_micros=seq + 1))

    ticks, _ = outbox.take()

    assert len(ticks) == 10
    assert max(tick.seq for tick in ticks) == MOST_WAITING
    assert newest_of_each(ticks) == ticks


class Session:
    def __init__(self) -> None:
        self.watched: list[str] = []
        self.epochs: list[int] = []
        self.falls = False

    async def list_instruments(self, *, epoch: int) -> None:
        if self.falls:
            raise VenueUnreachable("fell")
        self.epochs.append(epoch)

    async def watch(self, symbols: Sequence[str]) -> None:
        self.watched = list(symbols)

    def hang_up(self) -> None:
        return None


class Epochs:
    def __init__(self) -> None:
        self.away = False
        self.last = 0

    async def next_logon(self, session: str, *, at_least: int) -> int:
        if self.away:
            raise Unavailable("away")
        self.last = max(at_least, self.last + 1)
        return self.last


class Board:
    def __init__(self) -> None:
        self.instruments: list[Instrument] = []

    def tell(self, instruments: Sequence[Instrument]) -> None:
        self.instruments = list(instruments)


def an_instrument(symbol: str) -> Instrument:
    return Instrument(symbol, symbol, "XNAS", "USD", 10_000, 1, 1000)


@pytest.fixture
def feed() -> Feed:
    made = Feed(Epochs(), Board(), lambda: NOON)
    made.session = Session()
    return made


async def test_every_logon_begins_a_greater_epoch_even_if_clock_and_database_stand_still(feed: Feed) -> None:
    session, epochs = feed.session, feed._epochs
    assert isinstance(session, Session)
    assert isinstance(epochs, Epochs)

    await feed.hear([LoggedOn()])
    await feed.hear([LoggedOn()])
    epochs.away = True
    await feed.hear([LoggedOn()])

    first = int(NOON.timestamp() * 1000)
    assert session.epochs == [first, first + 1, first + 2]


async def test_symbols_are_watched_when_the_list_is_complete(feed: Feed) -> None:
    session, board = feed.session, feed._news
    assert isinstance(session, Session)
    assert isinstance(board, Board)
    await feed.hear([LoggedOn(), Listed((an_instrument("AAPL"),), is_last=False)])
    assert session.watched == []

    await feed.hear([Listed((an_instrument("BRK.B"),), is_last=True)])

    assert session.watched == ["AAPL", "BRK.B"]
    assert [one.symbol for one in board.instruments] == ["AAPL", "BRK.B"]
    assert feed.instruments == 2


async def test_ticks_and_phases_go_to_their_partition_and_the_venues_phase_to_all(feed: Feed) -> None:
    assert feed.age_ms == -1
    halted = Phase("AAPL", MarketState.HALTED, "", NOON, 7)
    closed = Phase("", MarketState.CLOSED, "", NOON, 7)

    await feed.hear([[a_tick(), a_tick(symbol="BRK.B")], halted, closed])

    taken = [outbox.take() for outbox in feed.outboxes]
    apple = taken[partition_of("AAPL", TICK_PARTITIONS)]
    assert "AAPL" in [tick.symbol for tick in apple[0]]
    assert apple[1] == [halted, closed]
    assert all(phases[-1] == closed for _, phases in taken)
    assert 0 <= feed.age_ms < 5000


async def test_a_session_that_falls_as_it_begins_is_survived(feed: Feed) -> None:
    assert isinstance(feed.session, Session)
    feed.session.falls = True

    await feed.hear([LoggedOn()])
