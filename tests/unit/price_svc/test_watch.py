import asyncio
import math
from collections.abc import Sequence

import pytest

from price_svc.quote import Quote, State
from price_svc.watch import InvalidMaxHz, ShuttingDown, TooManyStreams, Update, Watches


def live(symbol: str, seq: int) -> Quote:
    return Quote(symbol, seq=seq, state=State.LIVE)


def snapshot(symbols: Sequence[str]) -> list[Quote]:
    return [live(symbol, 1) for symbol in symbols]


async def test_the_snapshot_comes_first_then_the_newest_of_each_symbol() -> None:
    watches = Watches(limit=1)
    with watches.open(["A", "B"], snapshot, max_hz=0) as watch:
        assert [quote.seq for quote in (await watch.next()).quotes] == [1, 1]

        for seq in range(2, 1_000):
            watches.tell([live("A", seq), live("C", seq)], [])

        assert (await watch.next()).quotes == (live("A", 999),)


async def test_a_state_that_turned_is_told_after_the_quotes() -> None:
    watches = Watches(limit=1)
    with watches.open(["A"], snapshot, max_hz=0) as watch:
        await watch.next()
        stale = Quote("A", seq=2)
        watches.tell([stale], [stale])

        assert await watch.next() == Update(quotes=(stale,))
        assert await watch.next() == Update(turned=(stale,))


async def test_what_is_not_live_is_explained_after_the_snapshot() -> None:
    stale = Quote("A", seq=2)
    with Watches(limit=1).open(["A"], lambda _: [stale], max_hz=0) as watch:
        assert await watch.next() == Update(quotes=(stale,))
        assert await watch.next() == Update(turned=(stale,))


async def test_a_rate_holds_quotes_back_but_not_states() -> None:
    watches = Watches(limit=1)
    loop = asyncio.get_running_loop()
    with watches.open(["A"], snapshot, max_hz=5) as watch:
        await watch.next()
        began = loop.time()
        watches.tell([live("A", 2)], [live("A", 2)])

        assert (await watch.next()).turned
        assert loop.time() - began < 0.15
        watches.tell([live("A", 3)], [])
        assert (await watch.next()).quotes == (live("A", 3),)
        assert loop.time() - began > 0.15


async def test_silence_is_broken_by_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("price_svc.watch.HEARTBEAT_SECONDS", 0.02)
    with Watches(limit=1).open(["A"], snapshot, max_hz=0) as watch:
        await watch.next()

        assert await watch.next() == Update()


async def test_the_number_of_streams_is_bounded_and_places_are_given_back() -> None:
    watches = Watches(limit=1)
    with watches.open(["A"], snapshot, max_hz=0), pytest.raises(TooManyStreams):
        watches.open(["A"], snapshot, max_hz=0).__enter__()
    with watches.open(["A"], snapshot, max_hz=0):
        pass


@pytest.mark.parametrize("max_hz", [-1, 50.1, math.nan, math.inf])
def test_a_rate_that_nobody_can_keep_is_refused(max_hz: float) -> None:
    with pytest.raises(InvalidMaxHz):
        Watches(limit=1).open(["A"], snapshot, max_hz=max_hz).__enter__()


async def test_closing_ends_all_streams() -> None:
    watches = Watches(limit=2)
    with watches.open(["A"], snapshot, max_hz=0) as watch:
        await watch.next()
        waiting = asyncio.create_task(watch.next())
        await asyncio.sleep(0)
        watches.close()

        with pytest.raises(ShuttingDown):
            await waiting
    with pytest.raises(ShuttingDown):
        watches.open(["A"], snapshot, max_hz=0).__enter__()
