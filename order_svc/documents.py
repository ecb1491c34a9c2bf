"""How an order is written down in MongoDB, and read back. Pure. Money is int64 micros; times have milliseconds (BSON's date)."""

from typing import Any, TypeAlias

from order_svc.fact import Fact, Kind, Reason, Source
from order_svc.order import Order, Side, Terms, TimeInForce, Type

Document: TypeAlias = dict[str, Any]


def document_of(order: Order) -> Document:
    """Return the document of an order. `state` and `symbol` stand on top because lists filter by them."""
    terms = order.terms
    return {
        "_id": order.order_id,
        "account_id": order.account_id,
        "client_order_id": order.client_order_id,
        "fingerprint": order.fingerprint,
        "symbol": terms.symbol,
        "state": order.state.value,
        "side": terms.side.value,
        "type": terms.type.value,
        "time_in_force": terms.time_in_force.value,
        "quantity": terms.quantity,
        "limit_price_micros": terms.limit_price_micros,
        "collar_price_micros": terms.collar_price_micros,
        "submit_by": terms.submit_by,
        "create_time": order.create_time,
        "update_time": order.update_time,
        "receive_time": order.receive_time,
        "revision": order.revision,
        # For whoever looks after orders that the exchange has filled more of than we know.
        "missing_quantity": order.missing_quantity,
        "facts": [_fact_document(fact) for fact in order.facts],
    }


def order_from(document: Document) -> Order:
    """Return the order that a document holds."""
    return Order(
        order_id=document["_id"],
        client_order_id=document["client_order_id"],
        account_id=document["account_id"],
        fingerprint=document["fingerprint"],
        terms=Terms(
            symbol=document["symbol"],
            side=Side(document["side"]),
            type=Type(document["type"]),
            time_in_force=TimeInForce(document["time_in_force"]),
            quantity=document["quantity"],
            limit_price_micros=document["limit_price_micros"],
            collar_price_micros=document["collar_price_micros"],
            submit_by=document["submit_by"],
        ),
        create_time=document["create_time"],
        update_time=document["update_time"],
        receive_time=document.get("receive_time"),
        revision=document["revision"],
        facts=tuple(_fact_from(fact) for fact in document["facts"]),
    )


def _fact_document(fact: Fact) -> Document:
    written: Document = {
        "id": fact.fact_id,
        "kind": fact.kind.value,
        "time": fact.time,
        "record_time": fact.record_time,
        "exec_id": fact.exec_id,
        "exec_ref_id": fact.exec_ref_id,
        "quantity": fact.quantity,
        "price_micros": fact.price_micros,
        "exchange_order_id": fact.exchange_order_id,
        "command_id": fact.command_id,
        "number": fact.number,
        "cumulative": fact.cumulative,
    }
    if any(fact.hops):
        written["hops"] = list(fact.hops)
    if fact.reason:
        written["reason"] = [fact.reason.code, fact.reason.source.value, fact.reason.message]
    # What says nothing is not written: a fact has few of these fields.
    return {name: value for name, value in written.items() if value not in ("", 0)}


def _fact_from(written: Document) -> Fact:
    reason = written.get("reason")
    return Fact(
        fact_id=written["id"],
        kind=Kind(written["kind"]),
        time=written["time"],
        record_time=written["record_time"],
        exec_id=written.get("exec_id", ""),
        exec_ref_id=written.get("exec_ref_id", ""),
        quantity=written.get("quantity", 0),
        price_micros=written.get("price_micros", 0),
        exchange_order_id=written.get("exchange_order_id", ""),
        command_id=written.get("command_id", ""),
        number=written.get("number", 0),
        reason=Reason(reason[0], Source(reason[1]), reason[2]) if reason else None,
        cumulative=written.get("cumulative", 0),
        hops=tuple(written.get("hops", ())),
    )
