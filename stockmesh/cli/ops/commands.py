"""The commands of `ops`: what may be sent, comparisons with the exchange, dead letters."""

import base64
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.text import Text

from stockmesh.cli import screen
from stockmesh.cli.failures import REFUSED
from stockmesh.cli.ops import config
from stockmesh.cli.ops.inside import leases, outbox, revoke
from stockmesh.cli.ops.options import AdminToken, Gateway, Reason, addresses_of, admin_token
from stockmesh.cli.ops.status import TRADING, status
from stockmesh.cli.ops.tracing import trace
from stockmesh.cli.options import AsJson

LARGEST_PAGE = 500
BREAKS = "When|Kind|Order|What|Id"
LETTERS = "When|Stream|Reason|Order|Tries>|Id"

EPILOG = (
    "Exit codes: 0 fine, 1 refused, or what was looked at is not well (each command says when), 2 wrong usage, 3 nobody could be "
    "reached. With `--json` failures are JSON on standard error, too."
)

app = typer.Typer(
    no_args_is_help=True,
    epilog=EPILOG,
    help="For operators: how all stands, one order's way, halts, comparisons, dead letters.",
)
letters = typer.Typer(no_args_is_help=True, help="Messages that could not be handled: look, put back, drop.")
app.command("status")(status)
app.command("trace")(trace)
app.command("outbox")(outbox)
app.command("leases")(leases)
app.command("revoke")(revoke)
app.add_typer(config.app, name="config")
app.add_typer(letters, name="dlq")

Most = Annotated[int, typer.Option("--limit", min=1, max=LARGEST_PAGE, help="Most to show, the newest.")]
LetterId = Annotated[str, typer.Argument(metavar="ID", help="Id of the dead letter, as `ops dlq list` shows it.")]


def _ask(method: str, *, gateway: str | None, token: str | None, slow: bool = False, **fields: Any) -> Any:
    """Call a method of the gateway and return its answer."""
    from stockmesh.cli.ops import gateway as door  # noqa: PLC0415 - gRPC costs 0.3 s at the start

    seconds = door.RECONCILE_SECONDS if slow else door.CALL_SECONDS
    return door.ask(addresses_of("exchange_gw", gateway), admin_token(token), method, seconds=seconds, **fields)


def _json(message: Any) -> dict[str, Any]:
    from stockmesh.cli.ops import gateway as door  # noqa: PLC0415 - gRPC costs 0.3 s at the start

    return door.as_json(message)


def _trading(state: str, what: str) -> Callable[..., None]:
    def command(reason: Reason, gateway: Gateway = None, token: AdminToken = None, as_json: AsJson = False) -> None:
        answer = _json(_ask("SetTradingState", gateway=gateway, token=token, state=state, reason=reason))
        told = answer["tradingState"]
        if as_json:
            screen.say_json(answer)
            return
        sign, style = TRADING.get(told["state"], ("?", screen.DIM))
        screen.say(
            screen.output(),
            screen.words("Trading is", (f"{sign} {told['state']}", style), f"set by {told['actor']}: {told['reason']}"),
        )

    command.__doc__ = what
    return command


app.command("halt")(
    _trading("HALTED", "Send cancels only. Everything else waits at the gateway, and new orders are refused.")
)
app.command("reduce")(_trading("REDUCING", "Send sells and cancels only; buys are refused."))
app.command("resume")(_trading("ACTIVE", "Send everything again."))


@app.command("reconcile")
def reconcile(reason: Reason, gateway: Gateway = None, token: AdminToken = None, as_json: AsJson = False) -> None:
    """Compare the journal with the exchange's books now. Ends with 1 when something does not fit."""
    answer = _ask("Reconcile", gateway=gateway, token=token, slow=True, reason=reason)
    told = _json(answer)
    if as_json:
        screen.say_json(told)
    else:
        console = screen.output()
        console.print(
            f"{answer.compared:,} orders compared, {answer.recovered:,} missing facts recovered, {len(answer.breaks):,} breaks."
        )
        if answer.breaks:
            console.print(screen.table(console, BREAKS, map(_break, told["breaks"])))
    if answer.breaks:
        raise typer.Exit(REFUSED)


