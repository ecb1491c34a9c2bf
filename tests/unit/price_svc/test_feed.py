from price_svc.market import Phase
from price_svc.quote import Quote, State
from tests.unit.price_svc.examples import World, a_phase, a_tick, at


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

    world.clock.now_ns = at(66)
    world.feed.hand_over_bars()

    assert [bar.interval for bar in world.history.final] == [60]


def test_bars_of_a_lease_that_is_over_are_not_ours_to_keep() -> None:
    world = World()
    world.feed.apply([a_tick(time_ns=at(1))])
    world.clock.now_ns = at(66)
    world.right.held = False

    world.feed.hand_over_bars()

    assert world.history.final == []


def test_a_day_that_ended_is_kept() -> None:
    world = World()
    world.feed.apply([a_tick(seq=1, price_micros=7)])
    world.clock.now_ns = at(43_300)
    world.feed.apply([a_tick(seq=2, price_micros=9, time_ns=at(43_300))])

    world.feed.hand_over_bars()

    (day,) = [bar for bar in world.history.final if bar.interval == 86_400]
    assert (day.close_micros, day.volume) == (7, 100)


def test_quotes_of_other_owners_are_not_said_again() -> None:
    world = World(owner=False)
    told = Quote("AAPL", price_micros=5, epoch=1, seq=3, time_ns=at(1), state=State.LIVE)

    world.feed.hear([told], a_phase(Phase.OPEN))

    assert world.quote().price_micros == 5
    assert world.announcer.said == []
    assert world.prices.market_status().phase is Phase.OPEN


def test_a_phase_that_another_owner_tells_late_changes_nothing() -> None:
    world = World(owner=False)
    world.feed.hear([], a_phase(Phase.CLOSED, time_ns=at(2)))

    world.feed.hear([], a_phase(Phase.OPEN, time_ns=at(1)))

    assert world.prices.market_status().phase is Phase.CLOSED


def test_an_owner_needs_no_hearsay_about_the_venue() -> None:
    world = World()
    world.feed.apply([], [a_phase(Phase.CLOSED)])

    world.feed.hear([], a_phase(Phase.OPEN, time_ns=at(9)))

    assert world.prices.market_status().phase is Phase.CLOSED


def test_old_phases_that_are_read_again_change_nothing() -> None:
    world = World()
    world.feed.apply([], [a_phase(Phase.OPEN, time_ns=at(2))])

    world.feed.apply([], [a_phase(Phase.CLOSED, time_ns=at(1))])

    assert world.announcer.phases == [Phase.OPEN]


def test_an_earlier_life_goes_on() -> None:
    world = World()
    kept = Quote("AAPL", price_micros=5, open_micros=3, volume=7, epoch=1, seq=3, time_ns=at(1), state=State.LIVE)

    world.feed.restore([kept], a_phase(Phase.OPEN))
    world.feed.apply([a_tick(epoch=1, seq=4, price_micros=10, size=1)])

    assert world.quote().volume == 8
    assert world.announcer.phases == [Phase.OPEN]


def test_ticks_read_again_are_no_news_for_quotes_and_counted_once_in_the_bars_that_were_left() -> None:
    owner, heir = World(), World(owner=False)
    apple = owner.holdings.partition_of("AAPL")
    owner.feed.apply([a_tick(seq=1, size=1)])
    left = owner.books.leave(apple, 1)
    owner.feed.apply([a_tick(seq=2, size=20), a_tick(seq=3, size=300)])
    heir.feed.hear([owner.quote()], None)

    heir.holdings.take(apple, heir.right)
    heir.books.begin(apple, left)
    heir.feed.take_over(apple)
    heir.announcer.said.clear()
    for _ in range(2):
        heir.feed.apply([a_tick(seq=1, size=1), a_tick(seq=2, size=20), a_tick(seq=3, size=300)])

    assert heir.announcer.said == []
    assert [bar.volume for bar in heir.books.open_bars("AAPL", 60)] == [321]
    assert heir.books.open_bars("AAPL", 60) == owner.books.open_bars("AAPL", 60)


def test_a_replica_that_owns_nothing_has_bars_made_of_what_it_hears() -> None:
    owner, other = World(), World(owner=False)
    for seq in (1, 2, 3):
        owner.feed.apply([a_tick(seq=seq, price_micros=10 * seq)])
        other.feed.hear([owner.quote()], None)

    (bar,) = other.books.open_bars("AAPL", 60)
    # What was before the first quote is not ours to count.
    assert (bar.high_micros, bar.close_micros, bar.volume) == (30, 30, 200)
