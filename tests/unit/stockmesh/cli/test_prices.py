"""Commands about prices: what they print, for people and for programs."""

import json

import pytest

from tests.unit.stockmesh.cli.conftest import Run
from tests.unit.stockmesh.scripted import Params, Refuse, ScriptedServer, a_quote, raising


def subscribe(params: Params) -> Params:
    return {"subscriptions": [], "quotes": [a_quote(symbol) for symbol in params["symbols"]], "refused": []}


def test_price_prints_a_row_a_symbol(stockmesh: Run, server: ScriptedServer) -> None:
    server.on("prices.get", lambda params: {"prices": [{"quote": a_quote(symbol)} for symbol in params["symbols"]]})

    ended = stockmesh("price", "aapl", "MSFT", "AAPL")

    assert ended.code == 0
    assert server.asked_for("prices.get") == [{"symbols": ["AAPL", "MSFT"]}]
    _, row, other = [line for line in ended.out.splitlines() if line.strip() and "─" not in line]
    for word in ("AAPL", "190.12", "+1.62", "+0.86%", "190.11", "190.13", "1,234,567", "● LIVE"):
        assert word in row
    assert "MSFT" in other


def test_price_as_json_is_what_the_api_says(stockmesh: Run, server: ScriptedServer) -> None:
    server.on("prices.get", lambda params: {"prices": [{"quote": a_quote()}]})

    ended = stockmesh("price", "AAPL", "--json")

    assert json.loads(ended.out) == a_quote()


def test_an_unknown_symbol_is_one_line_with_what_to_do(stockmesh: Run, server: ScriptedServer) -> None:
    server.on("prices.get", raising(Refuse("UNKNOWN_SYMBOL", message="no such symbol: NOPE")))

    ended = stockmesh("price", "NOPE")

    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        "UNKNOWN_SYMBOL  No such symbol: NOPE. Nothing was executed. Look for it by `stockmesh search`.\n"
    )


def test_an_error_as_json_is_json(stockmesh: Run, server: ScriptedServer) -> None:
    server.on("prices.get", raising(Refuse("UNKNOWN_SYMBOL", message="no", details={"symbols": "NOPE"})))

    ended = stockmesh("price", "NOPE", "--json")

    assert json.loads(ended.err) == {
        "error": {
            "reason": "UNKNOWN_SYMBOL",
            "message": "no",
            "outcome": "NOT_EXECUTED",
            "retry": "never",
            "retryAfterMs": 0,
            "details": {"symbols": "NOPE"},
        }
    }


def test_watch_prints_a_line_for_each_update_and_ends_after_a_count(stockmesh: Run, server: ScriptedServer) -> None:
    server.on("prices.subscribe", subscribe)

    ended = stockmesh("watch", "AAPL", "MSFT", "--count", "2")

    assert ended.code == 0
    assert sorted(line.split()[1] for line in ended.out.splitlines()) == ["AAPL", "MSFT"]
    assert "+1.62" in ended.out


def test_watch_as_json_prints_a_quote_a_line_and_ends_after_a_time(stockmesh: Run, server: ScriptedServer) -> None:
    server.on("prices.subscribe", subscribe)

    ended = stockmesh("watch", "AAPL", "--json", "--seconds", "0.3", "--max-hz", "2")

    assert ended.code == 0
    assert [json.loads(line) for line in ended.out.splitlines()] == [a_quote()]
    assert server.asked_for("prices.subscribe")[0]["maxHz"] == 2


def test_watch_names_symbols_that_are_refused(stockmesh: Run, server: ScriptedServer) -> None:
    refused = {"symbol": "NOPE", "reason": "UNKNOWN_SYMBOL", "message": "no such symbol: NOPE"}
    server.on("prices.subscribe", lambda params: {"quotes": [a_quote()], "refused": [refused]})

    ended = stockmesh("watch", "AAPL", "NOPE", "--count", "1")

    assert ended.code == 0
    assert ended.err == "NOPE is not watched: no such symbol: NOPE\n"


def test_watch_of_nothing_known_fails(stockmesh: Run, server: ScriptedServer) -> None:
    server.on("prices.subscribe", raising(Refuse("UNKNOWN_SYMBOL", message="no such symbol: NOPE")))

    ended = stockmesh("watch", "NOPE")

    assert (ended.code, ended.err.split()[0]) == (1, "UNKNOWN_SYMBOL")


