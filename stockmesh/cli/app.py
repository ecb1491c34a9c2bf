"""The commands by name, and the one place where failures become a line and an exit code."""

import sys
from importlib import metadata
from typing import Any

import typer
from typer.core import TyperGroup

from stockmesh.cli import certs, failures, history, market, ops, orders, token, trade, watch
from stockmesh.errors import StockmeshError

PRICES, ORDERS, MORE = "Prices", "Orders", "Access and operations"
EPILOG = (
    "On the machine where `make run` runs no option is needed. Exit codes: 0 fine, 1 refused or failed, 2 wrong usage, "
    "3 nobody could be reached."
)


class Commands(TyperGroup):
    """A group whose failures are told in one line, and never as a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; a failure ends the process with its exit code."""
        try:
            return super().invoke(ctx)
        except StockmeshError as error:
            failures.tell(error, as_json=bool(ctx.meta.get("stockmesh.json")))
            raise typer.Exit(failures.exit_code(error)) from None


def _version(wanted: bool) -> None:
    if wanted:
        try:
            typer.echo(metadata.version("stockmesh"))
        except metadata.PackageNotFoundError:
            typer.echo("not installed, run from its source")
        raise typer.Exit


app = typer.Typer(
    cls=Commands,
    name="stockmesh",
    help="Live stock prices and orders.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _start(
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=_version, is_eager=True),
) -> None:
    pass


app.command("price", rich_help_panel=PRICES)(market.price)
app.command("watch", rich_help_panel=PRICES)(watch.watch)
app.command("history", rich_help_panel=PRICES)(history.history)
app.command("search", rich_help_panel=PRICES)(market.search)
app.command("market", rich_help_panel=PRICES)(market.market)
app.command("buy", rich_help_panel=ORDERS)(trade.buy)
app.command("sell", rich_help_panel=ORDERS)(trade.sell)
app.command("cancel", rich_help_panel=ORDERS)(orders.cancel)
app.command("replace", rich_help_panel=ORDERS)(orders.replace)
app.command("orders", rich_help_panel=ORDERS)(orders.orders)
app.command("order", rich_help_panel=ORDERS)(orders.order)
app.command("token", rich_help_panel=MORE)(token.token)
app.command("certs", rich_help_panel=MORE)(certs.certs)
app.add_typer(ops.app, name="ops", rich_help_panel=MORE)


def main() -> None:
    """Run the command line; the process ends with its exit code."""
    try:
        app(prog_name="stockmesh")
    except StockmeshError as error:  # raised before a command was chosen
        failures.tell(error, as_json=False)
        sys.exit(failures.exit_code(error))
