"""Orders, quotes and a small exchange for tests: valid by default, override what matters."""

from typing import Any

from infra.exchange_sim.book import Book
from infra.exchange_sim.facts import Filled, OrderType, Side, TimeInForce
from infra.exchange_sim.instruments import Instrument
from infra.exchange_sim.market import Quote
from infra.exchange_sim.matching import Change, Matching
from infra.exchange_sim.order import Order, State
from infra.exchange_sim.requests import CancelRequest, NewOrder, ReplaceRequest
from runtime.money import micros_from_text

SESSION = "STOCKMESH-ORD-0"


def micros(text: str) -> int:
    return micros_from_text(text)


def an_instrument(symbol: str = "AAPL", **changes: Any) -> Instrument:
    values: dict[str, Any] = {
        "symbol": symbol, "name": f"{symbol} Inc.", "exchange": "XNAS", "currency": "USD", "tick_micros": 10_000,
        "lot_size": 1, "max_quantity": 100_000, "start_micros": micros("190.00"), "popularity": 1,
    }  # fmt: skip
    return Instrument(**(values | changes))


def a_quote(last: str = "190.00", **changes: Any) -> Quote:
    """Return a quote with a cent to either side and 300 shares everywhere."""
    price = micros(last)
    values: dict[str, Any] = {
        "symbol": "AAPL", "last": price, "size": 300, "bid": price - 10_000, "bid_size": 300, "ask": price + 10_000,
        "ask_size": 300, "open": price, "high": price, "low": price, "previous_close": price, "volume": 1000, "seq": 7,
    }  # fmt: skip
    return Quote(**(values | changes))


def an_order(**changes: Any) -> Order:
    values: dict[str, Any] = {
        "order_id": "O1", "session": SESSION, "cl_ord_id": "key", "account": "demo", "symbol": "AAPL", "side": Side.BUY,
        "type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC, "quantity": 100, "price_micros": micros("190.00"),
        "state": State.NEW, "rank": 1, "accept_us": 0, "change_us": 0,
    }  # fmt: skip
    return Order(**(values | changes))


def a_request(cl_ord_id: str = "key", price: str = "", **changes: Any) -> NewOrder:
    """Return a request to buy 100 AAPL: at a limit when a price is given, at the market otherwise."""
    values: dict[str, Any] = {
        "session": SESSION, "cl_ord_id": cl_ord_id, "account": "demo", "symbol": "AAPL", "side": Side.BUY,
        "type": OrderType.LIMIT if price else OrderType.MARKET, "time_in_force": TimeInForce.GTC, "quantity": 100,
        "price_micros": micros(price) if price else 0,
    }  # fmt: skip
    return NewOrder(**(values | changes))


class Floor:
    """An exchange of one symbol whose price stands where the test puts it."""

    def __init__(self, *, duplicate_detection: bool = True) -> None:
        self.book = Book()
        self.quotes = {"AAPL": a_quote()}
        self.halted: set[str] = set()
        self.now_us = 1_700_000_000_000_000
        self.changes: list[Change] = []
        self.matching = Matching(
            {"AAPL": an_instrument()}, self.quotes, self.halted, self.book,
            birth="b", duplicate_detection=duplicate_detection,
        )  # fmt: skip

    def place(self, cl_ord_id: str = "key", price: str = "", **changes: Any) -> list[Change]:
        return self._heard(self.matching.place(a_request(cl_ord_id, price, **changes), self.now_us))

    def cancel(self, orig: str = "key", cl_ord_id: str = "cancel") -> list[Change]:
        request = CancelRequest(session=SESSION, cl_ord_id=cl_ord_id, orig_cl_ord_id=orig)
        return self._heard(self.matching.cancel(request, self.now_us))

    def replace(self, quantity: int, price: str, *, orig: str = "key", cl_ord_id: str = "replace") -> list[Change]:
        request = ReplaceRequest(
            session=SESSION, cl_ord_id=cl_ord_id, orig_cl_ord_id=orig, quantity=quantity, price_micros=micros(price)
        )
        return self._heard(self.matching.replace(request, self.now_us))

    def move(self, last: str, **changes: Any) -> list[Change]:
        """Put the price somewhere and trade what it touches."""
        self.quotes["AAPL"] = a_quote(last, **changes)
        return self._heard(self.matching.trade([self.quotes["AAPL"]], self.now_us))

    def order(self, cl_ord_id: str = "key") -> Order:
        order = self.book.find("STOCKMESH", cl_ord_id)
        assert order is not None
        return order

    def _heard(self, changes: list[Change]) -> list[Change]:
        self.changes += changes
        return changes


def kinds(changes: list[Change]) -> list[str]:
    """Return what happened, a word a change."""
    return [type(change.fact).__name__ for change in changes]


def trades(changes: list[Change]) -> list[tuple[int, int]]:
    """Return quantity and price of the fills."""
    return [
        (change.fact.last_quantity, change.fact.last_price_micros)
        for change in changes
        if isinstance(change.fact, Filled)
    ]
