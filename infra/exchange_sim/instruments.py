"""What is traded here, as the list on disk says."""

import csv
from pathlib import Path

from msgspec import Struct

from runtime.money import micros_from_text


class Instrument(Struct, frozen=True, kw_only=True):
    """One security. Prices are multiples of the tick, quantities multiples of the lot up to the largest."""

    symbol: str
    name: str
    exchange: str
    currency: str
    tick_micros: int
    lot_size: int
    max_quantity: int
    start_micros: int
    popularity: int


def read_instruments(path: Path) -> dict[str, Instrument]:
    """Return the instruments by symbol. Raises OSError, KeyError and ValueError when the list cannot be read as one."""
    with path.open(newline="", encoding="ascii") as source:
        instruments = {row["symbol"]: _instrument(row) for row in csv.DictReader(source)}
    if not instruments:
        raise ValueError(f"{path} names no instrument")
    return instruments


def _instrument(row: dict[str, str]) -> Instrument:
    return Instrument(
        symbol=row["symbol"],
        name=row["name"],
        exchange=row["exchange"],
        currency=row["currency"],
        tick_micros=micros_from_text(row["tick_size"], field="tick_size"),
        lot_size=int(row["lot_size"]),
        max_quantity=int(row["max_quantity"]),
        start_micros=micros_from_text(row["start_price"], field="start_price"),
        popularity=int(row["popularity"]),
    )
