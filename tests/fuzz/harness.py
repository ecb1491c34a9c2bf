"""What a harness is: where its bytes come from, and what must hold for any of them."""

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

CORPUS = Path(__file__).parent / "corpus"
ROUND = 200


@dataclass(frozen=True, slots=True)
class Harness:
    """One decoder under fire. `check` raises whatever it should not; `inputs` makes bytes that get far into it."""

    name: str
    inputs: st.SearchStrategy[bytes]
    check: Callable[[bytes], None]

    def corpus(self) -> list[bytes]:
        """Return the known bad inputs: one in each line of the harness's file, as JSON text of one character a byte."""
        lines = (CORPUS / f"{self.name}.jsonl").read_text(encoding="ascii").splitlines()
        return [json.loads(line).encode("latin-1") for line in lines]

    def run(self, *, examples: int, start: int | None = None) -> None:
        """Check so many inputs, other ones for each start; raises what the check raises, with the smallest input that does it."""
        phases = [Phase.generate, Phase.shrink]
        chosen = settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=phases,
            derandomize=start is None,
            suppress_health_check=list(HealthCheck),
        )
        fire = chosen(given(data=self.inputs)(self.check))
        (seed(start)(fire) if start is not None else fire)()

    def run_for(self, seconds: float) -> int:
        """Check inputs for so long; return how many."""
        end, rounds = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            self.run(examples=ROUND, start=random.randrange(2**32))
            rounds += 1
        return rounds * ROUND


def mutated(whole: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Return good inputs, such with a few bytes changed, cut or put in, and mere noise."""
    return st.one_of(
        whole, st.builds(_cut, whole, st.integers(0, 400), st.integers(0, 8), st.binary(max_size=8)), st.binary()
    )


def _cut(data: bytes, at: int, length: int, instead: bytes) -> bytes:
    at = at % (len(data) + 1)
    return data[:at] + instead + data[at + length :]
