"""How long to wait for each method's answer, in seconds: the one table that the client and the documentation share."""

from types import MappingProxyType

# A little longer than the servers take at most (3 s to read, 5 s to change), so that it is they who say which part was late.
DEADLINES = MappingProxyType(
    {
        "session.authenticate": 5.0,
        "prices.get": 5.0,
        "prices.history": 4.0,
        "prices.subscribe": 6.0,
        "prices.unsubscribe": 6.0,
        "instruments.search": 4.0,
        "market.status": 4.0,
        "orders.place": 6.0,
        "orders.preview": 4.0,
        "orders.cancel": 6.0,
        "orders.replace": 6.0,
        "orders.get": 4.0,
        "orders.list": 4.0,
        "orders.timeline": 4.0,
        "orders.subscribe": 10.0,
        "orders.unsubscribe": 6.0,
        "ping": 2.0,
    }
)
DEFAULT_SECONDS = 5.0
# The gRPC method behind each, for partners: the same deadlines hold. Streams have none, they have heartbeats.
RPCS = MappingProxyType(
    {
        "PriceService/GetPrices": "prices.get",
        "PriceService/SearchInstruments": "instruments.search",
        "PriceService/GetMarketStatus": "market.status",
        "OrderService/PlaceOrder": "orders.place",
        "OrderService/PreviewOrder": "orders.preview",
        "OrderService/CancelOrder": "orders.cancel",
        "OrderService/ReplaceOrder": "orders.replace",
        "OrderService/GetOrder": "orders.get",
        "OrderService/ListOrders": "orders.list",
        "OrderService/ListExecutions": "orders.timeline",
        "OrderService/GetOrderTimeline": "orders.timeline",
    }
)


def deadline_of(method: str) -> float:
    """Return the recommended deadline of a method in seconds."""
    return DEADLINES.get(method, DEFAULT_SECONDS)
