"""`ops trace`: the way of one order as a table, hop by hop, from the order service's own record. Needs no collector of traces."""

from datetime import datetime
from typing import Annotated, Any

import typer
from rich.text import Text

from stockmesh.cli import local, screen
from stockmesh.cli.ops.options import addresses_of, where
from stockmesh.cli.options import CONNECTION, AsJson

COLUMNS = "At|After>|Hop>|Step||Recorded>|What"
BAR_WIDTH = 24

OrderId = Annotated[str, typer.Argument(metavar="ORDER", help="The order's id, or with --account its key.")]
TokenOfAccount = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="STOCKMESH_TOKEN",
        metavar="JWT",
        help="A token of the order's account. Default: made with the secret of the system of this machine.",
        rich_help_panel=CONNECTION,
    ),
]


def trace(
    order: OrderId,
    *,
    account: Annotated[
        str, typer.Option("--account", metavar="NAME", help="Whose order it is: orders of others are not found.")
    ] = local.DEFAULT_ACCOUNT,
    order_svc: Annotated[str | None, where("order_svc")] = None,
    token: TokenOfAccount = None,
    as_json: AsJson = False,
) -> None:
    """Show the way of an order: each step, when, how long after the one before it, and how much later it was recorded.

    Times are by the clock of whoever did the step; on one machine they are one clock.
    """
    from stockmesh.cli.ops import gateway as door  # noqa: PLC0415 - gRPC costs 0.3 s at the start

    key = token or local.make_token(accounts=[account], scopes=("read",))
    steps = door.as_json(door.timeline(addresses_of("order_svc", order_svc), key, order))["entries"]
    hops = [_hop(step, before) for step, before in zip(steps, [None, *steps], strict=False)]
    if as_json:
        for step, hop in zip(steps, hops, strict=True):
            screen.say_json({**step, "hopMs": hop})
        return
    console = screen.output()
    began = _time(steps[0]) if steps else None
    longest = max([hop for hop in hops if hop is not None], default=0.0)
    rows = [_row(step, hop, began=began, longest=longest) for step, hop in zip(steps, hops, strict=True)]
    console.print(screen.table(console, COLUMNS, rows, spare=("Recorded", "")))
    last = _time(steps[-1]) if steps else None
    if began and last:
        console.print()
        total = (last - began).total_seconds() * 1000
        screen.say(console, screen.words(f"{len(steps)} steps in {total:,.1f} ms", (f"account {account}", screen.DIM)))


def _row(step: dict[str, Any], hop: float | None, *, began: datetime | None, longest: float) -> list[screen.Cell]:
    time = _time(step)
    after = (time - began).total_seconds() * 1000 if time and began else None
    recorded = _time(step, "recordTime")
    late = (recorded - time).total_seconds() * 1000 if recorded and time else None
    filled = round(BAR_WIDTH * (hop or 0) / longest) if longest > 0 else 0
    return [
        time.astimezone().strftime("%H:%M:%S.%f")[:-3] if time else screen.NONE,
        _milliseconds(after),
        _milliseconds(hop),
        Text(step["event"], style="bold"),
        Text("━" * max(filled, 1 if hop and hop > 0 else 0), style="cyan"),
        Text(f"+{late:,.1f} ms" if late is not None else screen.NONE, style=screen.DIM),
        step["detail"],
    ]


def _milliseconds(value: float | None) -> str:
    return screen.NONE if value is None else f"{value:,.1f} ms"


def _hop(step: dict[str, Any], before: dict[str, Any] | None) -> float | None:
    """Return the milliseconds since the step before; clocks of two machines may make that negative."""
    now, then = _time(step), _time(before) if before else None
    return round((now - then).total_seconds() * 1000, 3) if now and then else None


def _time(step: dict[str, Any], name: str = "eventTime") -> datetime | None:
    return datetime.fromisoformat(step[name]) if step.get(name) else None
