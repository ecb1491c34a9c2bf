"""What a person sees: a line for each run, the witnesses, and the table at the end."""

import sys
from collections.abc import Sequence

from tests.faults.case import Case, Result
from tests.faults.violation import Harm

HEAD = f"{'case':<34} {'runs':>4} {'orders':>6} {'unknown':>7} {'lost':>5} {'doubled':>7} {'stuck':>5} {'other':>5} {'seconds':>7}"
MOST_WITNESSES = 6


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def catalogue(cases: Sequence[Case]) -> None:
    """Print the cases that there are."""
    for case in cases:
        say(f"{case.name:<34} {case.words}")


def line(result: Result) -> None:
    """Print how one run ended, with the smallest proof of what is wrong."""
    verdict = "ok" if not result.violations else f"{len(result.violations)} VIOLATIONS"
    say(f"{result.case:<34} seed {result.seed:<7} {result.orders:>4} orders {result.seconds:6.1f} s  {verdict}")
    for violation in sorted(result.violations, key=lambda one: (one.harm, len(one.witness)))[:MOST_WITNESSES]:
        say(f"    {violation}")


def summary(results: Sequence[Result], seed: int) -> None:
    """Print the table."""
    say("")
    say(HEAD)
    for name in dict.fromkeys(result.case for result in results):
        _row(name, [result for result in results if result.case == name])
    _row("all", results)
    say(f"seed {seed}")


def _row(name: str, results: Sequence[Result]) -> None:
    harms = {harm: sum(result.count(harm) for result in results) for harm in Harm}
    orders, unknown = sum(result.orders for result in results), sum(result.unknown for result in results)
    seconds = sum(result.seconds for result in results)
    say(
        f"{name:<34} {len(results):>4} {orders:>6} {unknown:>7} {harms[Harm.LOST]:>5} {harms[Harm.DOUBLED]:>7} "
        f"{harms[Harm.STUCK]:>5} {harms[Harm.OTHER]:>5} {seconds:>7.1f}"
    )
