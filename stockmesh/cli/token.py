"""`stockmesh token`: a token for development, signed with the local system's secret."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from stockmesh.cli import local
from stockmesh.cli.options import AsJson
from stockmesh.cli.screen import say_json

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
SCOPES = ("read", "trade", "admin")


def duration(text: str) -> float:
    """Return the seconds that a text like 90s, 30m, 24h or 7d means. Raises a usage error."""
    match = re.fullmatch(r"([1-9][0-9]{0,8})([smhd]?)", text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is no duration: write 90s, 30m, 24h or 7d")
    return float(int(match[1]) * UNITS[match[2] or "s"])


def scopes_of(given: list[str]) -> list[str]:
    """Return the scopes of options that may hold several words each. Raises a usage error for unknown ones."""
    words = [word for text in given for word in text.replace(",", " ").split()]
    for word in words:
        if word not in SCOPES:
            raise typer.BadParameter(f"{word!r} is no scope: choose from {', '.join(SCOPES)}")
    return words


def token(
    account: Annotated[
        list[str] | None,
        typer.Option("--account", metavar="NAME", help="Account to act for; several: repeat it. Default: demo."),
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            metavar="SCOPE",
            help="What it may do: read, trade, admin; several: repeat it. Default: read trade.",
        ),
    ] = None,
    ttl: Annotated[str, typer.Option("--ttl", metavar="TIME", help="How long it lives: 90s, 30m, 24h, 7d.")] = "24h",
    subject: Annotated[
        str | None, typer.Option("--subject", metavar="NAME", help="Who it names. Default: the first account.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print a development token (JWT) and nothing else.

    It is signed with JWT_SECRET, or with the secret of the system that runs on this machine. Real users get theirs from the
    identity provider.
    """
    accounts, scopes = account or [local.DEFAULT_ACCOUNT], scopes_of(scope or ["read trade"])
    seconds = duration(ttl)
    made = local.make_token(accounts=accounts, scopes=scopes, subject=subject, seconds=seconds)
    if as_json:
        expiry = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)
        say_json(
            {
                "token": made,
                "accounts": accounts,
                "scopes": scopes,
                "expireTime": expiry.isoformat().replace("+00:00", "Z"),
            }
        )
    else:
        typer.echo(made)
