"""Which system is meant: what the options say, else the one that runs on this machine, and a token for it."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stockmesh.cli.failures import Misused

STATE_FOLDER = ".stockmesh"
ANNOUNCEMENT = "local.json"
# The public door of `make run` and of the containers alike.
DEFAULT_URL = "ws://127.0.0.1:8080/ws"
DEFAULT_ACCOUNT = "demo"
TOKEN_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Local:
    """What the system that runs on this machine has announced; empty when none runs."""

    addresses: dict[str, str] = field(default_factory=dict)
    secret_file: Path | None = None
    # Every process of each service, and where these answer /metrics.
    replicas: dict[str, list[str]] = field(default_factory=dict)
    metrics: dict[str, list[str]] = field(default_factory=dict)
    nats_password_file: Path | None = None


def find_local() -> Local:
    """Return the system of STOCKMESH_STATE, or of the nearest `.stockmesh` in this folder and those above it."""
    for folder in _folders():
        try:
            facts: dict[str, Any] = json.loads((folder / ANNOUNCEMENT).read_text(encoding="utf-8"))
            os.kill(int(facts["pid"]), 0)
        except PermissionError:
            pass  # it runs, as somebody else's
        except (OSError, ValueError, KeyError, TypeError):
            continue
        files = {
            name: Path(facts[name]) if facts.get(name) else None for name in ("jwt_secret_file", "nats_password_file")
        }
        return Local(
            addresses={name: value for name, value in facts.items() if isinstance(value, str)},
            secret_file=files["jwt_secret_file"],
            replicas=facts.get("replicas", {}),
            metrics=facts.get("metrics", {}),
            nats_password_file=files["nats_password_file"],
        )
    return Local()


def _folders() -> Iterable[Path]:
    given = os.environ.get("STOCKMESH_STATE")
    if given:
        return [Path(given)]
    here = Path.cwd()
    return [folder / STATE_FOLDER for folder in (here, *here.parents)]


def url_of(given: str | None) -> str:
    """Return the address of the WebSocket: the option's, else that of the local system."""
    return given or find_local().addresses.get("websocket", DEFAULT_URL)


def token_of(given: str | None, *, account: str | None) -> str:
    """Return the token: the option's, else one made for the account (`demo` unless named) with the local system's secret."""
    return given or make_token(accounts=[account or DEFAULT_ACCOUNT], scopes=("read", "trade"))


def make_token(
    *, accounts: list[str], scopes: Iterable[str], subject: str | None = None, seconds: float = TOKEN_SECONDS
) -> str:
    """Return a token signed with JWT_SECRET or the local system's secret. Raises a usage error when there is neither."""
    # Signing needs cryptography, which costs 0.2 s; who brings a token does not need it.
    from runtime import auth  # noqa: PLC0415

    secret = os.environ.get("JWT_SECRET") or _local_secret()
    if not secret:
        raise Misused(
            "there is no token: give --token or STOCKMESH_TOKEN. Here one is made only for a system of this machine: start it "
            "with `make run` and call this in its folder (or set STOCKMESH_STATE to its state), or set JWT_SECRET",
            reason="TOKEN_MISSING",
        )
    try:
        return auth.make_token(
            secret=secret,
            subject=subject or (accounts[0] if accounts else "nobody"),
            accounts=accounts,
            scopes=scopes,
            lifetime_seconds=seconds,
        )
    except ValueError as error:
        raise Misused(str(error), reason="SECRET_TOO_SHORT") from None


def _local_secret() -> str:
    secret_file = find_local().secret_file
    if secret_file is None:
        return ""
    try:
        return secret_file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise Misused(f"cannot read the local system's secret: {error}", reason="TOKEN_MISSING") from None
