"""Runs seeds: `python -m tests.simulation --seeds 1000 --from 1`, or one with its whole story: `--seed 42`."""

import argparse
import sys
import time

from tests.simulation.run import Outcome, simulate

LAST_LINES = 200


def main() -> int:
    """Run what was asked for; 1 when a seed has failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds to run")
    parser.add_argument("--from", type=int, default=1, dest="first", help="the first of them")
    parser.add_argument("--seed", type=int, help="run this one alone and tell its story")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first failure")
    parser.add_argument("--about", nargs="*", default=[], help="tell only lines in which one of these words occurs")
    options = parser.parse_args()
    if options.seed is not None:
        outcome = simulate(options.seed)
        _tell(outcome, options.about, most=None)
        return 0 if outcome.is_good else 1
    return _run_many(range(options.first, options.first + options.seeds), keep_going=options.keep_going)


def _run_many(seeds: range, *, keep_going: bool) -> int:
    begun, failed, count, orders, deaths, virtual = time.monotonic(), list[int](), 0, 0, 0, 0.0
    for seed in seeds:
        outcome = simulate(seed)
        count += 1
        orders, deaths, virtual = orders + outcome.orders, deaths + outcome.deaths, virtual + outcome.virtual_seconds
        if not outcome.is_good:
            failed.append(seed)
            if not keep_going:
                _tell(outcome, [], most=LAST_LINES)
                break
            _say(f"seed {seed}: {outcome.violations[0]}")
    seconds = time.monotonic() - begun
    _say(
        f"{count} seeds in {seconds:.1f} s ({virtual / 3600:.1f} virtual hours): {orders} orders, {deaths} deaths, "
        f"{len(failed)} failed {failed or ''}"
    )
    return 1 if failed else 0


def _tell(outcome: Outcome, words: list[str], *, most: int | None) -> None:
    chosen = [line for line in outcome.trace if not words or any(word in line for word in words)]
    for line in chosen[-most:] if most else chosen:
        _say(line)
    _say(f"seed {outcome.seed}: faults {', '.join(outcome.kinds)}")
    for what in outcome.violations or ["nothing violated"]:
        _say(f"seed {outcome.seed}: {what}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
