"""`orders`, `order`, `cancel`, `replace`: what was placed before."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stockmesh.cli import screen
from stockmesh.cli.failures import REFUSED
from stockmesh.cli.follow import Steps, ending, follow
from stockmesh.cli.options import Account, AsJson, Token, Url
from stockmesh.cli.running import converse
from stockmesh.client import Client
from stockmesh.errors import Refused
from stockmesh.models import EventKind, Order, OrderState, OrderType, PendingAction, TimelineEntry
from stockmesh.order_calls import NOT_FOUND

STATES = tuple(state for state in OrderState if state is not OrderState.UNRECOGNIZED)
ORDERS = "Placed|Side|Quantity>|Symbol|Price>|For|Filled>|Average>|State|Order"
TIMELINE = "When|After>|What|"

OrderName = Annotated[str, typer.Argument(metavar="ORDER", help="Order id, or the key that it was placed with.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Return as soon as the wish is stored.")]


def orders(
    *,
    symbol: Annotated[
        str | None, typer.Option("--symbol", metavar="SYMBOL", help="Only orders of this symbol.")
    ] = None,
    state: Annotated[
        list[str] | None,
        typer.Option("--state", metavar="STATE", help=f"Only these: {', '.join(STATES)}. Several: repeat it."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Most orders to show, the newest.")] = 20,
    show_all: Annotated[bool, typer.Option("--all", help="Show all, however many.")] = False,
    account: Account = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List orders, newest first."""
    states = [each.upper() for each in state or ()]
    for each in states:
        if each not in STATES:
            raise typer.BadParameter(f"{each!r} is no state: choose from {screen.comma(STATES)}", param_hint="--state")
    wanted = None if show_all else limit

    async def work(client: Client) -> list[Order]:
        found = client.orders(
            symbol=symbol.upper() if symbol else None, states=states, limit=wanted, account_id=account
        )
        return [order async for order in found]

    found = converse(work, url=url, token=token, account=account)
    if as_json:
        for one in found:
            screen.say_json(one)
    elif found:
        console = screen.output()
        console.print(_table(console, found))
    else:
        screen.output().print("No orders.")


def order(
    name: OrderName, account: Account = None, url: Url = None, token: Token = None, as_json: AsJson = False
) -> None:
    """Show one order and what happened to it, at which hop and when."""

    async def work(client: Client) -> tuple[Order, list[TimelineEntry]]:
        one = await named(name, lambda **ids: client.order(**ids, account_id=account))
        return one, await client.timeline(one.order_id, account_id=account)

    found, entries = converse(work, url=url, token=token, account=account)
    if as_json:
        screen.say_json(found)
        for entry in entries:
            screen.say_json(entry)
        return
    console = screen.output()
    console.print(_table(console, [found]))
    console.print()
    facts = [("order", found.order_id), ("key", found.client_order_id), ("at the exchange", found.exchange_order_id)]
    if found.state.is_final or found.reason:
        facts.append(("ended" if found.state.is_final else "because", ending(found)))
    for label, value in facts:
        screen.say(console, Text.assemble((f"  {label:<16}", screen.DIM), value or screen.NONE))
    if entries:
        console.print()
        console.print(_timeline(console, entries))


def cancel(
    name: OrderName,
    *,
    no_wait: NoWait = False,
    account: Account = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Cancel an order and wait until that is decided.

    Ends with 1 when it was filled instead, or the exchange refused the cancel.
    """

    async def work(client: Client) -> Order:
        return await _settled(
            client, lambda: named(name, lambda **ids: client.cancel(**ids, account_id=account)),
            no_wait=no_wait, as_json=as_json,
        )  # fmt: skip

    found = converse(work, url=url, token=token, account=account)
    if as_json:
        screen.say_json(found)
    if not no_wait and found.state is not OrderState.CANCELED:
        raise typer.Exit(REFUSED)


def replace(
    name: OrderName,
    *,
    quantity: Annotated[
        int | None, typer.Option("--quantity", min=1, help="New total quantity, what is filled included.")
    ] = None,
    limit: Annotated[str | None, typer.Option("--limit", metavar="PRICE", help="New limit price.")] = None,
    no_wait: NoWait = False,
    account: Account = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Change quantity or limit price of an order and wait until that is decided."""
    if quantity is None and limit is None:
        raise typer.BadParameter("say what to change: --quantity, --limit or both")

    async def change(client: Client, **ids: str) -> Order:
        return await client.replace(**ids, quantity=quantity, limit_price=limit, account_id=account)

    async def work(client: Client) -> Order:
        return await _settled(
            client, lambda: named(name, lambda **ids: change(client, **ids)), no_wait=no_wait, as_json=as_json
        )

    found = converse(work, url=url, token=token, account=account)
    if as_json:
        screen.say_json(found)


async def named(name: str, ask: Callable[..., Awaitable[Order]]) -> Order:
    """Ask for an order by a name that may be either id. Raises Refused (ORDER_NOT_FOUND) when it is neither."""
    try:
        return await ask(order_id=name)
    except Refused as error:
        if error.reason != NOT_FOUND:
            raise
    try:
        return await ask(client_order_id=name)
    except Refused as error:
        if error.reason == NOT_FOUND:
            error.message = f"no order of yours has the id or the key {name!r}"
        raise


async def _settled(client: Client, ask: Callable[[], Awaitable[Order]], *, no_wait: bool, as_json: bool) -> Order:
    """Ask for a change of an order, and follow it until the change is decided."""
    steps = Steps(screen.output(), quiet=as_json)
    async with client.order_updates() as updates:
        found = await ask()
        steps.begin(Text(f"{found.side} {found.quantity:,} {found.symbol}  order {found.order_id}", style="bold"))
        what = "cancel asked for" if found.pending_action is PendingAction.CANCEL else "change asked for"
        steps.show(found, ending(found) if found.state.is_final else what)
        if no_wait:
            return found
        try:
            return await follow(client, updates, found, steps=steps, enough=_is_decided, forever=False)
        finally:
            steps.stop()


def _is_decided(order: Order) -> bool:
    return order.pending_action not in {PendingAction.CANCEL, PendingAction.REPLACE}


def _table(console: Console, found: list[Order]) -> Table:
    return screen.table(console, ORDERS, map(_row, found), spare=("Average", "For", "Filled", "Placed"))


def _row(found: Order) -> list[screen.Cell]:
    return [
        screen.clock(found.create_time),
        Text(found.side, style=screen.UP if found.side == "BUY" else screen.DOWN),
        f"{found.quantity:,}",
        Text(found.symbol, style="bold"),
        screen.money(found.limit_price) if found.type is OrderType.LIMIT else "market",
        found.time_in_force,
        f"{found.filled_quantity:,}",
        screen.money(found.average_price),
        screen.order_state(found),
        Text(found.order_id, style=screen.DIM),
    ]


def _timeline(console: Console, entries: list[TimelineEntry]) -> Table:
    began = next((entry.event_time for entry in entries if entry.event_time), None)
    return screen.table(console, TIMELINE, [_step(entry, began) for entry in entries])


def _step(entry: TimelineEntry, began: datetime | None) -> list[screen.Cell]:
    time, after = screen.NONE, screen.NONE
    if began and entry.event_time:
        time = entry.event_time.astimezone().strftime("%H:%M:%S.%f")[:-3]
        after = f"{(entry.event_time - began).total_seconds() * 1000:,.0f} ms"
    style = "bold" if entry.event in {EventKind.FILL, *STATES} else ""
    return [time, after, Text(entry.event, style=style), entry.detail]
