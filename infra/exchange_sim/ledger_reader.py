"""For who checks a run: the facts of a ledger and the faults that were injected, read from their files while nobody is asked."""

from pathlib import Path
from typing import Any

import msgspec

from infra.exchange_sim.facts import AnyFact
from infra.exchange_sim.ledger import decode_lines


def read_facts(path: Path) -> list[AnyFact]:
    """Return the facts of a ledger in their order; the exchange may be running or not. A ledger that does not exist has none.

    A last line without an end is left out: nobody was told of it. Raises LedgerUnusable for any other damage.
    """
    lines = _whole_lines(path)
    return decode_lines(path, lines)[1] if lines else []


def read_struck(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a `faults.jsonl`: what the fault script has done, in order."""
    return [msgspec.json.decode(line) for line in _whole_lines(path).splitlines()]


def _whole_lines(path: Path) -> bytes:
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return b""
    return text[: text.rfind(b"\n") + 1]
