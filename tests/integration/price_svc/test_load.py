"""The loader with a real database: loads can be repeated, what was heard stays, and a real set of US stocks is read."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from price_svc import load
from price_svc.bar import DAY, Bar, start_of
from price_svc.history import Past, Span
from price_svc.quote import DAY_NS
from price_svc.store import MongoHistory
from runtime.databases import Database, open_mongo
from tests.unit.price_svc.examples import a_bar

NOW_NS = time.time_ns()
MINUTE_NS = start_of(NOW_NS, 60)
HEAD = "symbol,interval,start,open,high,low,close,volume\n"


@pytest.fixture
async def database(mongo_url: str, database_name: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    monkeypatch.setenv("PRICE_SVC_MONGO_URL", mongo_url)
    monkeypatch.setenv("PRICE_SVC_MONGO_DATABASE", database_name)
    async with open_mongo(mongo_url, database=database_name, driver="motor") as database:
        yield database


async def loaded(*arguments: str) -> load.Outcome:
    return await load.run(arguments)


async def past_of(database: Database, symbol: str, span: Span) -> Past:
    return await MongoHistory(database, flush_seconds=1, tick_retention_days=1).bars(symbol, span)


def minute(minutes_ago: int, close: str = "2") -> str:
    start = time.strftime("%Y-%m-%dT%H:%M:00Z", time.gmtime(MINUTE_NS // 10**9 - 60 * minutes_ago))
    return f"AAPL,1min,{start},1,9,1,{close},5\n"


def a_file(folder: Path, *lines: str, name: str = "mine.csv") -> str:
    (folder / name).write_text(HEAD + "".join(lines))
    return str(folder / name)


LAST_HOUR = Span(60, MINUTE_NS - 3_600 * 10**9, MINUTE_NS)


async def test_a_load_that_is_repeated_changes_nothing(database: Database, tmp_path: Path) -> None:
    path = a_file(tmp_path, minute(3), minute(1), minute(6_000))

    first, second = await loaded(path), await loaded(path)

    assert (first.loaded.new, first.loaded.known, first.expired) == (2, 0, 1)
    assert (second.loaded.new, second.loaded.known, second.loaded.different) == (0, 2, 0)
    past = await past_of(database, "AAPL", LAST_HOUR)
    assert [bar.volume for bar in past.bars] == [5, 5]
    assert past.sources == {"mine"}


async def test_what_is_there_stays_unless_it_is_to_be_replaced(database: Database, tmp_path: Path) -> None:
    await loaded(a_file(tmp_path, minute(2), minute(1)))
    other = a_file(tmp_path, minute(2, "3"), minute(0, "3"), name="other.csv")

    outcome = await loaded(other)
    kept = await past_of(database, "AAPL", LAST_HOUR)
    await loaded("--replace", other)
    replaced = await past_of(database, "AAPL", LAST_HOUR)

    assert (outcome.loaded.new, outcome.loaded.different) == (1, 1)
    assert [bar.close_micros for bar in kept.bars] == [2_000_000, 2_000_000]
    assert [bar.close_micros for bar in replaced.bars] == [3_000_000, 2_000_000]
    assert replaced.sources == {"mine", "other"}


async def test_a_bar_that_was_heard_holds_unless_it_is_to_be_replaced(database: Database, tmp_path: Path) -> None:
    heard = a_bar(start_ns=MINUTE_NS - 60 * 10**9)
    history = MongoHistory(database, flush_seconds=1, tick_retention_days=1)
    history.keep_bars([heard])
    await history.flush()
    path = a_file(tmp_path, minute(1))

    await loaded(path)
    assert await past_of(database, "AAPL", LAST_HOUR) == Past([heard])

    await loaded("--replace", path)
    past = await past_of(database, "AAPL", LAST_HOUR)
    assert [bar.volume for bar in past.bars] == [5]
    assert past.sources == {"mine"}


async def test_pages_of_many_blocks_join_without_a_gap(database: Database, tmp_path: Path) -> None:
    days = [a_bar(interval=DAY, start_ns=nth * 400 * DAY_NS) for nth in range(1, 50)]
    rows = [f"AAPL,1d,{time.strftime('%Y-%m-%d', time.gmtime(day.start_ns // 10**9))},1,9,1,2,5\n" for day in days]
    await loaded(a_file(tmp_path, *rows))
    found: list[Bar] = []
    from_ns = 0
    while bars := (await past_of(database, "AAPL", Span(DAY, from_ns, NOW_NS, limit=40))).bars[:40]:
        found += bars
        from_ns = bars[-1].start_ns + 1

    assert [bar.start_ns for bar in found] == [day.start_ns for day in days]


async def test_bad_lines_and_files_are_counted_and_told(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = a_file(tmp_path, minute(1), "AAPL,1min,never,1,1,1,1,1\n")

    outcome = await loaded(path, str(tmp_path / "none.csv"))

    assert (outcome.loaded.new, outcome.bad_lines, outcome.bad_files) == (1, 1, 1)
    said = capsys.readouterr().err
    assert f"{path}:3: Invalid isoformat string: 'never'" in said
    assert "none.csv: No such file or directory" in said


async def test_a_real_set_of_us_stocks_is_loaded(database: Database) -> None:
    sampledata = pytest.importorskip("bokeh_sampledata")
    path = Path(sampledata.__file__).parent / "_data" / "stocks.csv.gz"

    outcome = await loaded("--source", "bokeh-sampledata", str(path))

    assert (outcome.loaded.new, outcome.bad_lines) == (12_154, 0)
    past = await past_of(database, "AAPL", Span(DAY, 0, NOW_NS))
    assert past.sources == {"bokeh-sampledata"}
    assert (past.bars[0].open_micros, past.bars[0].volume) == (118_560_000, 9_616_100)
    assert past.bars[0].start_ns == 11_017 * DAY_NS
