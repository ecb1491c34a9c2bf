"""Follows one order until nothing more is to be told: a line for each step, and a spinner with what is awaited."""

import asyncio
import time
from collections.abc import Callable
from decimal import Decimal

from rich.console import Console
from rich.status import Status
from rich.text import Text

from stockmesh.cli import screen
from stockmesh.client import Client
from stockmesh.following import OrderUpdates
from stockmesh.models import (
    EventKind,
    Execution,
    Order,
    OrderSnapshot,
    OrderState,
    OrderType,
    OrderUpdate,
    PendingAction,
    TimeInForce,
)

# A limit order that the exchange holds and nobody fills for so long rests.
REST_SECONDS = 3.0
# Whatever happens, following ends; the order does not.
PATIENCE_SECONDS = 90.0
BAR_WIDTH = 20

AWAITED = {
    OrderState.PENDING: "on its way to the exchange",
    OrderState.SUBMITTED: "the exchange has not answered yet",
    OrderState.PLACED: "in the exchange's book",
    OrderState.PARTIALLY_FILLED: "filling",
}
STEPS = {
    EventKind.CREATED: "stored",
    EventKind.SUBMITTED: "sent to the exchange",
    EventKind.PLACED: "in the exchange's book",
    EventKind.CANCEL_REQUESTED: "cancel asked for",
    EventKind.CANCEL_REJECTED: "the exchange refused the cancel",
    EventKind.REPLACE_REQUESTED: "change asked for",
    EventKind.REPLACED: "changed",
    EventKind.REPLACE_REJECTED: "the exchange refused the change",
    EventKind.BECAME_UNCERTAIN: "nobody knows for now, it is being asked about",
    EventKind.BECAME_CERTAIN: "known again",
    EventKind.RESTATED: "a fill was taken back or corrected",
}


class Steps:
    """What a person sees of one order's way."""

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self._console, self._quiet = console, quiet
        self._began = time.monotonic()
        self._status: Status | None = None

    def begin(self, title: Text) -> None:
        """Print what it is about."""
        if not self._quiet:
            screen.say(self._console, title)

    def show(self, order: Order, what: str) -> None:
        """Print one step."""
        if self._quiet:
            return
        milliseconds = (time.monotonic() - self._began) * 1000
        parts = screen.words(_padded(screen.order_state(order), 18), what, bar(order))
        screen.say(self._console, Text.assemble((f"{milliseconds:8,.0f} ms  ", screen.DIM), parts))

    def note(self, what: str) -> None:
        """Print what belongs to the next step."""
        if not self._quiet:
            screen.say(self._console, Text(f"{'':33}{what}", style=screen.DIM))

    def wait(self, order: Order) -> None:
        """Show what is awaited, on a terminal."""
        if self._quiet or not self._console.is_terminal:
            return
        words = f"{AWAITED.get(order.state, 'waiting')}, Ctrl-C leaves it there"
        if self._status is None:
            self._status = self._console.status(words, spinner="dots")
            self._status.start()
        else:
            self._status.update(words)

    def stop(self) -> None:
        """End the spinner."""
        if self._status is not None:
            self._status.stop()
            self._status = None


def bar(order: Order) -> Text:
    """Return how much of the order is filled, once some is."""
    if not order.filled_quantity or not order.quantity:
        return Text()
    filled = min(BAR_WIDTH * order.filled_quantity // order.quantity, BAR_WIDTH)
    return Text.assemble(
        ("━" * filled, "green"),
        ("━" * (BAR_WIDTH - filled), screen.DIM),
        f" {order.filled_quantity:,}/{order.quantity:,}",
    )


def step(update: OrderUpdate) -> str:
    """Return in words what an update says."""
    order, fills = update.order, update.event.executions
    if order.state.is_final:
        return ending(order)
    if fills:
        return f"filled {sum(fill.quantity for fill in fills):,}{_at(fills[0]) if len(fills) == 1 else ''}"
    return STEPS.get(update.event.kind, str(update.event.kind).lower())


def fills_apart(update: OrderUpdate) -> list[str]:
    """Return a line for each fill, unless the step itself tells the only one."""
    order, fills = update.order, update.event.executions
    told = len(fills) == 1 and (not order.state.is_final or order.filled_quantity == fills[0].quantity)
    return [] if told else [f"filled {fill.quantity:,}{_at(fill)}" for fill in fills]


def _at(fill: Execution) -> str:
    return f" at {screen.money(fill.price)}"


def ending(order: Order) -> str:
    """Return in words how an order ended."""
    filled = f"{order.filled_quantity:,} at {screen.money(order.average_price)}"
    if order.state is OrderState.FILLED:
        return f"{filled} = {screen.money((order.average_price or 0) * Decimal(order.filled_quantity))}"
    why = f"{order.reason.code}: {order.reason.message}".strip(": ") if order.reason else ""
    some = f"filled {filled} before" if order.filled_quantity else "nothing was filled"
    return "; ".join(filter(None, (why, some)))


def rests(order: Order) -> bool:
    """Tell whether the order may lie in the exchange's book for long."""
    return (
        order.type is OrderType.LIMIT
        and order.pending_action not in {PendingAction.CANCEL, PendingAction.REPLACE}
        and order.time_in_force in {TimeInForce.DAY, TimeInForce.GTC, TimeInForce.UNRECOGNIZED}
        and order.state in {OrderState.PLACED, OrderState.PARTIALLY_FILLED}
    )


async def follow(
    client: Client,
    updates: OrderUpdates,
    order: Order,
    *,
    steps: Steps,
    enough: Callable[[Order], bool],
    forever: bool,
) -> Order:
    """Show every step until the order is final or `enough`, rests, or patience ends; return it as it is then."""
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE_SECONDS
    while not (order.state.is_final or enough(order)):
        steps.wait(order)
        patience = REST_SECONDS if rests(order) else until - loop.time()
        limit = asyncio.timeout(None if forever else max(patience, 0.0))
        try:
            async with limit:
                item = await _next(updates, order)
        except TimeoutError:
            if not limit.expired():
                raise
            steps.stop()
            # The truth, should the updates be late.
            return await client.order(order.order_id, account_id=order.account_id or None)
        order = item.order
        for line in fills_apart(item):
            steps.note(line)
        steps.show(order, step(item))
    steps.stop()
    return order


async def _next(updates: OrderUpdates, order: Order) -> OrderUpdate:
    async for item in updates:
        if isinstance(item, OrderSnapshot):
            newer = [each for each in item.orders if each.order_id == order.order_id and each.revision > order.revision]
            if newer:
                return OrderUpdate(position=item.position, order=newer[0])
        elif item.order.order_id == order.order_id and item.order.revision > order.revision:
            return item
    raise AssertionError("the updates ended without an error")


def _padded(text: Text, width: int) -> Text:
    text.pad_right(max(width - text.cell_len, 0))
    return text
