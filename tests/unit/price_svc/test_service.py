import pytest

from price_svc.history import Asked, InvalidTimerange
from price_svc.market import Phase
from price_svc.page import InvalidPageToken
from price_svc.quote import State
from price_svc.service import HistoryUnavailable, NoSymbols, TooManySymbols, UnknownSymbol
from tests.unit.price_svc.examples import World, a_bar, a_phase, a_tick, an_instrument, at


async def test_prices_come_in_the_order_asked_for_each_once() -> None:
    world = World()
    world.feed.apply([a_tick(), a_tick(symbol="F", price_micros=11)])

    prices, token = await world.prices.get(["F", "AAPL", "F"])

    assert [priced.quote.price_micros for priced in prices] == [11, 190_000_000]
    assert token == ""


async def test_a_listed_symbol_without_a_tick_has_no_price_and_is_stale() -> None:
    world = World()

    ((priced,), _) = await world.prices.get(["MSFT"])

    assert (priced.quote.price_micros, priced.quote.time_ns, priced.quote.state) == (0, 0, State.STALE)


async def test_unknown_symbols_are_named() -> None:
    with pytest.raises(UnknownSymbol) as refusal:
        await World().prices.get(["AAPL", "NOPE", "nada"])

    assert refusal.value.metadata == {"symbols": "NOPE,nada", "count": "2"}


async def test_too_many_symbols_are_refused() -> None:
    world = World()
    with pytest.raises(TooManySymbols) as refusal:
        await world.prices.get([f"S{number}" for number in range(501)])
    assert refusal.value.metadata == {"field": "symbols", "limit": "500", "actual": "501"}

    with pytest.raises(TooManySymbols) as refusal:
        await world.prices.get([f"S{number}" for number in range(21)], asked=Asked("1d"))
    assert refusal.value.metadata["limit"] == "20"


async def test_no_symbol_means_every_instrument_page_by_page() -> None:
    world = World()

    first, token = await world.prices.get([], page_size=2)
    second, end = await world.prices.get([], page_size=2, page_token=token)

    assert [priced.quote.symbol for priced in (*first, *second)] == ["AAPL", "F", "MSFT"]
    assert end == ""
    with pytest.raises(InvalidPageToken):
        await world.prices.get([], page_token="x")


async def test_bars_are_those_kept_and_the_one_still_open() -> None:
    world = World()
    world.history.final = [a_bar(start_ns=at(-60)), a_bar(start_ns=at(-100_000)), a_bar(symbol="F")]
    world.feed.apply([a_tick(time_ns=at(1))])

    ((priced,), _) = await world.prices.get(["AAPL"], asked=Asked("1d"))

    assert [bar.start_ns for bar in priced.bars] == [at(-60), at(0)]
    assert [bar.is_final for bar in priced.bars] == [False, False]
    world.clock.now_ns = at(6)
    ((priced,), _) = await world.prices.get(["AAPL"], asked=Asked("1d"))
    assert [bar.is_final for bar in priced.bars] == [True, False]


async def test_the_last_bar_of_a_year_is_today() -> None:
    world = World()
    world.feed.apply([a_tick(snapshot=True, open_micros=3, high_micros=9, low_micros=2, volume=70)])

    ((priced,), _) = await world.prices.get(["AAPL"], asked=Asked("1y"))

    today = priced.bars[0].bar
    assert (today.open_micros, today.high_micros, today.low_micros, today.volume) == (3, 9, 2, 70)


async def test_an_unknown_range_is_refused_before_anything_else() -> None:
    with pytest.raises(InvalidTimerange):
        await World().prices.get(["NOPE"], asked=Asked("2d"))


async def test_without_the_database_there_are_prices_but_no_bars() -> None:
    world = World()
    world.feed.apply([a_tick()])
    world.history.is_away = True

    with pytest.raises(HistoryUnavailable):
        await world.prices.get(["AAPL"], asked=Asked("1d"))
    ((priced,), _) = await world.prices.get(["AAPL"])
    assert priced.quote.price_micros == 190_000_000


async def test_a_stream_needs_known_symbols() -> None:
    world = World()
    with pytest.raises(NoSymbols):
        world.prices.watch([])
    with pytest.raises(UnknownSymbol):
        world.prices.watch(["NOPE"])


async def test_a_stream_hears_ticks() -> None:
    world = World()
    with world.prices.watch(["AAPL"]) as watch:
        await watch.next()
        assert (await watch.next()).turned
        world.feed.apply([a_tick()])

        assert [quote.seq for quote in (await watch.next()).quotes] == [1]
        assert [quote.state for quote in (await watch.next()).turned] == [State.LIVE]


def test_the_market_tells_its_phase_and_age() -> None:
    world = World()
    assert world.prices.market_status().feed_age_ms == -1

    world.feed.apply([a_tick()], [a_phase(Phase.OPEN, time_ns=at(1))])
    world.clock.now_ns = at(5)
    status = world.prices.market_status()

    assert (status.phase, status.since_ns, status.feed_age_ms, status.priced_instruments) == (
        Phase.OPEN,
        at(1),
        3_000,
        1,
    )


async def test_instruments_are_remembered_until_the_venue_lists_them() -> None:
    world = World(listed=False)
    world.history.listed = World().history.listed

    await world.prices.remember_instruments()
    assert world.prices.search("apple")[0] == [an_instrument()]

    world.prices.list_instruments([(0, (an_instrument("F", "Ford"),))])
    await world.prices.remember_instruments()
    assert [found.symbol for found in world.prices.search("")[0]] == ["F"]


async def test_nothing_is_remembered_without_the_database() -> None:
    world = World(listed=False)
    world.history.is_away = True

    await world.prices.remember_instruments()

    assert world.prices.search("")[0] == []


async def test_an_explicit_range_comes_page_by_page_with_its_interval_and_sources() -> None:
    world = World()
    world.history.final = [a_bar(start_ns=at(-60 * nth)) for nth in range(1, 6)]
    world.history.sources = frozenset({"simulated", "another"})
    asked = Asked(interval="1min", from_ns=at(-300))

    ((first,), token) = await world.prices.get(["AAPL"], asked=asked, page_size=3)
    ((rest,), end) = await world.prices.get(["AAPL"], asked=asked, page_size=3, page_token=token)

    assert [bar.start_ns for bar in (*first.bars, *rest.bars)] == [at(-60 * nth) for nth in range(5, 0, -1)]
    assert (first.interval, first.sources, end) == ("1min", ["another", "simulated"], "")


async def test_an_explicit_range_is_of_one_symbol() -> None:
    world = World()
    with pytest.raises(TooManySymbols):
        await world.prices.get(["AAPL", "F"], asked=Asked(interval="1h"))
    with pytest.raises(NoSymbols):
        await world.prices.get([], asked=Asked(interval="1h"))


def test_the_market_tells_its_calendar() -> None:
    status = World().prices.market_status()

    assert status.time_zone == "UTC"
    assert status.session is not None
    assert (status.session.open_ns, status.session.close_ns) == (at(-12 * 3_600), at(12 * 3_600))
