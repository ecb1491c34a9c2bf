"""What the checker finds: which promise was broken, for which order, and the smallest proof of it."""

from dataclasses import dataclass
from enum import StrEnum


class Harm(StrEnum):
    """The column of the table that a violation counts in."""

    LOST = "lost"
    DOUBLED = "doubled"
    STUCK = "stuck"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise; `invariant` names it as the list of invariants in checker.py does."""

    invariant: str
    harm: Harm
    words: str
    witness: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join((f"{self.invariant} [{self.harm}] {self.words}", *(f"      {line}" for line in self.witness)))
