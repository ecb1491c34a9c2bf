"""Quotes as plain dictionaries, the way a first version of a server makes them."""

from datetime import UTC
from typing import Any

from gen.trading.v1.price_pb2 import Quote, QuoteBatch


def plain(payload: bytes) -> dict[str, Any]:
    """Return a batch as the frame that the edge would send."""
    quotes = [_quote(quote) for quote in QuoteBatch.FromString(payload).quotes]
    return {"jsonrpc": "2.0", "method": "prices.update", "params": {"quotes": quotes}}


def _quote(quote: Quote) -> dict[str, Any]:
    return {
        "symbol": quote.symbol,
        "price": quote.price,
        "bid": quote.bid,
        "ask": quote.ask,
        "open": quote.open,
        "high": quote.high,
        "low": quote.low,
        "previousClose": quote.previous_close,
        "volume": str(quote.volume),
        "epoch": str(quote.epoch),
        "seq": str(quote.seq),
        "quoteTime": quote.quote_time.ToDatetime(UTC).isoformat().replace("+00:00", "Z"),
        "state": Quote.State.Name(quote.state),
    }
