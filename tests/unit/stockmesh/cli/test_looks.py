"""How things look: numbers, charts, and a board that fits its terminal."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console

from stockmesh.cli import screen
from stockmesh.cli.board import Board
from stockmesh.cli.chart import chart, sparkline
from stockmesh.models import Bar, PriceState, PriceStatus, Quote
from stockmesh.models.wire import canonical, read
from tests.unit.stockmesh.cli.conftest import Run
from tests.unit.stockmesh.scripted import Refuse, ScriptedServer, a_quote, raising


def a_console(width: int) -> Console:
    # rich takes a terminal called "dumb" for 80 columns wide, whatever it is told.
    terminal = {"TERM": "xterm"}
    return Console(
        width=width, file=io.StringIO(), force_terminal=True, highlight=False, color_system=None, _environ=terminal
    )


def drawn(board: Board, width: int) -> list[str]:
    console = a_console(width)
    console.print(board)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize(
    ("price", "text"),
    [(None, "-"), ("1", "1.00"), ("1234567.5", "1,234,567.50"), ("0.000001", "0.000001"), ("190.100000", "190.10")],
)
def test_money_has_at_least_two_decimals(price: str | None, text: str) -> None:
    assert screen.money(None if price is None else Decimal(price)) == text


@pytest.mark.parametrize(
    ("change", "text", "style"),
    [
        ("1.5", "+1.50%", "green"),
        ("-1234", "-1,234.00%", "red"),
        ("0", "0.00%", "default"),
        ("-0.001", "0.00%", "default"),
    ],
)
def test_changes_have_their_sign_and_colour(change: str, text: str, style: str) -> None:
    shown = screen.signed(Decimal(change), "%")

    assert (shown.plain, shown.style) == (text, style)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0.21, "0.2 s"), (42, "42 s"), (600, "10 min"), (36_000, "10 h"), (864_000, "10 d")],
)
def test_ages_are_told_in_the_unit_that_fits(seconds: float | None, text: str) -> None:
    assert screen.age(seconds) == text


def bars(*closes: int, apart: timedelta = timedelta(minutes=1)) -> Iterator[Bar]:
    for number, close in enumerate(closes):
        price, start = Decimal(close), datetime(2026, 9, 1, 12, tzinfo=UTC) + number * apart
        yield Bar(start_time=start, open=price, high=price, low=price, close=price)


def test_a_chart_rises_with_its_prices() -> None:
    lines = [line.plain for line in chart(list(bars(10, 15, 20)), width=14, height=4)]

    assert lines[0].startswith("20.00 ┤")
    assert lines[3].startswith("10.00 ┤")
    heights = [sum(line[column : column + 1] not in ("", " ") for line in lines[:4]) for column in range(7, 13)]
    assert heights == sorted(heights)
    assert (heights[0], heights[-1]) == (1, 4)


def test_a_chart_fits_its_width_however_many_bars() -> None:
    for count in (1, 2, 59, 60, 61, 1000):
        lines = chart(list(bars(*range(1, count + 1))), width=60, height=5)
        assert max(line.cell_len for line in lines) <= 60
    assert chart([], width=60, height=5) == []


def test_a_flat_chart_is_drawn_too() -> None:
    assert any("█" in line.plain for line in chart(list(bars(5, 5, 5)), width=40, height=4))


def test_times_of_long_ranges_are_days_and_months() -> None:
    days, months = (
        chart(list(bars(*range(60), apart=timedelta(days=each))), width=80, height=3)[-1].plain for each in (1, 7)
    )

    assert days.split()[:2] == ["Sep", "01"]
    assert months.split()[:2] == ["Sep", "2026"]


def test_a_sparkline_shows_the_last_values() -> None:
    line = sparkline([Decimal(value) for value in (9, 1, 2, 3)], width=3)

    assert (line.plain, line.style) == ("▁▄▇", "green")
    assert sparkline([], width=3).plain == ""
    assert sparkline([Decimal(1)], width=3).plain == "▄"


def a_board() -> Board:
    board = Board(["AAPL", "NOPE"], title="stockmesh")
    board.take(read(Quote, a_quote()))
    board.take(read(Quote, a_quote(price="190.20", seq="43")))
    board.refuse("NOPE", "no such symbol")
    return board


def test_a_board_shows_what_is_known() -> None:
    lines = drawn(a_board(), 140)

    (row,) = [line for line in lines if line.startswith("AAPL")]
    for word in ("▲ 190.20", "+1.70", "+0.90%", "▁▇", "190.11", "190.13", "1,234,567", "● LIVE"):
        assert word in row
    assert "NOPE no such symbol" in lines


def test_a_board_tells_why_a_price_is_not_live() -> None:
    board = a_board()
    board.take(PriceStatus(symbol="AAPL", state=PriceState.HALTED, reason="news pending"))

    lines = drawn(board, 140)

    assert any("■ HALTED" in line for line in lines)
    assert "AAPL news pending" in lines


@pytest.mark.parametrize("width", [140, 100, 80, 60, 45])
def test_a_board_fits_its_terminal_and_keeps_price_and_state(width: int) -> None:
    lines = drawn(a_board(), width)

    assert max(len(line.rstrip()) for line in lines) <= width
    (row,) = [line for line in lines if line.startswith("AAPL")]
    assert "190.20" in row
    assert row.rstrip().endswith("● LIVE")


def test_a_table_of_nothing_known_ends_with_the_reason(
    stockmesh: Run, server: ScriptedServer, monkeypatch: Any
) -> None:
    monkeypatch.setattr(screen, "output", lambda: a_console(60))
    server.on("prices.subscribe", raising(Refuse("UNKNOWN_SYMBOL", message="no such symbol: NOPE")))

    ended = stockmesh("watch", "NOPE")

    assert (ended.code, ended.err.split()[0]) == (1, "UNKNOWN_SYMBOL")


@pytest.mark.parametrize("width", [100, 60, 45])
def test_history_fits_its_terminal(stockmesh: Run, server: ScriptedServer, monkeypatch: Any, width: int) -> None:
    console = a_console(width)
    monkeypatch.setattr(screen, "output", lambda: console)
    past = [canonical(bar) for bar in bars(*range(100, 300))]
    server.on("prices.history", lambda params: {"prices": [{"quote": a_quote(), "bars": past, "interval": "5min"}]})

    stockmesh("history", "AAPL")

    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(len(line.rstrip()) for line in lines) <= width
    assert "AAPL  299.00  +199.00  +199.00%  in 1d" in lines[0]
    assert not any("…" in line for line in lines)


def test_watch_on_a_terminal_is_a_table(stockmesh: Run, server: ScriptedServer, monkeypatch: Any) -> None:
    console = a_console(120)
    monkeypatch.setattr(screen, "output", lambda: console)
    server.on("prices.subscribe", lambda params: {"quotes": [a_quote("AAPL"), a_quote("MSFT")], "refused": []})

    ended = stockmesh("watch", "AAPL", "MSFT", "--count", "2")

    assert ended.code == 0
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert all(word in shown for word in ("AAPL", "MSFT", "● LIVE", "2 updates", "Ctrl-C leaves"))
    assert server.asked_for("prices.subscribe")[0]["maxHz"] == 8
