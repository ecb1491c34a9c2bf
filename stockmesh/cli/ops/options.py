"""Where the operators' doors are, and who asks."""

import getpass
from typing import Annotated, Any

import typer

from stockmesh.cli import local
from stockmesh.cli.options import CONNECTION

SERVICES = ("edge", "price_svc", "order_svc", "exchange_gw")
DEFAULTS = {
    "edge": "127.0.0.1:8081",
    "price_svc": "127.0.0.1:50051",
    "order_svc": "127.0.0.1:50052",
    "exchange_gw": "127.0.0.1:50053",
}

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
Broker = Annotated[
    str | None,
    typer.Option(
        "--nats",
        envvar="NATS_URL",
        metavar="URL",
        help="Where the broker is; NATS_USER, NATS_PASSWORD, NATS_CREDS and TLS_… say who you are there. Default: that of the "
        "system of this machine, as its operator.",
        rich_help_panel=CONNECTION,
    ),
]


def where(part: str) -> Any:
    """Return the option that says where a service is."""
    return typer.Option(
        f"--{part.replace('_', '-')}", metavar="HOST:PORT", help=f"Where {part} is.", rich_help_panel=CONNECTION
    )


def addresses_of(part: str, given: str | None) -> list[str]:
    """Return where a service's replicas are: at the option's address, else those of the local system."""
    return [given] if given else local.find_local().replicas.get(part) or [DEFAULTS[part]]


def admin_token(given: str | None) -> str:
    """Return the token: the option's, else one in the name of who sits here."""
    return given or local.make_token(accounts=[], scopes=("read", "admin"), subject=getpass.getuser())
