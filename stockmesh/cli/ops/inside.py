"""`ops outbox`, `ops leases`, `ops revoke`: what the processes say of themselves, and what the broker keeps for them."""

import asyncio
import base64
import binascii
import json
import sys
from contextlib import redirect_stdout
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from stockmesh.cli import local, screen
from stockmesh.cli.failures import REFUSED, Misused
from stockmesh.cli.ops.options import Broker
from stockmesh.cli.options import CONNECTION, AsJson
from stockmesh.errors import CannotConnect

# What the alert rules call too old.
OLD_SECONDS = 30.0
JWT_PARTS = 3

Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metrics",
        metavar="HOST:PORT",
        help="Where an order_svc answers /metrics; several: repeat it. Default: those of the system of this machine.",
        rich_help_panel=CONNECTION,
    ),
]
TokenId = Annotated[str, typer.Argument(metavar="JTI", help="The token's id (its claim `jti`), or the token itself.")]


def outbox(metrics: Metrics = None, as_json: AsJson = False) -> None:
    """Show how many committed messages wait for the broker or for their effect, and for how long the oldest does.

    The replica that relays knows. Ends with 1 when none relays, or when the oldest waits for longer than 30 s.
    """
    from stockmesh.cli.ops import figures  # noqa: PLC0415 - its parser is for this command alone

    places = metrics or local.find_local().metrics.get("order_svc", [])
    if not places:
        raise Misused("say where order_svc answers /metrics (ORDER_SVC_METRICS_PORT) with --metrics", reason="USAGE")

    async def ask() -> list[figures.Figures]:
        return [found for found in await asyncio.gather(*map(figures.read, places)) if found is not None]

    heard = asyncio.run(ask())
    if not heard:
        raise CannotConnect(f"no order_svc answers /metrics at {screen.comma(places)}")
    relay = next((found for found in heard if found.values.get("relay_lease_held")), None)
    waiting = int(relay.values.get("outbox_unsettled", 0)) if relay else None
    oldest = round(relay.values.get("outbox_oldest_seconds", 0.0), 3) if relay else None
    if as_json:
        screen.say_json({"unsettled": waiting, "oldestSeconds": oldest, "relay": relay.address if relay else None})
    elif relay is None:
        screen.say(screen.output(), f"Nobody relays: none of {screen.comma(places)} holds the lease.")
    else:
        age = f"the oldest for {screen.age(oldest)}" if waiting else ""
        screen.say(
            screen.output(), screen.words(f"{waiting:,} entries wait", age, (f"relay {relay.address}", screen.DIM))
        )
    if oldest is None or oldest > OLD_SECONDS:
        raise typer.Exit(REFUSED)


def leases(nats: Broker = None, as_json: AsJson = False) -> None:
    """Show who holds what: the relay of the outbox, and each partition of prices. What nobody holds is not listed."""
    from stockmesh.cli.ops import broker  # noqa: PLC0415 - NATS costs 0.1 s at the start

    async def ask() -> list[broker.Held]:
        async with broker.connected(nats) as client:
            return await broker.leases(client)

    held = asyncio.run(ask())
    if as_json:
        for one in held:
            renewed = one.renewed.isoformat().replace("+00:00", "Z") if one.renewed else None
            screen.say_json({"lease": one.lease, "holder": one.holder, "renewTime": renewed})
        return
    console, now = screen.output(), datetime.now(UTC)
    rows: list[list[screen.Cell]] = [
        [
            one.lease,
            one.holder,
            f"{screen.age((now - one.renewed).total_seconds())} ago" if one.renewed else screen.NONE,
        ]
        for one in held
    ]
    console.print(screen.table(console, "Lease|Holder|Renewed>", rows) if rows else "Nobody holds anything.")


def revoke(jti: TokenId, nats: Broker = None, as_json: AsJson = False) -> None:
    """Have every service refuse a token from now on, and close what was opened with it. Nothing takes that back."""
    from prometheus_client import CollectorRegistry  # noqa: PLC0415

    from runtime import revocation  # noqa: PLC0415 - NATS costs 0.1 s at the start
    from runtime.errors import Unavailable  # noqa: PLC0415
    from runtime.figures import BusFigures  # noqa: PLC0415
    from runtime.jetstream import Bus  # noqa: PLC0415
    from stockmesh.cli.ops import broker  # noqa: PLC0415

    token_id, expires_at = _named(jti)

    async def say() -> None:
        async with broker.connected(nats) as client:
            await revocation.revoke(
                Bus(client, "ops", BusFigures(CollectorRegistry())), token_id, expires_at=expires_at
            )

    try:
        # What is logged on the way is no answer.
        with redirect_stdout(sys.stderr):
            asyncio.run(say())
    except Unavailable as error:
        raise CannotConnect(f"the broker did not confirm, so ask again: {error.message}") from None
    if as_json:
        screen.say_json({"revoked": token_id})
    else:
        screen.say(screen.output(), f"The token {token_id} is refused from now on.")


def _named(text: str) -> tuple[str, float | None]:
    """Return a token's id, and when it expires where the token itself was given. Raises a usage error."""
    parts = text.split(".")
    if len(parts) != JWT_PARTS:
        return text, None
    try:
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return str(claims["jti"]), float(claims["exp"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise Misused("this token has no id (jti) and so cannot be revoked", reason="USAGE") from None
