"""The life of an order through the FIX door: times in force, replaces, cancels and the end of the day."""

import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.integration.infra.fix_member import Heard, Member, group, logged_on
from tests.integration.infra.venue import ORDERS, Exchange, cancel, place, replace, running

DAY, GTC, IOC, FOK = "0", "1", "3", "4"
DAY_SECONDS = 86_400


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    """An exchange whose prices stand still."""
    async with running(tmp_path, ticks_per_second="0") as started:
        yield started


@pytest.fixture
async def member(exchange: Exchange) -> AsyncIterator[Member]:
    async with logged_on(exchange.port, ORDERS) as session:
        yield session


class Touch:
    """The price at which AAPL is offered, and how many shares for it."""

    def __init__(self, snapshot: Heard) -> None:
        offer = next(entry for entry in snapshot.entries(269) if entry[269] == "1")
        self.price, self.size = Decimal(offer[270]), int(offer[271])

    def at(self, ticks: int = 0) -> str:
        """Return the price so many cents above the offer."""
        return str(self.price + ticks * Decimal("0.01"))


@pytest.fixture
async def offer(exchange: Exchange) -> Touch:
    async with logged_on(exchange.port, "STOCKMESH-MD") as feed:
        await feed.send("V", (267, group(269, ["1"])), (146, group(55, ["AAPL"])), t262="m", t263="0", t264="1")
        return Touch(await feed.expect("W", t55="AAPL"))


async def told(member: Member, key: str, last: str) -> list[tuple[str, str, str]]:
    """Return type, state and leaves of everything told about a key up to a report of a type."""
    await member.expect("8", t11=key, t150=last)
    return [(one[150], one[39], one[151]) for one in member.heard if one.has({35: "8", 11: key})]


async def partly_filled(member: Member, offer: Touch, key: str, **fields: str) -> None:
    """Buy what is offered and wait with 50 shares more."""
    await place(member, key, t38=str(offer.size + 50), t44=offer.at(), **fields)
    assert await told(member, key, "F") == [("0", "0", str(offer.size + 50)), ("F", "1", "50")]


async def test_an_immediate_order_trades_what_it_can_and_the_rest_is_canceled(member: Member, offer: Touch) -> None:
    await place(member, "ioc", t38=str(offer.size + 10), t44=offer.at(), t59=IOC)

    assert [one[:2] for one in await told(member, "ioc", "4")] == [("0", "0"), ("F", "1"), ("4", "4")]


async def test_an_immediate_order_that_cannot_trade_is_canceled(member: Member) -> None:
    await place(member, "ioc", t59=IOC)

    assert await told(member, "ioc", "4") == [("0", "0", "100"), ("4", "4", "0")]


async def test_a_fill_or_kill_order_is_filled_whole(member: Member, offer: Touch) -> None:
    await place(member, "fok", t38=str(offer.size), t44=offer.at(), t59=FOK)

    assert (await told(member, "fok", "F"))[1:] == [("F", "2", "0")]


async def test_a_fill_or_kill_order_that_cannot_be_filled_whole_trades_nothing(member: Member, offer: Touch) -> None:
    await place(member, "fok", t38=str(offer.size + 1), t44=offer.at(), t59=FOK)

    assert [one[:2] for one in await told(member, "fok", "4")] == [("0", "0"), ("4", "4")]


@pytest.mark.parametrize("time_in_force", [DAY, GTC, IOC])
async def test_a_market_order_never_trades_beyond_its_protection_and_never_rests(
    member: Member, offer: Touch, time_in_force: str
) -> None:
    await place(member, "market", t38=str(offer.size + 1), t40="1", t44=offer.at(), t59=time_in_force)

    assert [one[:2] for one in await told(member, "market", "4")] == [("0", "0"), ("F", "1"), ("4", "4")]


async def test_a_market_order_is_filled_or_killed(member: Member, offer: Touch) -> None:
    await place(member, "killed", t38=str(offer.size + 1), t40="1", t44=offer.at(), t59=FOK)
    await place(member, "filled", t38=str(offer.size + 1), t40="1", t44=offer.at(1), t59=FOK)

    assert [one[0] for one in await told(member, "killed", "4")] == ["0", "4"]
    await member.expect("8", t11="filled", t150="F", t39="2")


@pytest.mark.parametrize("time_in_force", [DAY, GTC])
async def test_a_limit_order_waits_with_what_is_left(member: Member, offer: Touch, time_in_force: str) -> None:
    await partly_filled(member, offer, "rest", t59=time_in_force)
    await cancel(member, "rest", "cancel")
    canceled = await member.expect("8", t11="cancel", t150="4")

    assert canceled.has({39: "4", 151: "0", 14: str(offer.size), 41: "rest"})


