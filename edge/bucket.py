"""How often something may happen: a bucket of tokens that fills at a steady rate. Pure: time comes from the caller."""

# A bucket holds what comes in within this time, so that what was saved up may be spent at once.
BURST_SECONDS = 2.0
ROUNDING = 1e-9


class Bucket:
    """Tokens of one client, full in the beginning. A rate of 0 means no limit."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, *, burst: float = 0.0) -> None:
        self._rate, self._burst = rate, max(burst or rate * BURST_SECONDS, 1.0)
        self._tokens, self._at = self._burst, 0.0

    def take(self, now: float, count: int = 1) -> float:
        """Take tokens and return 0, or take none and return how many seconds it takes until they are there."""
        if not self._rate:
            return 0.0
        self._tokens = min(self._tokens + max(now - self._at, 0.0) * self._rate, self._burst)
        self._at = now
        # More than ever fit into the bucket are there when it is full.
        missing = min(count, self._burst) - self._tokens
        if missing > ROUNDING:
            return missing / self._rate
        self._tokens -= count
        return 0.0