def bars(count: int) -> list[Params]:
    return [
        {"startTime": f"2026-09-01T12:{minute:02}:00Z", "open": "10.00", "high": f"{11 + minute}.00", "low": "9.50"}
        | {"close": f"{10 + minute}.00", "volume": "100", "final": minute < count - 1}
        for minute in range(count)
    ]


def test_history_draws_a_chart_and_the_last_bars(stockmesh: Run, server: ScriptedServer) -> None:
    server.on("prices.history", lambda params: {"prices": [{"quote": a_quote(), "bars": bars(30)}]})

    ended = stockmesh("history", "AAPL", "--range", "1w", "--rows", "3")

    assert server.asked_for("prices.history") == [{"symbol": "AAPL", "timerange": "1w"}]
    assert ended.code == 0
    assert "AAPL  39.00  +29.00  +290.00%" in ended.out
    assert "█" in ended.out
    assert "39.00 ┤" in ended.out
    assert "10.00 ┤" in ended.out
    assert ended.out.rstrip().endswith("open")


def test_history_goes_from_a_time_to_another_page_after_page(stockmesh: Run, server: ScriptedServer) -> None:
    pages = [
        {"prices": [{"quote": a_quote(), "bars": bars(30)[:20], "interval": "1min"}], "nextPageToken": "t"},
        {"prices": [{"quote": a_quote(), "bars": bars(30)[20:], "interval": "1min", "sources": ["simulated"]}]},
    ]
    server.on("prices.history", *(lambda params, page=page: page for page in pages))

    ended = stockmesh("history", "aapl", "--from", "2026-09-01", "--to", "2026-09-02T09:30+02:00", "--interval", "1min")

    first = {"symbol": "AAPL", "interval": "1min", "fromTime": "2026-09-01T00:00:00Z", "toTime": "2026-09-02T07:30:00Z"}
    assert server.asked_for("prices.history") == [first, first | {"pageToken": "t"}]
    assert "30 bars of 1min  partly simulated" in ended.out


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--from", "yesterday"), "'yesterday' is no time"),
        (("--interval", "2h"), "choose from 1min, 5min, 1h, 1d"),
        (("--range", "1d", "--from", "2026-09-01"), "a range goes until now"),
    ],
)
def test_a_history_that_cannot_be_is_wrong_usage(stockmesh: Run, words: tuple[str, ...], problem: str) -> None:
    ended = stockmesh("history", "AAPL", *words)

    assert (ended.code, problem in ended.err.replace("\n", " ")) == (2, True), ended.err


def test_history_as_json_is_a_bar_a_line(stockmesh: Run, server: ScriptedServer) -> None:
    server.on("prices.history", lambda params: {"prices": [{"quote": a_quote(), "bars": bars(3)}]})

    assert [json.loads(line) for line in stockmesh("history", "AAPL", "--json").out.splitlines()] == bars(3)


def test_history_of_an_unknown_range_is_wrong_usage(stockmesh: Run) -> None:
    ended = stockmesh("history", "AAPL", "--range", "1x")

    assert ended.code == 2
    assert "choose from 1d, 1w, 1m, 3m, 1y" in ended.err


def test_history_without_bars_says_so(stockmesh: Run, server: ScriptedServer) -> None:
    server.on("prices.history", lambda params: {"prices": [{"quote": a_quote()}]})

    assert stockmesh("history", "AAPL").out == "AAPL has no bars in 1d yet.\n"


def test_search_finds_by_several_words(stockmesh: Run, server: ScriptedServer) -> None:
    found = {"symbol": "BRK.B", "name": "Berkshire Hathaway", "exchange": "XNYS", "currency": "USD", "tickSize": "0.01"}
    server.on("instruments.search", lambda params: {"instruments": [found | {"lotSize": "1", "tradable": True}]})

    ended = stockmesh("search", "berkshire", "hath")

    assert server.asked_for("instruments.search")[0]["query"] == "berkshire hath"
    for word in ("BRK.B", "Berkshire Hathaway", "XNYS", "USD", "0.01"):
        assert word in ended.out


def test_search_that_finds_nothing_says_so(stockmesh: Run, server: ScriptedServer) -> None:
    server.on("instruments.search", lambda params: {"instruments": []})

    ended = stockmesh("search", "xyzzy")

    assert (ended.code, ended.out) == (0, "Nothing is called 'xyzzy'.\n")


def test_market_tells_phase_and_age(stockmesh: Run, server: ScriptedServer) -> None:
    server.on("market.status", lambda params: {"state": "OPEN", "feedAgeMs": "120", "pricedInstruments": 503})

    assert stockmesh("market").out == "● OPEN  last tick 0.1 s ago  503 instruments priced\n"