@app.command("breaks")
def breaks(limit: Most = 50, gateway: Gateway = None, token: AdminToken = None, as_json: AsJson = False) -> None:
    """List what did not fit between our journal and the exchange's books, newest first."""
    found = _json(_ask("ListBreaks", gateway=gateway, token=token, page_size=limit))["breaks"]
    _list(found, BREAKS, _break, "Nothing is broken.", as_json=as_json)


@letters.command("list")
def dlq_list(limit: Most = 50, gateway: Gateway = None, token: AdminToken = None, as_json: AsJson = False) -> None:
    """List dead letters, newest first."""
    answer = _ask("ListDeadLetters", gateway=gateway, token=token, page_size=limit)
    _list(_json(answer)["deadLetters"], LETTERS, _letter, "No dead letters.", as_json=as_json)


@letters.command("show")
def dlq_show(letter: LetterId, gateway: Gateway = None, token: AdminToken = None, as_json: AsJson = False) -> None:
    """Show one dead letter with what it says."""
    from stockmesh.cli.ops import gateway as door  # noqa: PLC0415 - gRPC costs 0.3 s at the start

    answer = _ask("GetDeadLetter", gateway=gateway, token=token, dead_letter_id=letter)
    told, says = _json(answer)["deadLetter"], door.payload_as_json(answer.dead_letter)
    if as_json:
        screen.say_json(told | {"says": says})
        return
    console = screen.output()
    for name in ("deadLetterId", "createTime", "stream", "subject", "reason", "detail", "orderId", "deliveries"):
        screen.say(console, Text.assemble((f"  {name:<14}", screen.DIM), str(told.get(name, "")) or screen.NONE))
    if says is None:
        console.print(Text(f"  {len(answer.dead_letter.payload)} bytes that say nothing readable:", style="yellow"))
        screen.say(console, "  " + base64.b64encode(answer.dead_letter.payload).decode())
    else:
        console.print_json(data=says, indent=2)


@letters.command("replay")
def dlq_replay(
    letter: LetterId, reason: Reason, gateway: Gateway = None, token: AdminToken = None, as_json: AsJson = False
) -> None:
    """Put a dead letter back. It passes the journal like any command, so nothing is sent twice."""
    _settle("ReplayDeadLetter", letter, reason, "put back", gateway=gateway, token=token, as_json=as_json)


@letters.command("discard")
def dlq_discard(
    letter: LetterId, reason: Reason, gateway: Gateway = None, token: AdminToken = None, as_json: AsJson = False
) -> None:
    """Drop a dead letter for good."""
    _settle("DiscardDeadLetter", letter, reason, "dropped", gateway=gateway, token=token, as_json=as_json)


def _settle(
    method: str, letter: str, reason: str, done: str, *, gateway: str | None, token: str | None, as_json: bool
) -> None:
    answer = _ask(method, gateway=gateway, token=token, dead_letter_id=letter, reason=reason)
    if as_json:
        screen.say_json(_json(answer))
    else:
        screen.say(screen.output(), f"Dead letter {answer.dead_letter.dead_letter_id or letter} is {done}.")


def _list(
    found: list[dict[str, Any]],
    columns: str,
    row: Callable[[dict[str, Any]], list[screen.Cell]],
    nothing: str,
    *,
    as_json: bool,
) -> None:
    console = screen.output()
    if as_json:
        for each in found:
            screen.say_json(each)
    else:
        console.print(screen.table(console, columns, map(row, found)) if found else nothing)


def _break(found: dict[str, Any]) -> list[screen.Cell]:
    kind = Text(found["kind"], style="bold red")
    return [
        screen.clock(found.get("createTime")),
        kind,
        found["orderId"] or screen.NONE,
        found["detail"],
        found["breakId"],
    ]


def _letter(found: dict[str, Any]) -> list[screen.Cell]:
    return [
        screen.clock(found.get("createTime")),
        found["stream"],
        Text(found["reason"], style="bold red"),
        found["orderId"] or screen.NONE,
        str(found["deliveries"]),
        found["deadLetterId"],
    ]
