"""What the pre-trade checks know of the market, kept in memory from what the bus says."""

import time
from dataclasses import dataclass

from order_svc.risk import Instrument, Market


@dataclass(frozen=True, slots=True)
class LastPrice:
    """A symbol's last price: (epoch, seq) is its version, `live` what price_svc says of it."""

    epoch: int
    seq: int
    micros: int
    live: bool
    halted: bool
    heard_at: float


class MarketMemory:
    """The market as last heard. A quote that its owner stops repeating is no live price, whatever it last said."""

    def __init__(self, *, quote_max_age_seconds: float) -> None:
        self._max_age = quote_max_age_seconds
        self._instruments: dict[str, Instrument] = {}
        self._prices: dict[str, LastPrice] = {}
        self._venue_open = True
        self._trading_state = "ACTIVE"

    @property
    def instruments(self) -> int:
        """Return how many instruments are known."""
        return len(self._instruments)

    def hear_instrument(self, instrument: Instrument) -> None:
        """Take in how a symbol is traded."""
        self._instruments[instrument.symbol] = instrument

    def hear_price(self, symbol: str, price: LastPrice) -> None:
        """Take in a quote; an older version than the known one changes nothing."""
        known = self._prices.get(symbol)
        if known is None or (price.epoch, price.seq) >= (known.epoch, known.seq):
            self._prices[symbol] = price

    def hear_venue(self, *, is_open: bool) -> None:
        """Take in whether the venue matches orders."""
        self._venue_open = is_open

    def hear_trading_state(self, state: str) -> None:
        """Take in what operators allow: ACTIVE, REDUCING or HALTED."""
        self._trading_state = state

    def of(self, symbol: str) -> Market:
        """Return the world as it is now for a symbol."""
        price = self._prices.get(symbol)
        fresh = price is not None and price.live and time.monotonic() - price.heard_at < self._max_age
        return Market(
            instrument=self._instruments.get(symbol),
            last_price_micros=price.micros if price and fresh else 0,
            venue_open=self._venue_open,
            symbol_halted=bool(price and price.halted),
            trading_state=self._trading_state,
            price_age_seconds=time.monotonic() - price.heard_at if price else None,
            price_max_age_seconds=self._max_age,
        )
