"""`buy` and `sell`: place an order, safely, and follow it to its end."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import typer

from stockmesh.cli import screen
from stockmesh.cli.failures import REFUSED
from stockmesh.cli.follow import PATIENCE_SECONDS, Steps, ending, follow, rests
from stockmesh.cli.options import Account, AsJson, Token, Url
from stockmesh.cli.running import converse
from stockmesh.client import Client
from stockmesh.models import Order, Placement, Preview, Side, TimeInForce
from stockmesh.order_calls import new_key

INTERRUPTED = 130
LIVES = tuple(word.lower() for word in TimeInForce if word is not TimeInForce.UNRECOGNIZED)

Symbol = Annotated[str, typer.Argument(metavar="SYMBOL", help="What to trade, for example AAPL.")]
Quantity = Annotated[int, typer.Argument(metavar="QUANTITY", min=1, help="Whole shares.")]
Limit = Annotated[
    str | None,
    typer.Option(
        "--limit",
        metavar="PRICE",
        help="Worst acceptable price per share, for example 190.12. Without it: at the market.",
    ),
]
Tif = Annotated[
    str | None,
    typer.Option("--tif", metavar="day|ioc|fok|gtc", help="How long it lives. Default: day, the venue's session."),
]
Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="TEXT",
        help="Your own id of the order. The same key never places a second order. Default: a new one.",
    ),
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Return as soon as the order is stored.")]
Wait = Annotated[bool, typer.Option("--wait", help="Follow a resting order, too, until it ends.")]
PreviewOnly = Annotated[bool, typer.Option("--preview", help="Run all checks and show the order; place nothing.")]


@dataclass(frozen=True, slots=True)
class Wish:
    """What was typed."""

    side: Side
    symbol: str
    quantity: int
    limit: str | None
    tif: str | None
    key: str
    account: str | None

    def words(self) -> str:
        """Return the wish as a person says it."""
        price = f"limit {self.limit}" if self.limit else "at the market"
        return f"{self.side} {self.quantity:,} {self.symbol} {price}{f' {self.tif}' if self.tif else ''}"

    async def preview(self, client: Client) -> Preview:
        """Let it be checked."""
        return await client.preview(
            self.symbol,
            self.side,
            self.quantity,
            limit_price=self.limit,
            time_in_force=self.tif,
            account_id=self.account,
        )

    async def place(self, client: Client) -> Placement:
        """Place it."""
        return await client.place(
            self.symbol,
            self.side,
            self.quantity,
            limit_price=self.limit,
            time_in_force=self.tif,
            client_order_id=self.key,
            account_id=self.account,
        )


def _command(side: Side, told: str) -> Callable[..., None]:
    """Return the command that places orders of one side; `told` is its help."""

    def command(
        symbol: Symbol,
        quantity: Quantity,
        *,
        limit: Limit = None,
        tif: Tif = None,
        key: Key = None,
        no_wait: NoWait = False,
        wait: Wait = False,
        preview: PreviewOnly = False,
        account: Account = None,
        url: Url = None,
        token: Token = None,
        as_json: AsJson = False,
    ) -> None:
        wish = _wish(side, symbol, quantity, limit=limit, tif=tif, key=key, account=account)
        _trade(wish, preview=preview, no_wait=no_wait, wait=wait, url=url, token=token, as_json=as_json)

    command.__doc__ = told
    return command


buy = _command(
    Side.BUY,
    """Buy shares and follow the order to its end.

    Ends with 0 when the order is filled, in part or whole, or rests in the exchange's book; with 1 when it was refused or ended
    without a fill. A lost connection is healed on the way and never places a second order.
    """,
)
sell = _command(
    Side.SELL,
    """Sell shares and follow the order to its end.

    All is as for `buy`.
    """,
)


def _wish(
    side: Side, symbol: str, quantity: int, *, limit: str | None, tif: str | None, key: str | None, account: str | None
) -> Wish:
    if limit is not None and not re.fullmatch(r"[0-9]+(\.[0-9]+)?", limit):
        raise typer.BadParameter(f"{limit!r} is no price: write it as 190.12", param_hint="--limit")
    if tif is not None and tif.lower() not in LIVES:
        raise typer.BadParameter(f"{tif!r} is no time in force: choose from {screen.comma(LIVES)}", param_hint="--tif")
    return Wish(side, symbol.upper(), quantity, limit, tif.upper() if tif else None, key or new_key(), account)


def _trade(
    wish: Wish, *, preview: bool, no_wait: bool, wait: bool, url: str | None, token: str | None, as_json: bool
) -> None:
    if preview:
        _show_preview(converse(wish.preview, url=url, token=token, account=wish.account), as_json=as_json)
        return

    async def work(client: Client) -> Order:
        steps = Steps(screen.output(), quiet=as_json)
        if no_wait:
            return _placed(await wish.place(client), wish, steps)
        # Listening comes first, so that no step is missed.
        async with client.order_updates() as updates:
            order = _placed(await wish.place(client), wish, steps)
            try:
                return await follow(client, updates, order, steps=steps, enough=lambda _: False, forever=wait)
            finally:
                steps.stop()

    try:
        order = converse(work, url=url, token=token, account=wish.account)
    except KeyboardInterrupt:
        screen.say(screen.errors(), f"Left. If it was stored, the order goes on: its key is {wish.key}.")
        raise typer.Exit(INTERRUPTED) from None
    _conclude(order, no_wait=no_wait, as_json=as_json)


def _placed(placement: Placement, wish: Wish, steps: Steps) -> Order:
    order = placement.order
    steps.begin(
        screen.words((wish.words(), "bold"), (f"order {order.order_id}  key {order.client_order_id}", screen.DIM))
    )
    stored = ending(order) if order.state.is_final else "stored"
    steps.show(order, f"the key was used before, this is its order: {stored}" if placement.replayed else stored)
    return order


def _conclude(order: Order, *, no_wait: bool, as_json: bool) -> None:
    if as_json:
        screen.say_json(order)
    console = screen.output()
    if order.state.is_final:
        if not order.filled_quantity:
            raise typer.Exit(REFUSED)
    elif rests(order) and not as_json:
        rest = f"{order.leaves_quantity:,} of {order.quantity:,} rest at {screen.money(order.limit_price)}"
        screen.say(console, f"{order.state}: {rest}. `stockmesh cancel {order.order_id}` takes it back.")
    elif not (no_wait or rests(order)):
        told = (
            f"Still {order.state} after {PATIENCE_SECONDS:.0f} s; it goes on. See `stockmesh order {order.order_id}`."
        )
        screen.say(screen.errors(), told)
        raise typer.Exit(REFUSED)


def _show_preview(found: Preview, *, as_json: bool) -> None:
    if as_json:
        screen.say_json(found)
        return
    order = found.order
    bound = order.limit_price if order.limit_price is not None else order.collar_price
    most = "costs at most" if order.side is Side.BUY else "brings at least"
    screen.say(
        screen.output(),
        f"{order.side} {order.quantity:,} {order.symbol} would be taken: at {screen.money(bound)} or better, "
        f"{most} {screen.money(found.estimated_amount)} without fees. Nothing was placed.",
    )
