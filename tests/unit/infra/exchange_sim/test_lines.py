"""Tests of infra/exchange_sim/lines.py."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from fixcore.message import Message

from infra.exchange_sim import lines
from infra.exchange_sim.lines import Line, Lines
from infra.exchange_sim.market_wire import ENTRY_TYPES, Subscription
from infra.exchange_sim.reports import Status
from infra.exchange_sim.wire import Text
from tests.unit.infra.exchange_sim.factories import SESSION, a_quote


class Session:
    """A FIX session whose peer reads when it is told to."""

    def __init__(self) -> None:
        self.session_id = SimpleNamespace(target_comp_id=SESSION)
        self.sent: list[str] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.failure: Exception | None = None

    async def send_app(self, message: Message) -> None:
        await self.reads.wait()
        if self.failure:
            raise self.failure
        message.header.set(8, "FIX.4.4")
        for tag in (49, 56, 34, 52):
            message.header.set(tag, "1")
        self.sent.append(message.encode().decode().replace("\x01", "|"))


@asynccontextmanager
async def a_line(session: Session, cut: Callable[[], None] = lambda: None) -> AsyncIterator[Line]:
    line = Line(session, cut=cut, clock=lambda: 0)
    running = asyncio.create_task(line.run())
    try:
        yield line
    finally:
        running.cancel()


def wanted(*symbols: str, request_id: str = "r") -> Subscription:
    return Subscription(request_id=request_id, kind="1", symbols=symbols, entry_types=ENTRY_TYPES)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_slow_member_hears_every_message_but_only_the_newest_price() -> None:
    session = Session()
    session.reads.clear()
    async with a_line(session) as line:
        line.watch(wanted("AAPL"), [a_quote()])
        line.say(Text("h", "340=2\x01"))
        await settle()
        for seq in (8, 9, 10):
            line.show([a_quote(seq=seq)])
        line.say(Status(session=SESSION, cl_ord_id="key", order=None, time_us=0))
        session.reads.set()
        await settle()

    assert [message.split("|35=")[1][0] for message in session.sent] == ["h", "8", "X"]
    assert "|83=10|" in session.sent[2]
    assert "|83=9|" not in session.sent[2]


async def test_a_high_that_was_overtaken_is_told_all_the_same() -> None:
    session = Session()
    async with a_line(session) as line:
        line.watch(wanted("AAPL"), [a_quote(seq=1)])
        line.show([a_quote("195.00", seq=2)])
        line.show([a_quote("194.00", seq=3, high=195_000_000)])
        await settle()
        line.show([a_quote("194.00", seq=4, high=195_000_000)])
        await settle()

    assert "269=7|55=AAPL|270=195.00|" in session.sent[0]
    assert "269=7|" not in session.sent[1]


async def test_only_what_is_watched_is_shown() -> None:
    session = Session()
    async with a_line(session) as line:
        line.show([a_quote()])
        line.watch(wanted("AAPL"), [a_quote()])
        line.watch(wanted("MSFT", request_id="other"), [a_quote(symbol="MSFT")])
        line.show([a_quote("191.00", seq=8), a_quote("191.00", symbol="IBM")])
        await settle()
        line.unwatch("r")
        line.show([a_quote("192.00", seq=9), a_quote("193.00", symbol="MSFT", seq=9)])
        await settle()

    first, second = session.sent
    assert "55=IBM" not in first
    assert "55=AAPL" in first
    assert "55=AAPL" not in second
    assert "55=MSFT" in second


async def test_a_member_that_reads_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "STALL_SECONDS", 0.01)
    session, cut = Session(), asyncio.Event()
    session.reads.clear()
    async with a_line(session, cut.set) as line:
        line.say(Text("h", ""))
        async with asyncio.timeout(5):
            await cut.wait()


async def test_a_member_that_is_too_far_behind_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST_WAITING", 2)
    cut = asyncio.Event()
    line = Line(Session(), cut=cut.set, clock=lambda: 0)
    for _ in range(3):
        line.say(Text("h", ""))

    assert cut.is_set()


@pytest.mark.parametrize("failure", [ConnectionResetError(), RuntimeError("not logged on")])
async def test_a_broken_line_ends_nothing_else(failure: Exception) -> None:
    session = Session()
    session.failure = failure
    async with a_line(session) as line:
        line.say(Text("h", ""))
        await settle()
        session.failure = None
        line.say(Text("f", ""))
        await settle()

    assert len(session.sent) == 1


def test_reports_go_to_their_session_and_announcements_to_who_hears_the_market(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    all_lines, told = Lines(), list[object]()
    line = Line(Session(), cut=lambda: None, clock=lambda: 0)
    monkeypatch.setattr(line, "say", told.append)
    all_lines.add(line)
    mine, other = (Status(session=name, cl_ord_id="key", order=None, time_us=0) for name in (SESSION, "OTHER"))

    all_lines.tell(mine)
    all_lines.tell(other)
    all_lines.announce(Text("h", ""))
    assert told == [mine]

    line.hears_market = True
    all_lines.announce(Text("h", ""))
    all_lines.remove(SESSION)
    all_lines.tell(mine)
    assert len(told) == 2
    assert all_lines.find(SESSION) is None
