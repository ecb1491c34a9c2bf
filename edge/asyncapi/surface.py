"""What each method answers, and what the edge tells by itself. Parameters are in edge/params.py."""

from dataclasses import dataclass
from typing import TypeAlias

from google.protobuf.descriptor import Descriptor

from edge.asyncapi.schemas import INT64, TEXT, TIME, WHOLE, Messages, Schema, array, record, ref
from gen.trading.v1 import order_pb2, price_pb2

_NUMBER: Schema = {"type": "number"}
# What an account, a socket or a frame may use; 0 means no limit.
_LIMITS = (
    "accountSockets",
    "accountSubscriptions",
    "subscriptions",
    "inFlight",
    "batch",
    "frameBytes",
    "messagesPerSecond",
    "ordersPerSecond",
    "subscriptionsPerSecond",
)
LAST_PRICE = ("symbol", "price", "epoch", "seq", "state", "quote_time")
QUOTES = array({"anyOf": [ref("Quote"), ref("LastPrice")]})
_SUBSCRIPTION = record({"symbol": TEXT, "mode": {"type": "string", "enum": ["LTP", "QUOTE"]}, "maxHz": _NUMBER})
_REFUSED = record({"symbol": TEXT, "reason": TEXT, "message": TEXT})
_PRICES = record({"subscriptions": array(_SUBSCRIPTION), "quotes": QUOTES, "refused": array(_REFUSED)})

Answer: TypeAlias = Descriptor | Schema


@dataclass(frozen=True, slots=True)
class Told:
    """A method or a notification in words, and what it says: the result, or the parameters."""

    words: str
    says: Answer


RESULTS: dict[str, Told] = {
    "session.authenticate": Told(
        "Proves who you are, or prolongs the session with a new token of the same user.",
        record(
            {
                "subject": TEXT,
                "accounts": array(TEXT),
                "scopes": array(TEXT),
                "expireTime": TIME,
                "limits": record(dict.fromkeys(_LIMITS, _NUMBER)),
            }
        ),
    ),
    "ping": Told("Answers with the server's time.", record({"time": TIME})),
    "prices.get": Told(
        "Returns latest prices: of some symbols, or of all, page by page.", price_pb2.GetPricesResponse.DESCRIPTOR
    ),
    "prices.history": Told("Returns bars of one symbol, oldest first.", price_pb2.GetPricesResponse.DESCRIPTOR),
    "prices.subscribe": Told(
        "Watches symbols, or changes mode and pace of those watched; answers with the whole list and a snapshot.",
        _PRICES,
    ),
    "prices.unsubscribe": Told("Watches symbols no more; answers with the whole list.", _PRICES),
    "instruments.search": Told("Finds instruments by symbol or name.", price_pb2.SearchInstrumentsResponse.DESCRIPTOR),
    "market.status": Told(
        "Tells whether the market is open and the feed alive.", price_pb2.GetMarketStatusResponse.DESCRIPTOR
    ),
    "orders.place": Told(
        "Stores an order durably. Ask again with the same clientOrderId to get the truth.",
        order_pb2.PlaceOrderResponse.DESCRIPTOR,
    ),
    "orders.preview": Told("Checks an order and stores nothing.", order_pb2.PreviewOrderResponse.DESCRIPTOR),
    "orders.cancel": Told("Asks for a cancel.", order_pb2.CancelOrderResponse.DESCRIPTOR),
    "orders.replace": Told("Asks for another quantity or limit price.", order_pb2.ReplaceOrderResponse.DESCRIPTOR),
    "orders.get": Told("Returns one order.", order_pb2.GetOrderResponse.DESCRIPTOR),
    "orders.list": Told("Returns orders, newest first, page by page.", order_pb2.ListOrdersResponse.DESCRIPTOR),
    "orders.timeline": Told(
        "Returns what happened to an order, and when.", order_pb2.GetOrderTimelineResponse.DESCRIPTOR
    ),
    "orders.subscribe": Told(
        "Follows an account's orders from a position on; a position that is lost brings a snapshot.",
        record({"recovered": {"type": "boolean"}, "position": TEXT}),
    ),
    "orders.unsubscribe": Told("Follows no orders.", record({})),
}

NOTIFICATIONS: dict[str, Told] = {
    "prices.update": Told("Newer prices of watched symbols.", record({"quotes": QUOTES})),
    "prices.status": Told("A watched symbol became live, stale or halted.", price_pb2.PriceStatus.DESCRIPTOR),
    "orders.update": Told("One change of an order, with its place in the stream.", order_pb2.OrderUpdate.DESCRIPTOR),
    "orders.snapshot": Told(
        "The orders that are open or changed lately: forget what you knew.",
        record({"orders": array(ref("Order")), "position": TEXT, "changedSince": TIME, "nextPageToken": TEXT}),
    ),
    "session.heartbeat": Told(
        "A sign of life; feedAgeMs is -1 when no price was heard.",
        record({"time": TIME, "feedAgeMs": INT64, "position": TEXT}),
    ),
    "session.degraded": Told(
        "You read too slowly: prices come at about maxHz frames a second.", record({"maxHz": _NUMBER, "dropped": WHOLE})
    ),
    "session.expiring": Told("The token ends soon: authenticate with a new one.", record({"expireTime": TIME})),
    "session.shutdown": Told("This server stops: connect again after that time.", record({"reconnectAfterMs": WHOLE})),
}


def said(told: Told, messages: Messages) -> Schema:
    """Return the schema of what is said."""
    return messages.of(told.says) if isinstance(told.says, Descriptor) else told.says
