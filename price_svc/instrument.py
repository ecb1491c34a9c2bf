"""What can be traded, and in which steps. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Instrument:
    """One instrument as the venue describes it; the price step in micros, quantities in shares."""

    symbol: str
    name: str
    exchange: str
    currency: str
    tick_size_micros: int
    lot_size: int
    max_quantity: int
    tradable: bool
