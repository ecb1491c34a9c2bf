"""Starts SecantusDB in Python with a short life for transactions that a killed client left open; its options cannot say so.

Until such a transaction is over nobody can write what it wrote. MongoDB has a parameter for this, transactionLifetimeLimitSeconds.
"""

import sys

from secantus.cli import main  # type: ignore[import-untyped]
from secantus.server import SecantusDBServer  # type: ignore[import-untyped]

LIFETIME = "transaction_lifetime_seconds"


def start(seconds: float, arguments: list[str]) -> int:
    """Run the server until it is told to end, and return its exit status."""
    defaults = SecantusDBServer.__init__.__kwdefaults__
    if LIFETIME not in defaults:
        sys.stderr.write(f"this SecantusDB has no {LIFETIME}; its own holds\n")
    defaults[LIFETIME] = seconds
    sys.argv = ["secantusd-py", *arguments]
    return int(main() or 0)


if __name__ == "__main__":
    sys.exit(start(float(sys.argv[1]), sys.argv[2:]))
