"""Makes `instruments.csv` from `pytickersymbols` (MIT licence): run `python -m infra.exchange_sim.make_instruments`.

Symbols, names and exchanges are real; start prices are not: a few are near what people remember, the others are drawn by a
hash of the symbol, so that the same list always gives the same file.
"""

import csv
import hashlib
import math
import re
import unicodedata
from pathlib import Path
from typing import Any

from pytickersymbols import PyTickerSymbols

INDICES = ("S&P 500", "NASDAQ 100", "DOW JONES", "S&P 100")
COLUMNS = (
    "symbol", "name", "exchange", "currency", "tick_size", "lot_size", "max_quantity", "start_price", "popularity",
)  # fmt: skip
LOOKED_AT_MOST = frozenset({"AAPL", "MSFT", "NVDA", "AMZN", "GOOGL", "GOOG", "META", "TSLA", "AVGO", "BRK.B"})
KNOWN_PRICES = {
    "AAPL": "210.00", "MSFT": "440.00", "NVDA": "130.00", "AMZN": "195.00", "GOOGL": "175.00", "GOOG": "176.50",
    "META": "560.00", "TSLA": "260.00", "AVGO": "190.00", "BRK.B": "480.00", "JPM": "240.00", "V": "310.00",
    "MA": "500.00", "UNH": "480.00", "XOM": "112.00", "JNJ": "155.00", "WMT": "88.00", "PG": "165.00", "HD": "380.00",
    "COST": "900.00", "NFLX": "820.00", "AMD": "140.00", "INTC": "24.00", "KO": "66.00", "PEP": "155.00",
    "DIS": "105.00", "BA": "170.00", "CAT": "370.00", "GS": "560.00", "IBM": "220.00", "MMM": "130.00", "MCD": "295.00",
    "NKE": "75.00", "PFE": "27.00", "VZ": "41.00", "T": "22.00", "F": "10.80", "NVR": "8200.00", "BKNG": "4700.00",
}  # fmt: skip
LISTED_ON = re.compile(r"nyse|nasdaq|cboe", re.IGNORECASE)
MICS = {"nyse": "XNYS", "nasdaq": "XNAS", "cboe": "BATS"}


def main() -> None:
    """Write the file beside this module."""
    listed: dict[str, dict[str, Any]] = {}
    indices: dict[str, set[str]] = {}
    source = PyTickerSymbols()
    for index in INDICES:
        for stock in source.get_stocks_by_index(index):
            listed.setdefault(stock["symbol"], stock)
            indices.setdefault(stock["symbol"], set()).add(index)
    path = Path(__file__).with_name("instruments.csv")
    with path.open("w", newline="", encoding="ascii") as output:
        writer = csv.DictWriter(output, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(_row(listed[symbol], indices[symbol]) for symbol in sorted(listed))


def _row(stock: dict[str, Any], indices: set[str]) -> dict[str, object]:
    symbol = stock["symbol"]
    return {
        "symbol": symbol,
        "name": _ascii(stock["name"]),
        "exchange": _exchange(stock),
        "currency": "USD",
        "tick_size": "0.01",
        "lot_size": 1,
        "max_quantity": 100_000,
        "start_price": KNOWN_PRICES.get(symbol) or _drawn_price(symbol),
        "popularity": 20 if symbol in LOOKED_AT_MOST else 4 if indices - {"S&P 500"} else 1,
    }


def _ascii(name: str) -> str:
    """Return the name without letters that FIX's Latin-1 does not know."""
    plain = name.replace("\N{EN DASH}", "-").replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()


def _exchange(stock: dict[str, Any]) -> str:
    """Return the market's code (ISO 10383) by the first exchange that the entry names."""
    found = LISTED_ON.search(stock.get("metadata", {}).get("traded_as", ""))
    return MICS[found.group().lower()] if found else "XNYS"


def _drawn_price(symbol: str) -> str:
    """Return a price between 12 and 500 dollars, log-uniform, that depends on the symbol alone."""
    drawn = int.from_bytes(hashlib.sha256(symbol.encode()).digest()[:4], "big") / 2**32
    return f"{12 * math.exp(drawn * math.log(500 / 12)):.2f}"


if __name__ == "__main__":
    main()
