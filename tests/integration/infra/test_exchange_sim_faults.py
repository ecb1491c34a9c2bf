"""The fault script as members meet it: the real process, real FIX, the script's own file."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from infra.exchange_sim.ledger_reader import read_facts
from tests.integration.infra.fix_member import Heard, Member, group, logged_on
from tests.integration.infra.venue import ORDERS, Exchange, cancel, place, running

MARKET = {"t40": "1", "t44": "1000", "t59": "0"}


def write(folder: Path, *rules: dict[str, Any], **more: Any) -> Path:
    """Write the script, whole at once."""
    draft, path = folder / "faults.draft", folder / "faults.json"
    draft.write_text(json.dumps({"seed": 7, "rules": rules} | more))
    draft.replace(path)
    return path


@asynccontextmanager
async def troubled(folder: Path, *rules: dict[str, Any], **more: Any) -> AsyncIterator[tuple[Exchange, Member]]:
    """Run an exchange with still prices and these rules, and a member that is logged on."""
    path = write(folder, *rules, **more)
    async with (
        running(folder, faults_path=str(path), ticks_per_second="0") as exchange,
        logged_on(exchange.port, ORDERS) as member,
    ):
        yield exchange, member


def kinds(member: Member, key: str) -> list[str]:
    """Return what was told about a key, in the order of its arrival."""
    return [one[150] for one in member.heard if one.has({35: "8", 11: key})]


async def ask(member: Member, key: str) -> Heard:
    """Ask how an order stands and return the answer."""
    await member.send("H", t11=key, t55="AAPL", t54="1", t790="q")
    return await member.expect("8", t11=key, t150="I")


async def test_a_delayed_report_comes_late_and_overtakes_nothing_else(tmp_path: Path) -> None:
    async with troubled(tmp_path, {"fault": "delay", "ms": 700, "most": 1}) as (exchange, member):
        loop = asyncio.get_running_loop()
        await place(member, "late")
        await place(member, "prompt")
        began = loop.time()
        await member.expect("8", t11="prompt", t150="0")
        prompt = loop.time() - began
        await member.expect("8", t11="late", t150="0")

        assert prompt < 0.6 <= loop.time() - began
        assert [one["cl_ord_id"] for one in exchange.struck()] == ["late"]


async def test_a_dropped_ack_is_never_told_but_its_fills_and_the_status_are(tmp_path: Path) -> None:
    async with troubled(tmp_path, {"fault": "drop_ack"}) as (exchange, member):
        await place(member, "filled", **MARKET)
        await member.expect("8", t11="filled", t150="F", t39="2")
        await place(member, "resting")

        assert (await ask(member, "resting"))[39] == "0"
        assert kinds(member, "filled") == ["F"]
        assert kinds(member, "resting") == ["I"]
        assert [fact["fact"] for fact in exchange.ledger()] == ["accepted", "fill", "accepted"]


async def test_a_dropped_fill_stays_in_the_ledger_in_the_status_and_in_the_drop_copy(tmp_path: Path) -> None:
    async with troubled(tmp_path, {"fault": "drop_report", "on": ["fill"], "symbol": "AAPL"}) as (exchange, member):
        await place(member, "unheard", **MARKET)
        status = await ask(member, "unheard")
        await member.send("AD", t568="t", t569="1", t263="0", t11="unheard")
        told = await member.expect("AE", t568="t")

        assert kinds(member, "unheard") == ["0", "I"]
        assert (status[39], status[14]) == ("2", "100")
        assert told[17] == exchange.ledger()[1]["exec_id"] == exchange.struck()[0]["exec_id"]


async def test_a_fill_comes_before_its_ack(tmp_path: Path) -> None:
    async with troubled(tmp_path, {"fault": "fill_before_ack", "ms": 300}) as (_, member):
        await place(member, "upside-down", **MARKET)
        await place(member, "resting")
        await member.expect("8", t11="upside-down", t150="0")
        await member.expect("8", t11="resting", t150="0")

        assert kinds(member, "upside-down") == ["F", "0"]
        assert kinds(member, "resting") == ["0"]


async def test_an_order_is_taken_and_its_line_cut_before_anything_is_told(tmp_path: Path) -> None:
    async with troubled(tmp_path, {"fault": "accept_then_cut", "most": 1}) as (exchange, member):
        await place(member, "swallowed", **MARKET)
        await member.until(lambda: member.logons == 2 and member.is_logged_on)

        assert kinds(member, "swallowed") == []
        assert (await ask(member, "swallowed"))[39] == "2"
        assert [fact["fact"] for fact in exchange.ledger()] == ["accepted", "fill"]


async def test_a_line_is_cut_before_an_order_is_taken(tmp_path: Path) -> None:
    async with troubled(tmp_path, {"fault": "cut", "most": 1}) as (exchange, member):
        await place(member, "lost")
        await member.until(lambda: member.logons == 2 and member.is_logged_on)

        assert (await ask(member, "lost"))[103] == "5"
        assert exchange.ledger() == []
        assert [(one["fault"], one["on"]) for one in exchange.struck()] == [("cut", "new")]


async def test_a_report_is_sent_twice(tmp_path: Path) -> None:
    async with troubled(tmp_path, {"fault": "duplicate"}) as (exchange, member):
        await place(member, "echo", **MARKET)
        first, second = [await member.expect("8", t11="echo", t150="F") for _ in range(2)]

        assert first[17] == second[17]
        assert first[34] != second[34]
        assert len(exchange.ledger()) == 2


async def test_the_reports_of_a_moment_are_shuffled(tmp_path: Path) -> None:
    async with troubled(tmp_path, {"fault": "shuffle", "ms": 400}) as (exchange, member):
        for number in range(12):
            await place(member, f"o{number}")
        await member.until(lambda: len(member.heard) == 12)

        heard = [one[17] for one in member.heard]
        written = [fact["exec_id"] for fact in exchange.ledger()]
        assert heard != written
        assert sorted(heard) == sorted(written)


async def test_requests_are_rejected_by_account_and_kind(tmp_path: Path) -> None:
    rules = {"fault": "reject", "account": "poor"}, {"fault": "reject", "on": ["cancel"]}
    async with troubled(tmp_path, *rules) as (exchange, member):
        await place(member, "no", t1="poor")
        rejected = await member.expect("8", t11="no", t150="8")
        await place(member, "yes")
        await member.expect("8", t11="yes", t150="0")
        await cancel(member, "yes", "cancel")
        refused = await member.expect("9", t11="cancel")

        assert (rejected[39], rejected[103]) == ("8", "99")
        assert (refused[39], refused[102]) == ("0", "99")
        assert [fact["fact"] for fact in exchange.ledger()] == ["rejected", "accepted"]


async def test_a_symbol_is_halted_while_the_script_says_so(tmp_path: Path) -> None:
    async with (
        troubled(tmp_path, {"fault": "halt", "symbol": "AAPL"}) as (exchange, member),
        logged_on(exchange.port, "STOCKMESH-MD") as feed,
    ):
        await feed.send("V", (267, group(269, ["2"])), (146, group(55, ["AAPL"])), t262="m", t263="1", t264="1")
        assert (await feed.expect("f", t55="AAPL"))[326] == "2"
        await place(member, "halted")
        assert (await member.expect("8", t11="halted", t150="8"))[103] == "2"

        write(tmp_path)

        assert (await feed.expect("f", t55="AAPL"))[326] == "17"
        await place(member, "open")
        await member.expect("8", t11="open", t150="0")


async def test_a_silent_exchange_takes_orders_and_tells_everything_later_in_order(tmp_path: Path) -> None:
    async with troubled(tmp_path, {"fault": "silent", "ms": 800, "most": 1}) as (exchange, member):
        loop = asyncio.get_running_loop()
        began = loop.time()
        await place(member, "a", **MARKET)
        await place(member, "b")
        await member.send("H", t11="a", t55="AAPL", t54="1")
        await member.until(lambda: len(member.heard) == 4)

        assert loop.time() - began >= 0.7
        assert [(one[11], one[150]) for one in member.heard] == [("a", "0"), ("a", "F"), ("b", "0"), ("a", "I")]
        assert member.logons == 1
        assert len(exchange.ledger()) == 3


async def test_a_known_order_is_denied_once(tmp_path: Path) -> None:
    async with troubled(tmp_path, {"fault": "unknown"}) as (_, member):
        await place(member, "denied")
        await member.expect("8", t11="denied", t150="0")

        first, second = await ask(member, "denied"), await ask(member, "denied")

        assert (first[39], first[103], first[37]) == ("8", "5", "NONE")
        assert second[39] == "0"


async def test_with_duplicate_detection_off_by_the_script_a_second_order_fills_again(tmp_path: Path) -> None:
    async with troubled(tmp_path, duplicate_detection=False) as (exchange, member):
        await place(member, "twice", **MARKET)
        await place(member, "twice", t97="Y", **MARKET)
        fills = [await member.expect("8", t11="twice", t150="F", t39="2") for _ in range(2)]
        await member.send("AD", t568="t", t569="1", t11="twice")
        told = [await member.expect("AE", t568="t", t748="2") for _ in range(2)]

        assert len({fill[37] for fill in fills}) == 2
        assert [one[17] for one in told] == [fill[17] for fill in fills]
        assert [fact["fact"] for fact in exchange.ledger()] == ["accepted", "fill"] * 2

        write(tmp_path)
        for number in range(50):
            await place(member, f"probe-{number}")
            await place(member, f"probe-{number}")
            answers = [await member.expect("8", t11=f"probe-{number}") for _ in range(2)]
            if answers[1][150] == "8":
                break
            await asyncio.sleep(0.05)
        assert answers[1][103] == "6"


async def test_the_same_script_strikes_the_same_orders_in_whatever_order_they_come(tmp_path: Path) -> None:
    struck = []
    for run, numbers in {"one": range(40), "two": range(39, -1, -1)}.items():
        folder = tmp_path / run
        folder.mkdir()
        async with troubled(folder, {"fault": "reject", "share": 0.3}) as (exchange, member):
            for number in numbers:
                await place(member, f"o{number}")
            await member.until(lambda: len(member.heard) == 40)
            struck.append({one["cl_ord_id"] for one in exchange.struck()})
            rejected = {
                fact.cl_ord_id for fact in read_facts(exchange.ledger_path) if type(fact).__name__ == "Rejected"
            }
            assert struck[-1] == rejected

    assert struck[0] == struck[1]
    assert 3 < len(struck[0]) < 25
