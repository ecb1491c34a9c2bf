"""python -m tests.fuzz --seconds 60: fire at every decoder for so long in all, each its share, always with new inputs."""

import argparse
import sys
import time

from tests.fuzz.everything import HARNESSES


def main() -> None:
    """Run the harnesses; end with what broke one, and the smallest input that does."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for all of them together")
    parser.add_argument("--only", choices=sorted(HARNESSES), help="one of them alone")
    chosen = parser.parse_args()
    harnesses = [HARNESSES[chosen.only]] if chosen.only else list(HARNESSES.values())
    broken = 0
    for harness in harnesses:
        begun = time.monotonic()
        try:
            count = harness.run_for(chosen.seconds / len(harnesses))
        except Exception as error:
            broken += 1
            notes = "\n  ".join(getattr(error, "__notes__", []))
            print(f"{harness.name:15} BROKEN {error!r}\n  {notes}", flush=True)  # noqa: T201 - a command's output
            continue
        rate = count / (time.monotonic() - begun)
        print(f"{harness.name:15} {count:8} inputs, {rate:7.0f} a second", flush=True)  # noqa: T201 - a command's output
    sys.exit(f"{broken} broken: put the input into tests/fuzz/corpus with the mending" if broken else 0)


if __name__ == "__main__":
    main()
