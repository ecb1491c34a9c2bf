"""Reads files of past bars: CSV, plain or gzipped, with a line for each bar. The layouts are told in docs/operations.md."""

import csv
import gzip
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeAlias

from price_svc.bar import DAY, INTERVALS, Bar
from price_svc.calendar import day_of
from price_svc.quote import DAY_NS, SECOND_NS
from runtime.errors import InvalidArgument
from runtime.money import micros_from_text

STANDARD_INPUT = "-"
# Other names of columns, as others write them.
_SPELT = {"ticker": "symbol", "date": "start", "time": "start", "timestamp": "start"}
_NEEDED = ("start", "open", "high", "low", "close", "volume")
_SOURCE = "# source:"
_DATE_LENGTH = 10
MAX_SYMBOL, MAX_SOURCE, MAX_VOLUME_DIGITS = 32, 40, 18


class BadFile(Exception):
    """The file as a whole cannot be read; the text says why."""


class BadLine(NamedTuple):
    """A line that is no bar: its number, beginning with 1, and the reason."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What the columns of a file do not say: symbol and interval of all its bars; empty means that they do."""

    symbol: str = ""
    interval: str = ""


Columns: TypeAlias = Callable[[Sequence[str]], tuple[str, ...]]


class PastFile:
    """An open file of bars. `source` is the name that the file gives itself, or else its own."""

    def __init__(self, path: str, raw: BinaryIO, layout: Layout) -> None:
        self._raw = raw
        packed = raw.peek(2)[:2] == b"\x1f\x8b" if isinstance(raw, io.BufferedReader) else False
        unpacked = gzip.GzipFile(fileobj=raw) if packed else raw
        self._text = io.TextIOWrapper(unpacked, encoding="utf-8-sig", newline="")
        self.size = 0 if path == STANDARD_INPUT else Path(path).stat().st_size
        stem = Path(path).name.split(".")[0]
        self.source = stem
        self._number = 0
        self._rows = csv.reader(self._lines())
        self._columns = self._head(stem, layout)

    @property
    def read_bytes(self) -> int:
        """How much of the file was read, as it lies on the disk; 0 where that is not known."""
        return self._raw.tell() if self.size else 0

    def rows(self) -> Iterator[Bar | BadLine]:
        """Return each bar, and each line that is none. Raises BadFile when the file breaks off."""
        columns = self._columns
        try:
            for row in self._rows:
                try:
                    yield _bar(*columns(row))
                except IndexError:
                    if row:
                        yield BadLine(self._number, f"it has only {len(row)} columns")
                except (InvalidArgument, ValueError) as error:
                    yield BadLine(self._number, str(error))
        except (EOFError, OSError, UnicodeDecodeError, csv.Error) as error:
            raise BadFile(f"behind line {self._number}: {error}") from error

    def _lines(self) -> Iterator[str]:
        for number, line in enumerate(self._text, 1):
            self._number = number
            if not line.startswith("#"):
                yield line
            elif line.lower().startswith(_SOURCE):
                self.source = line[len(_SOURCE) :].strip()

    def _head(self, stem: str, layout: Layout) -> Columns:
        """Return what takes a row's columns in our order, and puts in what they do not say."""
        try:
            names = [name.strip().lower().replace(" ", "_") for name in next(self._rows, ())]
        except (EOFError, OSError, UnicodeDecodeError, csv.Error) as error:
            raise BadFile(str(error)) from error
        place = {_SPELT.get(name, name): nth for nth, name in enumerate(names)}
        if missing := [name for name in _NEEDED if name not in place]:
            raise BadFile(f"the header has no column {', '.join(missing)}")
        symbol = layout.symbol or ("" if "symbol" in place else stem.upper())
        # A file that does not say is one of days: that is how they are sold.
        interval = layout.interval or ("" if "interval" in place else "1d")
        if not symbol and not interval:
            return itemgetter(*(place[name] for name in ("symbol", "interval", *_NEEDED)))
        needed = itemgetter(*(place[name] for name in _NEEDED))
        return lambda row: (
            symbol or row[place["symbol"]], interval or row[place["interval"]], *needed(row)
        )  # fmt: skip


@contextmanager
def open_past(path: str, layout: Layout) -> Iterator[PastFile]:
    """Open a file for a block; `-` is standard input. Raises BadFile."""
    try:
        if path == STANDARD_INPUT:
            yield PastFile(path, sys.stdin.buffer, layout)
            return
        with Path(path).open("rb") as raw:
            yield PastFile(path, raw, layout)
    except OSError as error:
        raise BadFile(error.strerror or str(error)) from error


def _bar(*columns: str) -> Bar:
    symbol, interval, start, opens, high, low, close, volume = columns
    seconds = _seconds(interval)
    open_micros, high_micros, low_micros, close_micros = _micros(opens), _micros(high), _micros(low), _micros(close)
    if not 0 < low_micros <= open_micros <= high_micros or not low_micros <= close_micros <= high_micros:
        raise ValueError("prices must be above 0, none below low and none above high")
    start_ns, shares = _start_ns(start, seconds), _shares(volume)
    return Bar(_symbol(symbol), seconds, start_ns, open_micros, high_micros, low_micros, close_micros, shares)


def _shares(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or len(text) > MAX_VOLUME_DIGITS:
        raise ValueError(f"volume must be a whole number of shares, got {text[:40]!r}")
    return int(text)


# The same few come again and again.
_micros = lru_cache(1 << 16)(micros_from_text)


@lru_cache(16)
def _seconds(interval: str) -> int:
    seconds = INTERVALS.get(interval)
    if seconds is None:
        raise ValueError(f"interval must be one of {', '.join(INTERVALS)}, got {interval[:20]!r}")
    return seconds


@lru_cache(1 << 12)
def _symbol(text: str) -> str:
    if not 0 < len(text) <= MAX_SYMBOL or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"symbol must be 1 to {MAX_SYMBOL} visible ASCII characters, got {text[:40]!r}")
    return text


@lru_cache(1 << 16)
def _start_ns(text: str, interval: int) -> int:
    if len(text) == _DATE_LENGTH:
        start_ns = day_of(text) * DAY_NS
    else:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise ValueError(f"start must say its time zone, like 2026-03-02T12:00:00Z, got {text[:40]!r}")
        start_ns = int(time.astimezone(UTC).timestamp()) * SECOND_NS
    if interval == DAY:
        # A session is told by its day, whenever it opens.
        return start_ns - start_ns % DAY_NS
    if start_ns % (interval * SECOND_NS):
        raise ValueError(f"start is not where an interval of {interval} s begins: {text[:40]}")
    return start_ns
