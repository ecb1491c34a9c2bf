"""`python -m infra.exchange_sim past`: writes the seeded past as a file of bars, what is looked at most first."""

import argparse
import gzip
import io
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from infra.exchange_sim.instruments import Instrument, read_instruments
from infra.exchange_sim.market import with_shares
from infra.exchange_sim.past import DAY, NAMES, Past
from infra.exchange_sim.pulse import load_memory
from infra.exchange_sim.settings import ExchangeSimSettings
from runtime.money import text_from_micros
from runtime.settings import SettingsError, load

HEAD = "# source: simulated\nsymbol,interval,start,open,high,low,close,volume\n"
WRONG = 2


def main(arguments: Sequence[str]) -> int:
    """Write the file. Returns 2 when a setting is wrong."""
    parser = argparse.ArgumentParser(prog="python -m infra.exchange_sim past", description=__doc__)
    parser.add_argument("--out", default="-", help="the file, gzipped if it ends with .gz; default: standard output")
    parser.add_argument(
        "--end", type=int, default=0, help="seconds since 1970; default: where its prices begin, or now"
    )
    wishes = parser.parse_args(arguments)
    try:
        settings = load(ExchangeSimSettings)
    except SettingsError as error:
        sys.stderr.write(f"wrong settings:\n{error}\n")
        return WRONG
    try:
        with _opened(wishes.out) as output:
            for chunk in lines(settings, read_instruments(settings.instruments_path), end=wishes.end):
                output.write(chunk)
    except BrokenPipeError:
        return 1
    return 0


def lines(settings: ExchangeSimSettings, instruments: Mapping[str, Instrument], *, end: int) -> Iterator[str]:
    """Return the file in parts: its head, then the bars of each instrument, coarse ones first."""
    yield HEAD
    memory = load_memory(settings.ledger_path.with_suffix(".market.json"))
    began = memory.began if memory else 0
    # Of a market that does not know when it began the past ends with the price of now.
    quotes = {quote.symbol: quote for quote in memory.quotes} if memory and not began else {}
    end = end or began or int(time.time())
    times: dict[int, str] = {}
    popular_first = sorted(with_shares(instruments, settings.ticks_per_second), key=lambda pair: -pair[0].popularity)
    for item, moves_per_second in popular_first:
        quote, tick = quotes.get(item.symbol), item.tick_micros
        last = quote.last if quote else item.start_micros
        opened = quote.open if quote and memory and memory.day == end // DAY else last
        past = Past(item, moves_per_second, seed=settings.seed, end=end, opened=opened // tick, last=last // tick)
        made = past.bars()
        text = _Prices(tick)
        yield "".join(
            f"{item.symbol},{NAMES[interval]},{times.get(bar.start) or _time(times, bar.start)},"
            f"{text[bar.open]},{text[bar.high]},{text[bar.low]},{text[bar.close]},{bar.volume}\n"
            for interval in sorted(made, reverse=True)
            for bar in made[interval]
        )


class _Prices(dict[int, str]):
    """Prices in ticks as text, each made once."""

    def __init__(self, tick_micros: int) -> None:
        super().__init__()
        self._tick = tick_micros

    def __missing__(self, ticks: int) -> str:
        text = self[ticks] = text_from_micros(ticks * self._tick)
        return text


def _time(times: dict[int, str], start: int) -> str:
    text = times[start] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start))
    return text


@contextmanager
def _opened(path: str) -> Iterator[TextIO]:
    if path == "-":
        yield sys.stdout
        sys.stdout.flush()
    elif path.endswith(".gz"):
        # No name and no time in it: the same past is the same file.
        with (
            Path(path).open("wb") as raw,
            gzip.GzipFile("", "wb", 1, raw, mtime=0) as packed,
            io.TextIOWrapper(packed, encoding="ascii") as output,
        ):
            yield output
    else:
        with Path(path).open("w", encoding="ascii") as output:
            yield output
