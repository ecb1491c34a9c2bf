"""All checks of the deployment files, one after the other; what is wrong is said in words."""

import sys
from collections.abc import Callable, Iterable

from infra.deploy_check import clusters, compose, image, observability, programs

CHECKS: tuple[tuple[str, Callable[[], Iterable[str]]], ...] = (
    ("image", image.problems),
    ("compose", compose.problems),
    ("kubernetes", clusters.problems),
    ("observability", observability.problems),
    ("servers", programs.problems),
)


def main() -> int:
    """Return 0, or 1 after saying what is wrong; programs that are not on this machine are named."""
    wrong = 0
    for name, check in CHECKS:
        for problem in check():
            sys.stderr.write(f"{name}: {problem}\n")
            wrong += 1
    for program in programs.missing():
        sys.stdout.write(f"not on this machine, so its part was not checked: {program}\n")
    if not wrong:
        sys.stdout.write("image, compose file, manifests, dashboards and server configurations fit the code\n")
    return 1 if wrong else 0
