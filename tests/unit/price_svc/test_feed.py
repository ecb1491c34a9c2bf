from price_svc.market import Phase
from price_svc.quote import Quote, State
from tests.unit.price_svc.examples import World, a_bar, a_phase, a_tick, at


def test_a_tick_is_kept_and_told() -> None:
    world = World()

    world.feed.apply([a_tick(seq=1), a_tick(seq=2, price_micros=5)])

    assert [tick.seq for tick in world.history.ticks] == [1, 2]
    assert [quote.price_micros for quote in world.announcer.said] == [5]
    assert [quote.state for quote in world.announcer.turned] == [State.LIVE]


def test_what_is_not_newer_leaves_no_trace() -> None:
    world = World()
    world.feed.apply([a_tick(seq=5)])
    world.announcer.said.clear()

    world.feed.apply([a_tick(seq=5), a_tick(seq=4)])

    assert world.announcer.said == []
    assert len(world.history.ticks) == 1
    assert world.quote().volume == 100


def test_absurd_ticks_are_counted_and_the_others_taken() -> None:
    world = World()

    world.feed.apply([a_tick(price_micros=-1), a_tick(symbol="MSFT")])

    assert world.feed.implausible_ticks == 1
    assert world.board.quote("AAPL") is None
    assert world.board.quote("MSFT") is not None


def test_silence_is_told() -> None:
    world = World()
    world.feed.apply([a_tick()])
    world.clock.now_ns = at(1_000)

    world.feed.sweep()
    world.feed.sweep()

    assert [quote.state for quote in world.announcer.turned] == [State.LIVE, State.STALE]


def test_phases_of_the_venue_are_told_once() -> None:
    world = World()

    world.feed.apply([], [a_phase(Phase.OPEN), a_phase(Phase.OPEN), a_phase(Phase.CLOSED)])

    assert world.announcer.phases == [Phase.OPEN, Phase.CLOSED]


def test_bars_are_handed_over_when_they_are_final() -> None:
    world = World()
    world.feed.apply([a_tick(time_ns=at(1))])
    world.feed.hand_over_bars()
    assert world.history.final == []
    assert {bar.interval for bar in world.history.unfinished} == {60, 300, 3_600}

    world.clock.now_ns = at(66)
    world.feed.hand_over_bars()

    assert [bar.interval for bar in world.history.final] == [60]
    assert {bar.interval for bar in world.history.unfinished} == {300, 3_600}


def test_a_day_that_ended_is_kept() -> None:
    world = World()
    world.feed.apply([a_tick(seq=1, price_micros=7)])
    world.clock.now_ns = at(43_300)
    world.feed.apply([a_tick(seq=2, price_micros=9, time_ns=at(43_300))])

    world.feed.hand_over_bars()

    (day,) = [bar for bar in world.history.final if bar.interval == 86_400]
    assert (day.close_micros, day.volume) == (7, 100)


def test_quotes_of_other_owners_are_not_said_again() -> None:
    world = World()
    told = Quote("AAPL", price_micros=5, epoch=1, seq=3, time_ns=at(1), state=State.LIVE)

    world.feed.hear([told], Phase.OPEN)

    assert world.quote().price_micros == 5
    assert world.announcer.said == []
    assert world.prices.market_status().phase is Phase.OPEN


async def test_an_earlier_life_goes_on() -> None:
    world = World()
    world.history.unfinished = [a_bar(open_micros=3, high_micros=9, low_micros=2, close_micros=5, volume=7)]
    kept = Quote("AAPL", price_micros=5, open_micros=3, volume=7, epoch=1, seq=3, time_ns=at(1), state=State.LIVE)

    await world.feed.restore([kept], Phase.OPEN)
    world.feed.apply([a_tick(epoch=1, seq=4, price_micros=10, size=1)])

    assert world.quote().volume == 8
    (bar,) = world.book.open_bars("AAPL", 60)
    assert (bar.open_micros, bar.high_micros, bar.volume) == (3, 10, 8)
    assert world.announcer.phases == [Phase.OPEN]


async def test_a_dead_database_does_not_hold_up_the_start() -> None:
    world = World()
    world.history.is_away = True
    kept = Quote("AAPL", price_micros=5, epoch=1, seq=3, time_ns=at(1))

    await world.feed.restore([kept], Phase.UNKNOWN)

    assert world.quote().price_micros == 5
