"""`stockmesh certs`: a certificate authority for development, and certificates for every part and a partner."""

from pathlib import Path
from typing import Annotated

import typer

from stockmesh.cli.failures import Misused
from stockmesh.cli.options import AsJson
from stockmesh.cli.screen import say_json

SERVICES = ("edge", "price_svc", "order_svc", "exchange_gw", "envoy", "nats", "redis", "mongo")
AUTHORITY = "ca"


def certs(
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where to write.")] = Path("certs"),
    host: Annotated[
        list[str] | None,
        typer.Option("--host", metavar="NAME", help="Another name or address of the servers; several: repeat it."),
    ] = None,
    partner: Annotated[str, typer.Option("--partner", metavar="NAME", help="A partner's name and account.")] = "demo",
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="How long they are good.")] = 365,
    as_json: AsJson = False,
) -> None:
    """Make a certificate authority for development, and certificates for all parts and for one partner.

    They are good for localhost and whatever --host names. Nothing is ever replaced: delete the folder to begin anew. Keep ca.key to
    yourself; whoever has it can be anybody.
    """
    # It costs 0.2 s, and only this command needs it.
    from stockmesh.cli import certificates  # noqa: PLC0415

    if not partner.isascii() or not partner.replace("-", "").replace("_", "").isalnum():
        raise Misused("a partner's name is made of letters, digits, - and _", reason="BAD_NAME")
    partner_file = f"partner-{partner}"
    names = [AUTHORITY, *SERVICES, partner_file]
    listing = out / "partners.toml"
    paths = [out / f"{name}.{ending}" for name in names for ending in ("pem", "key")]
    if taken := [str(path) for path in (*paths, listing) if path.exists()]:
        raise Misused(f"{taken[0]} exists; delete {out} to begin anew, or give another --out", reason="FILE_EXISTS")
    try:
        authority = certificates.Authority(days=days)
        certificates.write(out, AUTHORITY, authority.issued)
        for name in SERVICES:
            certificates.write(out, name, authority.for_service(name, [*certificates.HERE, *(host or [])]))
        certificates.write(out, partner_file, authority.for_partner(partner))
        listing.write_text(
            f'[partners.{partner}]\ncertificate = "{certificates.spiffe_id(partner)}"\n'
            f'accounts = ["{partner}"]\nscopes = ["read", "trade"]\n',
            encoding="utf-8",
        )
    except (OSError, ValueError) as error:
        raise Misused(f"cannot make certificates in {out}: {error}", reason="NOT_WRITTEN") from None
    if as_json:
        say_json({"folder": str(out), "names": names, "days": days})
    else:
        typer.echo(
            f"{len(names)} certificates with their keys are in {out}, good for {days} days; {listing} lists the partner."
        )
