"""When the first fill of an order was told: kept in memory by whoever relays, for the timeline. Forgotten at a restart."""

import time
from collections import OrderedDict
from datetime import UTC, datetime

from order_svc.event import News

MAX_ORDERS = 100_000


class Pushed:
    """The moments at which the broker had the update with an order's first fill."""

    def __init__(self) -> None:
        self._moments: OrderedDict[str, int] = OrderedDict()

    def hear(self, news: News) -> None:
        """Nothing: only what is on the bus was told."""

    def landed(self, news: News) -> None:
        """Take in that an update is on the bus."""
        if news.first_fill and news.order_id not in self._moments:
            self._moments[news.order_id] = time.time_ns() // 1000
            if len(self._moments) > MAX_ORDERS:
                self._moments.popitem(last=False)

    async def run(self) -> None:
        """Nothing to do beside the relay."""

    def moment(self, order_id: str) -> datetime | None:
        """Return when the order's first fill was told; None when it was not, or not by this process."""
        found = self._moments.get(order_id)
        return datetime.fromtimestamp(found / 1_000_000, UTC) if found else None
