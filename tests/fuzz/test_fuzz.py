"""A short burst at every decoder, always the same one, and all inputs that ever broke one; `make fuzz` fires for longer."""

import pytest

from tests.fuzz.everything import HARNESSES
from tests.fuzz.harness import CORPUS

EXAMPLES = 12


@pytest.mark.parametrize("name", HARNESSES)
def test_known_bad_inputs_break_nothing(name: str) -> None:
    harness = HARNESSES[name]
    for data in harness.corpus():
        harness.check(data)


@pytest.mark.parametrize("name", HARNESSES)
def test_a_burst_of_inputs_breaks_nothing(name: str) -> None:
    HARNESSES[name].run(examples=EXAMPLES)


def test_every_corpus_belongs_to_a_harness() -> None:
    assert {file.stem for file in CORPUS.iterdir()} == HARNESSES.keys()
