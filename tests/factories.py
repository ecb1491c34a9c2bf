"""Things that tests talk about, valid by default; override what matters."""

from datetime import UTC, datetime, timedelta
from typing import Any

from order_svc.fact import Fact, Kind
from order_svc.identity import fingerprint_of, order_id_of
from order_svc.order import Order, Side, Terms, TimeInForce, Type
from order_svc.placement import Wish
from order_svc.risk import Instrument, Market
from runtime.money import MICROS

NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """Return a time some seconds after noon of a Monday."""
    return NOON + timedelta(seconds=seconds)


def some_terms(**changes: Any) -> Terms:
    """Terms of a LIMIT order to buy 10 AAPL at 190.12."""
    fields: dict[str, Any] = {
        "symbol": "AAPL",
        "side": Side.BUY,
        "type": Type.LIMIT,
        "time_in_force": TimeInForce.DAY,
        "quantity": 10,
        "limit_price_micros": 190_120_000,
        "submit_by": at(3600),
    }
    return Terms(**{**fields, **changes})


def a_wish(**changes: Any) -> Wish:
    """A wish of account demo under the key k1."""
    key, account = changes.pop("client_order_id", "k1"), changes.pop("account_id", "demo")
    return Wish(account, key, some_terms(**changes))


def an_order(**changes: Any) -> Order:
    """An order of account demo that nothing has happened to yet."""
    key, account = changes.pop("client_order_id", "k1"), changes.pop("account_id", "demo")
    facts = changes.pop("facts", ())
    terms = some_terms(**changes)
    order = Order(
        order_id=order_id_of(account, key),
        client_order_id=key,
        account_id=account,
        fingerprint=fingerprint_of(terms, submit_by_given=False),
        terms=terms,
        create_time=NOON,
        update_time=NOON,
    )
    return order.with_facts(facts, now=NOON)


def a_fact(kind: Kind, **changes: Any) -> Fact:
    """A fact one second after the order was stored; its id follows from its kind unless given."""
    fields: dict[str, Any] = {"fact_id": f"fact-{kind}", "kind": kind, "time": at(1), "record_time": at(1)}
    return Fact(**{**fields, **changes})


def a_fill(exec_id: str, quantity: int, *, price_micros: int = 190_000_000, seconds: float = 2.0) -> Fact:
    """A fill with an exec_id of the exchange."""
    return a_fact(
        Kind.FILL,
        fact_id=f"fill-{exec_id}",
        exec_id=exec_id,
        quantity=quantity,
        price_micros=price_micros,
        time=at(seconds),
    )


def an_instrument(**changes: Any) -> Instrument:
    """AAPL in steps of one cent and one share."""
    fields: dict[str, Any] = {
        "symbol": "AAPL",
        "tick_micros": 10_000,
        "lot_size": 1,
        "max_quantity": 100_000,
        "tradable": True,
    }
    return Instrument(**{**fields, **changes})


def a_market(**changes: Any) -> Market:
    """An open market in which AAPL last traded at 190."""
    fields: dict[str, Any] = {
        "instrument": an_instrument(),
        "last_price_micros": 190 * MICROS,
        "venue_open": True,
        "symbol_halted": False,
    }
    return Market(**{**fields, **changes})