async def test_a_replace_up_keeps_what_is_filled(member: Member, offer: Touch) -> None:
    await partly_filled(member, offer, "a")
    await replace(member, "a", "b", str(offer.size + 80), "0.01")

    assert (await member.expect("8", t11="b", t150="5")).has({39: "1", 151: "80", 14: str(offer.size), 41: "a"})


async def test_a_replace_down_keeps_what_is_filled(member: Member, offer: Touch) -> None:
    await partly_filled(member, offer, "a")
    await replace(member, "a", "b", str(offer.size + 20), "0.01")

    assert (await member.expect("8", t11="b", t150="5")).has({39: "1", 151: "20", 38: str(offer.size + 20)})


async def test_a_replace_below_what_is_filled_fills_the_order(member: Member, offer: Touch) -> None:
    await partly_filled(member, offer, "a")
    await replace(member, "a", "b", "1", offer.at())
    replaced = await member.expect("8", t11="b", t150="5")
    await cancel(member, "b", "late")

    assert replaced.has({39: "2", 151: "0", 38: str(offer.size), 14: str(offer.size)})
    assert (await member.expect("9", t11="late")).has({102: "0", 39: "2"})


async def test_a_replace_through_the_market_trades_at_once(member: Member, offer: Touch) -> None:
    await place(member, "a", t38="10")
    await replace(member, "a", "b", "10", offer.at(5))

    assert await told(member, "b", "F") == [("5", "0", "10"), ("F", "2", "0")]


async def test_replaces_are_refused_with_the_reason(member: Member, offer: Touch) -> None:
    await place(member, "done", t38="1", t44=offer.at())
    await place(member, "open")
    await replace(member, "done", "late", "5", "0.01")
    await replace(member, "never", "unknown", "5", "0.01")
    await replace(member, "open", "done", "5", "0.01")
    await replace(member, "open", "odd", "5", "0.005")

    assert (await member.expect("9", t11="late")).has({102: "0", 434: "2", 39: "2", 41: "done"})
    assert (await member.expect("9", t11="unknown")).has({102: "1", 434: "2", 37: "NONE"})
    assert (await member.expect("9", t11="done")).has({102: "6", 434: "2", 39: "0"})
    assert (await member.expect("9", t11="odd")).has({102: "99", 434: "2", 39: "0"})
    assert (await ask(member, "open")).has({39: "0", 38: "100", 44: "0.01"})


async def test_cancels_are_refused_with_the_reason(member: Member, offer: Touch) -> None:
    await place(member, "done", t38="1", t44=offer.at())
    await place(member, "open")
    await cancel(member, "done", "late")
    await cancel(member, "never", "unknown")
    await cancel(member, "open", "done")

    assert (await member.expect("9", t11="late")).has({102: "0", 434: "1", 39: "2"})
    assert (await member.expect("9", t11="unknown")).has({102: "1", 434: "1", 37: "NONE"})
    assert (await member.expect("9", t11="done")).has({102: "6", 434: "1", 39: "0"})


async def test_a_request_that_may_have_come_before_is_told_its_order_or_taken_as_new(
    exchange: Exchange, member: Member
) -> None:
    await place(member, "new", t97="Y")
    accepted = await member.expect("8", t11="new", t150="0")
    await place(member, "new", t97="Y")
    status = await member.expect("8", t11="new", t150="I")
    for _ in range(2):
        await member.send("F", t11="cancel", t41="new", t55="AAPL", t54="1", t97="Y")
    await member.expect("8", t11="cancel", t150="4")
    again = await member.expect("8", t150="I", t39="4")

    assert (status[37], status[39]) == (accepted[37], "0")
    assert again[37] == accepted[37]
    assert [fact["fact"] for fact in exchange.ledger()] == ["accepted", "canceled"]


async def test_the_end_of_the_day_ends_day_orders_and_no_others(tmp_path: Path) -> None:
    to_midnight = DAY_SECONDS - time.time() % DAY_SECONDS
    async with (
        running(tmp_path, ticks_per_second="0", clock_offset_seconds=str(to_midnight - 8)) as exchange,
        logged_on(exchange.port, ORDERS) as member,
    ):
        await place(member, "day", t59=DAY)
        await place(member, "gtc", t59=GTC)
        expired = await member.expect("8", t11="day", t150="C")
        await cancel(member, "day", "late")

        assert expired.has({39: "C", 151: "0", 14: "0"})
        assert (await member.expect("9", t11="late")).has({102: "0", 39: "C"})
        assert (await ask(member, "gtc"))[39] == "0"


async def ask(member: Member, key: str) -> Heard:
    """Ask how an order stands and return the answer."""
    await member.send("H", t11=key, t55="AAPL", t54="1")
    return await member.expect("8", t11=key, t150="I")
