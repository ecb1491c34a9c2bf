"""The exchange simulator as its members meet it: the real process, real FIX, a real ledger, real kills."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.integration.infra.fix_member import Member, group, logged_on
from tests.integration.infra.venue import ORDERS, Exchange, place, running
from tests.servers import free_port

MARKET_DATA = "STOCKMESH-MD"
ENTRY_TYPES = list("012478B5")


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    """An exchange with an empty book."""
    async with running(tmp_path) as started:
        yield started


@pytest.fixture
async def member(exchange: Exchange) -> AsyncIterator[Member]:
    """A member that sends orders."""
    async with logged_on(exchange.port, ORDERS) as session:
        yield session


async def test_instruments_are_listed_and_prices_come_as_snapshot_then_increments(exchange: Exchange) -> None:
    async with logged_on(exchange.port, MARKET_DATA) as feed:
        await feed.send("x", t320="list", t559="4")
        status = await feed.expect("h", t340="2")
        lists = [await feed.expect("y", t320="list", t893="N") for _ in range(5)]
        lists.append(await feed.expect("y", t320="list", t893="Y"))
        instruments = {entry[55]: entry for one in lists for entry in one.entries(55)}

        await feed.send(
            "V", (267, group(269, ENTRY_TYPES)), (146, group(55, list(instruments))), t262="all", t263="1", t264="1"
        )
        snapshot = await feed.expect("W", t55="AAPL", t262="all")
        security = await feed.expect("f", t55="AAPL")
        increment = await feed.expect("X")

    assert status[336] == "DAY"
    assert len(instruments) >= 500
    assert instruments["BRK.B"][107] == "Berkshire Hathaway"
    assert instruments["AAPL"].items() >= {207: "XNAS", 15: "USD", 561: "1", 969: "0.01", 1140: "100000"}.items()
    entries = {entry[269]: entry for entry in snapshot.entries(269)}
    assert set(entries) == set(ENTRY_TYPES)
    assert Decimal(entries["0"][270]) < Decimal(entries["2"][270]) < Decimal(entries["1"][270])
    assert security[326] == "17"
    moved = next(iter(increment.entries(279)))
    assert moved[55] in instruments
    assert int(moved[83]) > 1


async def test_popular_symbols_move_often_and_their_sequences_only_grow(exchange: Exchange) -> None:
    def sequence(symbol: str) -> list[int]:
        moves = (entry for one in feed.heard if one[35] == "X" for entry in one.entries(279))
        return [int(entry[83]) for entry in moves if entry[55] == symbol]

    async with logged_on(exchange.port, MARKET_DATA) as feed:
        await feed.send(
            "V", (267, group(269, ["2"])), (146, group(55, ["AAPL", "MSFT"])), t262="two", t263="1", t264="1"
        )
        await feed.until(lambda: all(len(sequence(symbol)) >= 3 for symbol in ("AAPL", "MSFT")))

    for symbol in ("AAPL", "MSFT"):
        assert sequence(symbol) == sorted(set(sequence(symbol)))


async def test_unknown_symbols_are_named_and_the_others_served(exchange: Exchange) -> None:
    async with logged_on(exchange.port, MARKET_DATA) as feed:
        await feed.send(
            "V", (267, group(269, ["2"])), (146, group(55, ["NOPE", "MSFT"])), t262="mixed", t263="0", t264="1"
        )

        assert "NOPE" in (await feed.expect("Y", t262="mixed"))[58]
        await feed.expect("W", t55="MSFT")


async def test_a_market_order_is_filled_in_parts_and_the_ledger_says_the_same(
    exchange: Exchange, member: Member
) -> None:
    await place(member, "market-1", t38="2000", t40="1", t44="1000", t59="0")

    accepted = await member.expect("8", t11="market-1", t150="0")
    last = await member.expect("8", t11="market-1", t150="F", t39="2")
    fills = [one for one in member.heard if one.has({35: "8", 150: "F"})]
    assert accepted[151] == "2000"
    assert len(fills) > 1
    assert sum(int(fill[32]) for fill in fills) == 2000
    assert (last[14], last[151]) == ("2000", "0")
    average = sum((int(fill[32]) * Decimal(fill[31]) for fill in fills), Decimal()) / 2000
    assert abs(Decimal(last[6]) - average) < Decimal("0.000001")
    facts = exchange.ledger()
    assert [fact["fact"] for fact in facts] == ["accepted"] + ["fill"] * len(fills)
    assert [fact["exec_id"] for fact in facts[1:]] == [fill[17] for fill in fills]
    assert {(fact["cl_ord_id"], fact["account"], fact["symbol"]) for fact in facts} == {("market-1", "demo", "AAPL")}


async def test_a_resting_order_is_replaced_and_canceled(member: Member) -> None:
    await place(member, "rest-1")
    await member.expect("8", t11="rest-1", t150="0", t39="0")

    await member.send("G", t11="rest-2", t41="rest-1", t55="AAPL", t54="1", t38="150", t40="2", t44="0.02")
    replaced = await member.expect("8", t11="rest-2", t150="5")
    await member.send("F", t11="rest-3", t41="rest-2", t55="AAPL", t54="1")
    canceled = await member.expect("8", t11="rest-3", t150="4")
    await member.send("F", t11="rest-4", t41="rest-2", t55="AAPL", t54="1")
    late = await member.expect("9", t11="rest-4")

    assert (replaced[41], replaced[38], replaced[44], replaced[39]) == ("rest-1", "150", "0.02", "0")
    assert (canceled[41], canceled[39], canceled[151]) == ("rest-2", "4", "0")
    assert (late[102], late[39], late[434]) == ("0", "4", "1")


async def test_what_is_asked_about_is_told_and_what_is_unknown_is_said_to_be(member: Member) -> None:
    await place(member, "known")
    await member.expect("8", t11="known", t150="0")

    await member.send("H", t11="known", t55="AAPL", t54="1", t790="question")
    known = await member.expect("8", t11="known", t150="I")
    await member.send("H", t11="never", t55="AAPL", t54="1")
    unknown = await member.expect("8", t11="never", t150="I")

    assert known.has({39: "0", 790: "question", 38: "100", 44: "0.01", 1: "demo", 59: "1"})
    assert unknown.has({39: "8", 103: "5", 37: "NONE"})


async def test_a_key_is_taken_once(member: Member) -> None:
    await place(member, "once")
    first = await member.expect("8", t11="once", t150="0")

    await place(member, "once")
    duplicate = await member.expect("8", t11="once", t150="8")
    await place(member, "once", t97="Y")
    resent = await member.expect("8", t11="once", t150="I")

    assert duplicate.has({103: "6", 39: "8"})
    assert resent.has({39: "0", 37: first[37]})


async def test_without_duplicate_detection_a_double_send_is_two_orders(tmp_path: Path) -> None:
    async with running(tmp_path, duplicate_detection="false") as exchange, logged_on(exchange.port, ORDERS) as member:
        await place(member, "twice")
        await place(member, "twice", t97="Y")
        first, second = [await member.expect("8", t11="twice", t150="0") for _ in range(2)]

        assert first[37] != second[37]
        assert [fact["fact"] for fact in exchange.ledger()] == ["accepted", "accepted"]


async def test_what_cannot_be_read_is_refused_with_the_reason(member: Member) -> None:
    await place(member, "odd", t38="many")
    unread = await member.expect("j", t379="odd")
    await member.send("e", t324="status", t55="AAPL")
    unsupported = await member.expect("j", t372="e")
    await place(member, "unlisted", t38="1000000")
    too_many = await member.expect("8", t11="unlisted", t150="8")

    assert unread.has({372: "D", 380: "0"})
    assert unsupported[380] == "3"
    assert too_many[103] == "13"


async def test_a_killed_exchange_comes_back_with_its_book(exchange: Exchange, member: Member) -> None:
    await place(member, "kept")
    await member.expect("8", t11="kept", t150="0")
    await place(member, "filled", t40="1", t44="1000", t38="50")
    fill = await member.expect("8", t11="filled", t150="F", t39="2")

    await exchange.restart_after_kill()
    await member.until(lambda: member.logons == 2 and member.is_logged_on)
    await member.send("AF", t584="all", t585="7")
    kept = await member.expect("8", t584="all", t11="kept")
    filled = await member.expect("8", t584="all", t11="filled")
    await member.send("F", t11="kept-cancel", t41="kept", t55="AAPL", t54="1")
    canceled = await member.expect("8", t11="kept-cancel", t150="4")

    assert kept.has({150: "I", 39: "0", 911: "2", 912: "N", 151: "100"})
    assert filled.has({150: "I", 39: "2", 911: "2", 912: "Y", 14: "50", 6: fill[6]})
    assert canceled[39] == "4"
    ids = [fact["exec_id"] for fact in exchange.ledger()]
    assert len(set(ids)) == len(ids)


async def test_an_empty_book_says_so(member: Member) -> None:
    await member.send("AF", t584="all", t585="7")

    assert (await member.expect("8", t584="all")).has({150: "I", 37: "NONE", 911: "0", 912: "Y"})


async def test_executions_while_a_member_is_away_are_told_when_it_asks(exchange: Exchange) -> None:
    async with logged_on(exchange.port, ORDERS) as member:
        await place(member, "left-alone", t38="5000", t44="1000")
        # Gone before the answer may come.
    async with logged_on(exchange.port, ORDERS) as member:
        await member.send("H", t11="left-alone", t55="AAPL", t54="1")

        assert (await member.expect("8", t11="left-alone", t150="I")).has({39: "2", 14: "5000"})


async def test_a_frozen_holder_of_a_name_makes_room(exchange: Exchange) -> None:
    code = (
        "import asyncio, sys\n"
        "from tests.integration.infra.fix_member import logged_on\n"
        "async def main():\n"
        f"    async with logged_on({exchange.port}, {MARKET_DATA!r}):\n"
        "        print('on', flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
    )
    assert holder.stdout is not None
    try:
        async with asyncio.timeout(15):
            assert await holder.stdout.readline() == b"on\n"
        holder.send_signal(signal.SIGSTOP)

        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        async with logged_on(exchange.port, MARKET_DATA):
            waited = loop.time() - asked_at
    finally:
        holder.kill()
        await holder.wait()

    assert waited < 5


async def test_a_live_holder_of_a_name_keeps_it(exchange: Exchange, member: Member) -> None:
    rival = Member(port=exchange.port, name=ORDERS)
    async with rival.initiator:
        with pytest.raises(TimeoutError):
            await rival.until(lambda: rival.is_logged_on, seconds=3)
    await place(member, "mine")

    await member.expect("8", t11="mine", t150="0")
    assert member.logons == 1


async def test_a_second_exchange_does_not_share_the_ledger(exchange: Exchange) -> None:
    second = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "infra.exchange_sim",
        env={**os.environ, "EXCHANGE_SIM_PORT": str(free_port()), "EXCHANGE_SIM_LEDGER_PATH": str(exchange.ledger_path)},
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(15):
        _, log = await second.communicate()

    assert second.returncode == 1
    assert b"in use by another process" in log
