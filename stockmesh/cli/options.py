"""Options that many commands share, each told once."""

from typing import Annotated

import typer

CONNECTION = "Connection"


def _note_json(context: typer.Context, value: bool) -> bool:
    # Errors are told in the same form as answers, also those that happen before the command runs.
    context.meta["stockmesh.json"] = value
    return value


Symbols = Annotated[list[str], typer.Argument(metavar="SYMBOL...", help="Symbols, for example AAPL MSFT.")]


def upper(symbols: list[str]) -> list[str]:
    """Return symbols as the venue spells them, each once."""
    return list(dict.fromkeys(symbol.upper() for symbol in symbols))


Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="STOCKMESH_URL",
        metavar="WS-URL",
        help="Where the WebSocket is. Default: the system that runs on this machine.",
        rich_help_panel=CONNECTION,
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="STOCKMESH_TOKEN",
        metavar="JWT",
        help="Who asks. Default: made with the secret of the system that runs on this machine.",
        rich_help_panel=CONNECTION,
    ),
]
Account = Annotated[
    str | None,
    typer.Option("--account", metavar="NAME", help="Account to trade for. Needed only when the token has several."),
]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json", callback=_note_json, help="Print JSON, one object a line, with the names and values of the API."
    ),
]
