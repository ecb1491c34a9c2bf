import gzip
from pathlib import Path

import pytest

from price_svc.bar import DAY, MINUTE, Bar
from price_svc.past_file import BadFile, BadLine, Layout, open_past
from price_svc.quote import DAY_NS
from runtime.money import MICROS
from tests.unit.price_svc.examples import NOON_NS

HEAD = "symbol,interval,start,open,high,low,close,volume\n"
GOOD = "AAPL,1min,2026-03-02T12:00:00Z,190.00,191.5,189,190.25,100\n"
BAR = Bar("AAPL", MINUTE, NOON_NS, 190 * MICROS, 191_500_000, 189 * MICROS, 190_250_000, 100)


def rows_of(folder: Path, text: str, name: str = "some.csv", layout: Layout | None = None) -> list[Bar | BadLine]:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    with open_past(str(path), layout or Layout()) as past:
        return list(past.rows())


@pytest.mark.parametrize("name", ["some.csv", "some.csv.gz"])
def test_our_own_layout_is_read_plain_and_packed(tmp_path: Path, name: str) -> None:
    assert rows_of(tmp_path, HEAD + GOOD, name) == [BAR]


def test_a_file_may_name_its_source(tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_text(f"# source: simulated\n{HEAD}{GOOD}")
    with open_past(str(path), Layout()) as past:
        assert past.source == "simulated"
        assert list(past.rows()) == [BAR]


def test_a_file_of_days_without_symbol_is_of_the_symbol_in_its_name(tmp_path: Path) -> None:
    text = "Date,Open,High,Low,Close,Volume,Adj Close\n2013-03-01,1.5,2,1,1.7,100,0.8\n"

    (day,) = rows_of(tmp_path, text, "aapl.csv")
    (named,) = rows_of(tmp_path, text, layout=Layout(symbol="BRK.B"))

    assert day == Bar("AAPL", DAY, 15_765 * DAY_NS, 1_500_000, 2 * MICROS, MICROS, 1_700_000, 100)
    assert isinstance(named, Bar)
    assert named.symbol == "BRK.B"


def test_a_file_of_several_tickers_is_read(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "Ticker,Date,Open,High,Low,Close,Volume\nF,2013-03-01,1,1,1,1,5\nG,2013-03-01,1,1,1,1,6\n")

    assert [row.symbol for row in rows if isinstance(row, Bar)] == ["F", "G"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("AAPL,1min,2026-03-02T12:00:00Z,190,191,189,190", "it has only 7 columns"),
        ("AAPL,2min,2026-03-02T12:00:00Z,190,191,189,190,1", "interval must be one of 1min, 5min, 1h, 1d, got '2min'"),
        ("AAPL,1min,2026-03-02T12:00:30Z,190,191,189,190,1", "start is not where an interval of 60 s begins"),
        ("AAPL,1min,2026-03-02T12:00:00,190,191,189,190,1", "start must say its time zone"),
        ("AAPL,1min,yesterday,190,191,189,190,1", "Invalid isoformat string: 'yesterday'"),
        ("AAPL,1min,2026-03-02T12:00:00Z,190,189,189,190,1", "prices must be above 0"),
        ("AAPL,1min,2026-03-02T12:00:00Z,1e2,191,189,190,1", "amount must be decimal text"),
        ("AAPL,1min,2026-03-02T12:00:00Z,190,191,189,190,-1", "volume must be a whole number of shares"),
        ("A PL,1min,2026-03-02T12:00:00Z,190,191,189,190,1", "symbol must be 1 to 32 visible ASCII characters"),
    ],
)
def test_a_bad_line_is_named_with_its_reason_and_the_others_are_read(tmp_path: Path, line: str, reason: str) -> None:
    before, bad, behind = rows_of(tmp_path, f"{HEAD}{GOOD}{line}\n{GOOD}")

    assert before == behind == BAR
    assert isinstance(bad, BadLine)
    assert bad.number == 3
    assert bad.reason.startswith(reason)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="no column start, open, high, low, close, volume"):
        rows_of(tmp_path, "a,b\n1,2\n")
    with pytest.raises(BadFile, match="No such file"), open_past(str(tmp_path / "none.csv"), Layout()):
        pass
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress((HEAD + GOOD * 99).encode())[:-20])
    with pytest.raises(BadFile), open_past(str(tmp_path / "cut.csv.gz"), Layout()) as past:
        list(past.rows())
