"""`ops config check`: what each service would start with here, and everything that keeps it from starting."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from stockmesh.cli import screen
from stockmesh.cli.failures import REFUSED, Misused
from stockmesh.cli.ops.options import SERVICES
from stockmesh.cli.options import AsJson

if TYPE_CHECKING:
    from runtime.configuration import Configuration

app = typer.Typer(no_args_is_help=True, help="The settings of services.")

Names = Annotated[list[str] | None, typer.Argument(metavar="[SERVICE]...", help="Services. Default: all four.")]
GivenOnly = Annotated[bool, typer.Option("--given", help="Leave out what is at its default.")]


@app.callback()
def _group() -> None:
    pass


@app.command("check")
def check(services: Names = None, given: GivenOnly = False, as_json: AsJson = False) -> None:
    """Show the settings that services would start with in this environment, where each comes from, and all that is wrong.

    Run it where a service runs, with its environment, for example by `docker compose exec order_svc stockmesh ops config check
    order_svc`. Secrets are masked. Ends with 1 when a service would not start.
    """
    from runtime import configuration  # noqa: PLC0415 - pydantic costs 0.2 s at the start

    for name in services or ():
        if name not in SERVICES:
            raise Misused(f"{name!r} is no service: choose from {screen.comma(SERVICES)}")
    found = [configuration.configuration_of(name) for name in services or SERVICES]
    for one in found:
        shown = tuple(entry for entry in one.entries if not given or entry.source != configuration.DEFAULT)
        (_tell if as_json else _show)(replace(one, entries=shown))
    if any(one.problems for one in found):
        raise typer.Exit(REFUSED)


def _tell(found: "Configuration") -> None:
    for entry in found.entries:
        told = {"variable": entry.variable, "value": entry.value, "source": entry.source}
        screen.say_json({"service": found.service, **told})
    for problem in found.problems:
        screen.say_json({"service": found.service, "problem": problem})


def _show(found: "Configuration") -> None:
    console = screen.output()
    console.print(Text(found.service, style="bold"))
    rows: list[list[screen.Cell]] = [
        [
            f"  {entry.variable}",
            entry.value or screen.NONE,
            Text(entry.source, style=screen.DIM if entry.source == "default" else "cyan"),
        ]
        for entry in found.entries
    ]
    console.print(
        screen.table(console, "  Setting|Value|From", rows) if rows else Text("  all defaults", style=screen.DIM)
    )
    for problem in found.problems:
        screen.say(console, Text(f"  ✕ {problem}", style="bold red"))
    console.print()
