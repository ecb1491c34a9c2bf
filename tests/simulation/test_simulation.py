"""The order path in virtual time: seeds that once found something, and as many fresh ones as the time allows."""

import os
import random
import time

import pytest

from tests.simulation.mutants import MUTANTS
from tests.simulation.run import Outcome, simulate

SECONDS = float(os.environ.get("SIMULATION_SECONDS", "15"))
# Each of these once found a bug, or takes a way that few do.
FOUND = [24, 41, 56, 110, 124, 237, 257, 301, 5199, 6977, 21413, 40727, 41780, 60012]
MOST_SEEDS_FOR_A_MUTANT = 150
LAST_LINES = 60


def told(outcome: Outcome) -> str:
    story = "\n".join(outcome.trace[-LAST_LINES:])
    wrong = "\n".join(outcome.violations)
    return f"{story}\n{wrong}\nrepeat with: python -m tests.simulation --seed {outcome.seed}"


@pytest.mark.parametrize("seed", FOUND)
def test_a_seed_that_once_failed_holds(seed: int) -> None:
    outcome = simulate(seed)

    assert outcome.is_good, told(outcome)


def test_one_seed_is_one_history() -> None:
    assert simulate(3).trace == simulate(3).trace


@pytest.mark.timeout(SECONDS + 60)
def test_whatever_dies_no_order_is_lost_and_none_is_doubled() -> None:
    first = random.SystemRandom().randrange(10**6, 10**9)
    begun, seed, orders, acceptances = time.monotonic(), first, 0, 0
    while time.monotonic() - begun < SECONDS:
        outcome = simulate(seed)
        assert outcome.is_good, told(outcome)
        seed, orders, acceptances = seed + 1, orders + outcome.orders, acceptances + outcome.acceptances

    print(f"seeds {first} to {seed - 1}: {orders} orders, {acceptances} acceptances")  # noqa: T201 - pytest shows it
    assert acceptances > 0


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mistake_is_found(mutant: str) -> None:
    for seed in range(MOST_SEEDS_FOR_A_MUTANT):
        if not simulate(seed, MUTANTS[mutant]).is_good and simulate(seed).is_good:
            return
    pytest.fail(f"{MOST_SEEDS_FOR_A_MUTANT} seeds have not noticed: {mutant}")
