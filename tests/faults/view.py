"""An order as a client sees it, in one plain shape, whichever door it came through."""

from typing import Any, TypeAlias

from google.protobuf import json_format

from gen.trading.v1 import order_pb2
from runtime.money import micros_from_text
from stockmesh.models import Order as ClientOrder

View: TypeAlias = dict[str, Any]


def of_proto(order: order_pb2.Order) -> View:
    """Return the view of an order that came by gRPC."""
    return {
        "order_id": order.order_id,
        "client_order_id": order.client_order_id,
        "account_id": order.account_id,
        "symbol": order.symbol,
        "side": order_pb2.Order.Side.Name(order.side),
        "type": order_pb2.Order.Type.Name(order.type),
        "quantity": order.quantity,
        "limit_price_micros": micros_from_text(order.limit_price) if order.limit_price else 0,
        "filled": order.filled_quantity,
        "state": order_pb2.Order.State.Name(order.state),
        "pending": order_pb2.Order.PendingAction.Name(order.pending_action),
        "certainty": order_pb2.Order.Certainty.Name(order.certainty),
        "revision": order.revision,
    }


def of_json(order: dict[str, Any]) -> View:
    """Return the view of an order in a WebSocket frame."""
    return of_proto(json_format.ParseDict(order, order_pb2.Order(), ignore_unknown_fields=True))


def of_model(order: ClientOrder) -> View:
    """Return the view of an order that the Python client gave."""
    return {
        "order_id": order.order_id,
        "client_order_id": order.client_order_id,
        "account_id": order.account_id,
        "symbol": order.symbol,
        "side": order.side.value,
        "type": order.type.value,
        "quantity": order.quantity,
        "limit_price_micros": micros_from_text(f"{order.limit_price:f}") if order.limit_price else 0,
        "filled": order.filled_quantity,
        "state": order.state.value,
        "pending": order.pending_action.value,
        "certainty": order.certainty.value,
        "revision": order.revision,
    }
