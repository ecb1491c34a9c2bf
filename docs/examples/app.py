"""An app in Python: live prices, one order that is never doubled, and its updates to the end.

    STOCKMESH_URL=ws://127.0.0.1:8080/ws STOCKMESH_TOKEN=$(stockmesh token --account demo) python docs/examples/app.py

The client connects again after a loss (with growing, jittered pauses), subscribes to the same prices again and goes on with order
updates where they were.
"""

# ruff: noqa: T201

import asyncio
import os
import sys
from uuid import uuid4

from stockmesh import CannotConnect, Client, Outcome, Refused, StockmeshError
from stockmesh.models import OrderSnapshot, Quote


async def watch(client: Client, *symbols: str, updates: int) -> None:
    """Print some live prices: a snapshot first, then what changes, the newest of each symbol however slow we are."""
    async with client.watch(symbols, mode="LTP", max_hz=5) as prices:
        async for item in prices:
            if isinstance(item, Quote):
                print(f"{item.symbol} {item.price} {item.state}")
                updates -= 1
            else:
                print(f"{item.symbol} is {item.state} {item.reason}")
            if not updates:
                return


async def trade(client: Client, symbol: str, quantity: int) -> None:
    """Buy at the market and follow the order until it has ended."""
    # Yours, and kept before anything is sent: whatever happens, asking again with it tells the truth and never buys twice.
    key = f"app-{uuid4().hex}"
    # Listening comes first, so that no update is missed.
    async with client.order_updates() as updates:
        try:
            placed = await client.place(symbol, "BUY", quantity, client_order_id=key)
        except Refused as refusal:
            print(f"refused: {refusal.reason}, {refusal.message}")
            return
        except StockmeshError as error:
            # The time-out passed over all attempts: only then it may be unknown what became of the order.
            doubt = (
                "nobody knows yet, ask again with the key" if error.outcome is Outcome.UNKNOWN else "nothing was sent"
            )
            print(f"no answer ({error.reason}): {doubt} {key}")
            return
        print(f"stored as {placed.order.order_id}")
        async for item in updates:
            # Without a position it begins with how everything stands.
            orders = item.orders if isinstance(item, OrderSnapshot) else (item.order,)
            for order in orders:
                if order.order_id != placed.order.order_id:
                    continue
                print(f"{order.state} {order.filled_quantity} of {order.quantity} at {order.average_price}")
                if order.state.is_final:
                    return


async def main() -> int:
    """Run both; a server that cannot be reached is told in one line."""
    url = os.environ.get("STOCKMESH_URL", "ws://127.0.0.1:8080/ws")
    try:
        async with Client(url, os.environ["STOCKMESH_TOKEN"]) as client:
            await watch(client, "AAPL", "MSFT", updates=4)
            await trade(client, "AAPL", 10)
    except CannotConnect as error:
        print(error.message, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
