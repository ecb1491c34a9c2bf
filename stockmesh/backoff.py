"""How long to wait before trying again: exponential with full jitter, so that clients do not come back in step."""

import random

FIRST_SECONDS = 0.25
LONGEST_SECONDS = 15.0


class Backoff:
    """Pauses that grow with each failure. https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/"""

    def __init__(self, *, first: float = FIRST_SECONDS, longest: float = LONGEST_SECONDS) -> None:
        self._first, self._longest = first, longest
        self._failures = 0

    def next(self, *, at_least: float = 0.0) -> float:
        """Return the seconds to wait now; each call counts as one more failure. The server's own wish comes on top of jitter."""
        ceiling = min(self._longest, self._first * 2 ** min(self._failures, 16))
        self._failures += 1
        return at_least + random.uniform(0, ceiling)  # noqa: S311 - spreads load, guards nothing

    @property
    def failures(self) -> int:
        """Failures since the start or the last reset."""
        return self._failures

    def reset(self) -> None:
        """Start again from the shortest pause."""
        self._failures = 0
