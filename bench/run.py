"""What one run of orders saw."""

import time
from dataclasses import dataclass, field

from bench.table import percentile


@dataclass
class Run:
    """When each order should have left, and the seconds from then until its answer and until its fill."""

    due: dict[str, float] = field(default_factory=dict)
    answered: dict[str, float] = field(default_factory=dict)
    filled: dict[str, float] = field(default_factory=dict)
    failed: int = 0
    began: float = field(default_factory=time.perf_counter)

    def row(self) -> dict[str, object]:
        """Return the figures: rates over the time until the last answer and the last fill, then times in ms."""
        place, fill = list(self.answered.values()), list(self.filled.values())
        return {
            "orders/s": self._rate(self.answered),
            "filled/s": self._rate(self.filled),
            "place p50": round(percentile(place, 0.5) * 1000),
            "p99": round(percentile(place, 0.99) * 1000),
            "fill p50": round(percentile(fill, 0.5) * 1000),
            "fill p99": round(percentile(fill, 0.99) * 1000),
            "filled": f"{len(fill)}/{len(place)}",
            "failed": self.failed,
        }

    def _rate(self, seconds: dict[str, float]) -> int:
        last = max((self.due[key] + took for key, took in seconds.items()), default=self.began)
        return round(len(seconds) / max(last - self.began, 1e-9))
