"""A partner in Python over gRPC: prices, one order that is never doubled, its updates from a position on, and errors with reasons.

    STOCKMESH_GRPC=127.0.0.1:8080 STOCKMESH_TOKEN=$(stockmesh token --account demo) python docs/examples/partner.py

Only grpcio, the generated `gen` and the table of deadlines are needed; other languages generate the same from protos/trading/v1.
"""

# ruff: noqa: T201, S311

import os
import random
import sys
import time
from collections.abc import Iterator
from uuid import uuid4

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from gen.trading.v1 import order_pb2, order_pb2_grpc, price_pb2, price_pb2_grpc
from stockmesh.deadlines import deadline_of

# What a repetition with the same key can mend; every other code is an answer.
PASSING = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
ATTEMPTS = 8
ENDED = {order_pb2.Order.FILLED, order_pb2.Order.CANCELED, order_pb2.Order.REJECTED, order_pb2.Order.EXPIRED}


def reason_of(error: grpc.RpcError) -> str:
    """Return the stable reason of a refusal, and what the request had become: NOT_EXECUTED, EXECUTED or UNKNOWN."""
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        told = error_details_pb2.ErrorInfo()
        if detail.Unpack(told):
            return f"{told.reason} (outcome {told.metadata.get('outcome', 'UNKNOWN')})"
    return str(error.code().name)


class Partner:
    """One channel for everything: gRPC keeps it connected."""

    def __init__(self, channel: grpc.Channel, token: str) -> None:
        self._prices = price_pb2_grpc.PriceServiceStub(channel)
        self._orders = order_pb2_grpc.OrderServiceStub(channel)
        self._who = (("authorization", f"Bearer {token}"),)

    def show_prices(self, *symbols: str, messages: int) -> None:
        """Print the snapshot and some updates of a stream; a heartbeat comes when nothing moves."""
        wish = price_pb2.StreamPricesRequest(symbols=symbols, mode=price_pb2.StreamPricesRequest.LTP, max_hz=5)
        stream = self._prices.StreamPrices(wish, metadata=self._who)
        for message in stream:
            for quote in message.quotes:
                print(quote.symbol, quote.price, price_pb2.Quote.State.Name(quote.state))
            messages -= 1
            if not messages:
                # A stream that is left alone would go on for ever.
                stream.cancel()
                return

    def place(self, wish: order_pb2.PlaceOrderRequest) -> order_pb2.Order:
        """Return the order that the wish's key stands for, asking again with that key for as long as nobody answers."""
        for attempt in range(ATTEMPTS):
            try:
                return self._orders.PlaceOrder(
                    wish, metadata=self._who, timeout=deadline_of("orders.place"), wait_for_ready=True
                ).order
            except grpc.RpcError as error:
                if error.code() not in PASSING or attempt == ATTEMPTS - 1:
                    raise
            time.sleep(pause(attempt))
        raise AssertionError("the last attempt raises")

    def position(self) -> str:
        """Return where the account's stream of updates is now: its first message says so at once."""
        stream = self._orders.StreamOrderUpdates(
            order_pb2.StreamOrderUpdatesRequest(), metadata=self._who, timeout=deadline_of("orders.subscribe")
        )
        first = next(stream)
        stream.cancel()
        return str(first.position)

    def updates(self, position: str) -> Iterator[order_pb2.OrderUpdate]:
        """Give every change after a position, each once; after a loss the stream goes on from the last one."""
        failures = 0
        while True:
            request = order_pb2.StreamOrderUpdatesRequest(from_position=position)
            stream = self._orders.StreamOrderUpdates(request, metadata=self._who)
            try:
                for message in stream:
                    position, failures = message.position or position, 0
                    if message.HasField("update"):
                        yield message.update
            except grpc.RpcError as error:
                if error.code() not in PASSING:
                    raise
            finally:
                stream.cancel()
            failures += 1
            time.sleep(pause(failures))


def pause(failures: int) -> float:
    """Return how many seconds to wait after so many failures: longer each time, and not in step with others."""
    return random.uniform(0, min(5.0, 0.25 * 2**failures))


def main() -> int:
    """Show prices, place an order, follow it; a refusal is told by its reason."""
    target = os.environ.get("STOCKMESH_GRPC", "127.0.0.1:8080")
    # Kept before anything is sent: asking again with it tells the truth and never buys twice.
    key = f"partner-{uuid4().hex}"
    wish = order_pb2.PlaceOrderRequest(
        client_order_id=key, symbol="AAPL", side=order_pb2.Order.BUY, type=order_pb2.Order.MARKET, quantity=10
    )
    with grpc.insecure_channel(target, options=[("grpc.keepalive_time_ms", 20_000)]) as channel:
        partner = Partner(channel, os.environ["STOCKMESH_TOKEN"])
        try:
            partner.show_prices("AAPL", "MSFT", messages=3)
            # Taken before the order is placed, so that no change of it is missed.
            position = partner.position()
            order = partner.place(wish)
            print("stored as", order.order_id)
            for update in partner.updates(position):
                if update.order.order_id == order.order_id:
                    order = update.order
                    state = order_pb2.Order.State.Name(order.state)
                    print(state, order.filled_quantity, "of", order.quantity, "at", order.average_price or "-")
                if order.state in ENDED:
                    return 0
        except grpc.RpcError as error:
            print(f"{reason_of(error)}: {error.details()}; the key is {key}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
