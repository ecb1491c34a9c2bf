"""How long the broker's receipt took after the commit, as order_svc itself measures it for every order and exports it."""

import asyncio
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

METRIC = "order_commit_to_receipt_seconds"
SHARES = (0.5, 0.9, 0.99)


class Receipts:
    """The growth of one histogram between two looks."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._before: dict[float, float] = {}

    async def start(self) -> None:
        """Count from now on."""
        self._before = await self._buckets()

    async def row(self) -> dict[str, object]:
        """Return the shares of all orders as upper bounds in milliseconds, interpolated within a bucket."""
        now = await self._buckets()
        grown = [(bound, now[bound] - self._before.get(bound, 0.0)) for bound in sorted(now)]
        return {f"receipt p{share * 100:.0f}": round(_quantile(grown, share) * 1000, 1) for share in SHARES}

    async def _buckets(self) -> dict[float, float]:
        text = await asyncio.to_thread(self._read)
        return {
            float(sample.labels["le"]): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == f"{METRIC}_bucket"
        }

    def _read(self) -> str:
        with urllib.request.urlopen(self._url, timeout=5) as answer:  # noqa: S310 - our own part on loopback
            text: str = answer.read().decode()
            return text


def _quantile(grown: list[tuple[float, float]], share: float) -> float:
    """Return the value below which a share lies, as Prometheus' histogram_quantile estimates it."""
    total = grown[-1][1] if grown else 0.0
    below_bound, below_count = 0.0, 0.0
    for bound, count in grown:
        if count >= share * total and count > below_count:
            if bound == float("inf"):
                return below_bound
            return below_bound + (bound - below_bound) * (share * total - below_count) / (count - below_count)
        below_bound, below_count = bound, count
    return float("nan")
