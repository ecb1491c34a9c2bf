"""How loaded bars look as documents: many of one symbol and interval in one, as a document for each would cost 100 times as much.

A year of minutes of 500 instruments is 260 million bars; a small server takes some thousand documents a second.
"""

import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import accumulate, chain, pairwise

from price_svc.bar import DAY, FIVE_MINUTES, HOUR, KEPT_DAYS, MINUTE, Bar
from price_svc.documents import date_of
from price_svc.quote import DAY_NS, SECOND_NS
from runtime.databases import Document

# Some hundred to two thousand bars each.
BLOCK_DAYS = {MINUTE: 1, FIVE_MINUTES: 7, HOUR: 32, DAY: 512}
_COLUMNS = 6
# Prices of neighbours are near each other: what is left of them squeezes to a quarter, quickly.
_LEVEL = 1


def block_of(interval: int, start_ns: int) -> int:
    """Return the start of the block that a bar belongs to."""
    return start_ns - start_ns % (BLOCK_DAYS[interval] * DAY_NS)


def block_to(source: str, block_ns: int, bars: Sequence[Bar], *, for_good: bool) -> Document:
    """Return the document of a block's bars from one source, oldest first. It expires with the last of them, or never."""
    first = bars[0]
    document = {
        "_id": block_id(first.symbol, first.interval, source, block_ns),
        "symbol": first.symbol,
        "interval": first.interval,
        "source": source,
        "block": date_of(block_ns),
        "count": len(bars),
        "bars": _packed(bars),
    }
    kept_days = KEPT_DAYS.get(first.interval)
    if kept_days and not for_good:
        document["expire_time"] = date_of(bars[-1].start_ns) + timedelta(days=kept_days)
    return document


def block_id(symbol: str, interval: int, source: str, block_ns: int) -> str:
    """Return what makes a block that one and no other."""
    return f"{symbol}|{interval}|{source}|{block_ns // SECOND_NS}"


def kept_from(now_ns: int) -> dict[int, int]:
    """Return from which start on bars of each interval are kept."""
    return {interval: now_ns - KEPT_DAYS[interval] * DAY_NS if interval in KEPT_DAYS else 0 for interval in BLOCK_DAYS}


def block_from(document: Document) -> Iterator[Bar]:
    """Return the bars of a document, oldest first."""
    symbol, interval = document["symbol"], document["interval"]
    for row in _unpacked(document["bars"]):
        yield Bar(symbol, interval, *row)


def _packed(bars: Iterable[Bar]) -> bytes:
    """Return the numbers of bars column by column, each as its difference from the one before."""
    columns = list(zip(*bars, strict=True))[2:]
    numbers = array("q", chain.from_iterable(_differences(column) for column in columns))
    if sys.byteorder == "big":
        numbers.byteswap()
    return zlib.compress(numbers.tobytes(), _LEVEL)


def _unpacked(packed: bytes) -> Iterator[tuple[int, ...]]:
    numbers = array("q", zlib.decompress(packed))
    if sys.byteorder == "big":
        numbers.byteswap()
    count = len(numbers) // _COLUMNS
    columns = [accumulate(numbers[count * nth : count * (nth + 1)]) for nth in range(_COLUMNS)]
    return zip(*columns, strict=True)


def _differences(column: Sequence[int]) -> Iterator[int]:
    yield column[0]
    for before, after in pairwise(column):
        yield after - before
