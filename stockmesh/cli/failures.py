"""What the command line says when something goes wrong: one line with reason, what to do and outcome; and the exit code."""

import json
import sys

from rich.text import Text

from stockmesh.cli import screen
from stockmesh.errors import CannotConnect, ConnectionLost, Outcome, Retry, SessionClosed, StockmeshError

REFUSED, USAGE, UNREACHABLE = 1, 2, 3

OUTCOMES = {
    Outcome.NOT_EXECUTED: "Nothing was executed.",
    Outcome.EXECUTED: "It was executed all the same.",
    Outcome.UNKNOWN: "Whether it was executed is unknown.",
}
HINTS = {
    "CANNOT_CONNECT": "Is the system running? Start it with `make run`, or say where it is with --url.",
    "CONNECTION_LOST": "Try again.",
    "TOKEN_EXPIRED": "Get a new token, for example by `stockmesh token`.",
    "TOKEN_INVALID": "Use a token of this system, for example by `stockmesh token`.",
    "SCOPE_MISSING": "Use a token with that scope, for example by `stockmesh token --scope`.",
    "ACCOUNT_FORBIDDEN": "Name one of the token's accounts with --account.",
    "ACCOUNT_REQUIRED": "Name one of the token's accounts with --account.",
    "UNKNOWN_SYMBOL": "Look for it by `stockmesh search`.",
    "ORDER_NOT_FOUND": "`stockmesh orders` lists yours.",
    "ORDER_CLOSED": "It takes no more commands; `stockmesh order` shows how it ended.",
    "IDEMPOTENCY_MISMATCH": "The key stands for another order: take a new --key, or leave it out.",
}


class Misused(StockmeshError):
    """The command was called in a way that cannot work."""

    reason = "USAGE"


def exit_code(error: StockmeshError) -> int:
    """Return what the process ends with: 2 for wrong usage, 3 when nobody could be reached, else 1."""
    if isinstance(error, Misused):
        return USAGE
    refused_at_the_door = isinstance(error, SessionClosed) and error.reason in {"CONNECTION_REFUSED", "BAD_URL"}
    return UNREACHABLE if isinstance(error, CannotConnect | ConnectionLost) or refused_at_the_door else REFUSED


def advice(error: StockmeshError) -> str:
    """Return what to do about it."""
    if error.reason in HINTS:
        return HINTS[error.reason]
    key = error.details.get("clientOrderId")
    if error.outcome is Outcome.UNKNOWN and key:
        return f"Ask again with --key {key}: that tells the truth and never places a second order."
    if error.retry is Retry.AFTER:
        seconds = error.retry_after_seconds
        return f"Try again in {seconds:g} s." if seconds else "Try again later."
    return "Try again." if error.retry is Retry.SAME_KEY else ""


def tell(error: StockmeshError, *, as_json: bool) -> None:
    """Print the failure to the standard error output."""
    if as_json:
        told = {
            "reason": error.reason,
            "message": error.message,
            "outcome": error.outcome.value,
            "retry": error.retry.value,
            "retryAfterMs": round((error.retry_after_seconds or 0) * 1000),
            "details": error.details,
        }
        sys.stderr.write(json.dumps({"error": told}, default=str) + "\n")
        return
    words = error.message if error.message.endswith((".", "?", "!")) else f"{error.message}."
    outcome = "" if isinstance(error, Misused) else OUTCOMES[error.outcome]
    sentences = " ".join(filter(None, (words[:1].upper() + words[1:], outcome, advice(error))))
    screen.say(screen.errors(), Text.assemble((error.reason, "bold red"), "  ", sentences))
