"""Where the operators' doors are, and who asks."""

import getpass
from typing import Annotated

import typer

from stockmesh.cli import local
from stockmesh.cli.options import CONNECTION

DEFAULTS = {"exchange_gw": "127.0.0.1:50053", "price_svc": "127.0.0.1:50051", "order_svc": "127.0.0.1:50052"}

Gateway = Annotated[
    str | None,
    typer.Option(
        "--gateway",
        envvar="STOCKMESH_GATEWAY",
        metavar="HOST:PORT",
        help="Where the exchange gateway is. Default: that of the system of this machine.",
        rich_help_panel=CONNECTION,
    ),
]
AdminToken = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="STOCKMESH_ADMIN_TOKEN",
        metavar="JWT",
        help="A token with the scope admin. Default: made with the secret of the system of this machine, in your name.",
        rich_help_panel=CONNECTION,
    ),
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the audit.")]


def address_of(part: str, given: str | None) -> str:
    """Return where a service is: the option's address, else that of the local system."""
    return given or local.find_local().addresses.get(part, DEFAULTS.get(part, ""))


def admin_token(given: str | None) -> str:
    """Return the token: the option's, else one in the name of who sits here."""
    return given or local.make_token(accounts=[], scopes=("read", "admin"), subject=getpass.getuser())
