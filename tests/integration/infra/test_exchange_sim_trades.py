"""Trades told again (drop copy) and mass status through the FIX door, small and large."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fixcore.message import Group

from tests.integration.infra.fix_member import Heard, Member, logged_on
from tests.integration.infra.venue import ORDERS, Exchange, place, replace, running

MARKET = {"t40": "1", "t44": "1000", "t59": "0"}
DAY_US = 86_400_000_000
MANY = 30_000


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    """An exchange whose prices stand still."""
    async with running(tmp_path, ticks_per_second="0") as started:
        yield started


@pytest.fixture
async def member(exchange: Exchange) -> AsyncIterator[Member]:
    async with logged_on(exchange.port, ORDERS) as session:
        yield session


def dates(*times: str) -> tuple[int, list[Group]]:
    """Return the group of a request's times."""
    entries = []
    for one in times:
        entry = Group()
        entry.set_field(75, one[:8])
        entry.set_field(60, one)
        entries.append(entry)
    return 580, entries


async def answer(member: Member, request_id: str) -> list[Heard]:
    """Return all parts of an answer."""
    await member.expect("AE", t568=request_id, t912="Y")
    return [one for one in member.heard if one.has({35: "AE", 568: request_id})]


async def buy(member: Member, key: str, **fields: str) -> list[Heard]:
    """Buy at the market; return the fills."""
    await place(member, key, **MARKET | fields)
    await member.expect("8", t11=key, t150="F", t39="2")
    return [one for one in member.heard if one.has({35: "8", 11: key, 150: "F"})]


async def test_the_trades_since_a_time_are_told_in_the_order_of_the_ledger(exchange: Exchange, member: Member) -> None:
    fills = [*await buy(member, "one"), *await buy(member, "big", t38="3000", t1="other")]

    await member.send("AD", dates(fills[0][60]), t568="since", t569="1", t263="0")
    told = await answer(member, "since")

    written = [fact for fact in exchange.ledger() if fact["fact"] == "fill"]
    assert [one[17] for one in told] == [fact["exec_id"] for fact in written] == [fill[17] for fill in fills]
    assert {one[748] for one in told} == {str(len(fills))}
    assert [one[912] for one in told] == ["N"] * (len(fills) - 1) + ["Y"]
    for one, fill in zip(told, fills, strict=True):
        for tag in (37, 11, 1, 55, 54, 32, 31, 39, 60):
            assert one[tag] == fill[tag]
        assert one.has({487: "0", 150: "F", 552: "1", 75: fill[60][:8]})
        assert one[571]


async def test_the_trades_of_a_span_include_both_of_its_ends(member: Member) -> None:
    first, second, third = [(await buy(member, key))[0] for key in ("a", "b", "c")]

    await member.send("AD", dates(second[60], second[60]), t568="span", t569="1", t263="0")
    told = [one[17] for one in await answer(member, "span")]

    # Trades of one millisecond cannot be told apart.
    assert second[17] in told
    assert (first[17] in told) == (first[60] == second[60])
    assert (third[17] in told) == (third[60] == second[60])


async def test_the_trades_of_an_order_are_found_by_any_of_its_names(member: Member) -> None:
    await buy(member, "another")
    await place(member, "first")
    accepted = await member.expect("8", t11="first", t150="0")
    await replace(member, "first", "second", "100", "1000")
    fill = await member.expect("8", t11="second", t150="F")

    for number, question in enumerate(({"t11": "first"}, {"t11": "second"}, {"t37": accepted[37]})):
        await member.send("AD", t568=f"q{number}", t569="1", **question)
        (told,) = await answer(member, f"q{number}")
        assert (told[17], told[11], told[748]) == (fill[17], "second", "1")


async def test_other_sessions_of_the_firm_are_told_and_other_firms_not(exchange: Exchange, member: Member) -> None:
    (fill,) = await buy(member, "ours")
    async with logged_on(exchange.port, "STOCKMESH-ORD-1") as sister, logged_on(exchange.port, "OTHER") as rival:
        await sister.send("AD", t568="s", t569="1")
        await rival.send("AD", t568="r", t569="1")
        await rival.send("AD", t568="x", t569="1", t37=fill[37])

        assert [one[17] for one in await answer(sister, "s")] == [fill[17]]
        for name in ("r", "x"):
            assert (await rival.expect("AQ", t568=name)).has({748: "0", 749: "0", 750: "1"})


@pytest.mark.parametrize(
    ("fields", "times", "refusal"),
    [
        ({"t569": "2"}, (), "8"),
        ({"t569": "1", "t263": "1"}, (), "8"),
        ({"t569": "1"}, ("20250101-nonsense",), "99"),
        ({"t569": "1"}, ("20250101-00:00:00",) * 3, "99"),
    ],
)
async def test_what_cannot_be_answered_is_refused(
    member: Member, fields: dict[str, str], times: tuple[str, ...], refusal: str
) -> None:
    await member.send("AD", *([dates(*times)] if times else []), t568="odd", **fields)

    assert (await member.expect("AQ", t568="odd")).has({569: fields["t569"], 748: "0", 749: refusal, 750: "2"})


async def test_an_answer_of_many_thousands_lets_others_trade_meanwhile(tmp_path: Path) -> None:
    write_ledger(tmp_path / "ledger.jsonl", MANY)
    async with (
        running(tmp_path, ticks_per_second="0") as exchange,
        logged_on(exchange.port, ORDERS) as member,
        logged_on(exchange.port, "OTHER-ORD-0") as other,
    ):
        await member.send("AD", t568="all", t569="1")
        await member.send("AF", t584="all", t585="7")
        slowest = 0.0
        loop = asyncio.get_running_loop()
        while not any(one.has({584: "all", 912: "Y"}) for one in member.heard):
            began = loop.time()
            await place(other, f"o{began}")
            await other.expect("8", t11=f"o{began}", t150="0")
            slowest = max(slowest, loop.time() - began)

    told = [one for one in member.heard if one[35] == "AE"]
    assert [one[17] for one in told] == [f"b-E{2 * number + 2}" for number in range(MANY)]
    assert told[-1].has({912: "Y", 748: str(MANY)})
    # Half of the orders closed three days ago.
    assert len([one for one in member.heard if one.has({584: "all"})]) == MANY // 2
    assert member.logons == 1
    assert slowest < 2


def write_ledger(path: Path, orders: int) -> None:
    """Write a ledger of filled orders: the older half closed three days ago, the others yesterday."""
    now_us = time.time_ns() // 1000
    lines = [json.dumps({"fact": "opened", "birth": "b", "time_us": now_us - 9 * DAY_US})]
    for number in range(orders):
        time_us = now_us - (3 if number < orders // 2 else 1) * DAY_US
        common: dict[str, object] = {
            "time_us": time_us, "order_id": f"b-O{2 * number + 1}", "session": ORDERS, "cl_ord_id": f"k{number}",
            "account": "demo", "symbol": "AAPL", "side": "buy", "quantity": 5, "price_micros": 190_000_000,
        }  # fmt: skip
        accepted: dict[str, object] = {"fact": "accepted", "type": "limit", "time_in_force": "gtc"}
        fill: dict[str, object] = {"fact": "fill", "last_quantity": 5, "last_price_micros": 190_000_000}
        for seq, more in enumerate((accepted, fill), start=2 * number + 1):
            lines.append(json.dumps({**common, **more, "seq": seq, "exec_id": f"b-E{seq}"}))
    path.write_text("\n".join(lines) + "\n")
