"""What happens so often that it is only counted, by plain numbers; somebody else shows them."""

import time
from collections.abc import Callable
from typing import TypeAlias

from gen.trading.v1.price_pb2 import Quote

Observe: TypeAlias = Callable[[float], None]

# Of so many quotes one is timed on its way.
TIMED_ONE_IN = 100


def nobody(seconds: float) -> None:
    """Nobody wants to know."""


class Tally:
    """Counts of one process. `tick_to_client` and `report_to_pushed` take seconds."""

    __slots__ = (
        "_untimed",
        "report_to_pushed",
        "subscriptions",
        "tick_to_client",
        "updates_conflated",
        "updates_dropped",
        "updates_sent",
    )

    def __init__(self) -> None:
        # Symbols watched, summed over sockets.
        self.subscriptions = 0
        # Quotes written to sockets, and those that a newer one replaced before that.
        self.updates_sent = self.updates_conflated = 0
        # Order updates that were not sent because their socket was let go.
        self.updates_dropped = 0
        self._untimed = 0
        self.tick_to_client: Observe = nobody
        self.report_to_pushed: Observe = nobody

    def time(self, quote: Quote | None, written: int) -> None:
        """Note that quotes were written just now, of which this is one; now and then its age is taken."""
        self._untimed += written
        if self._untimed < TIMED_ONE_IN or quote is None or quote.state != Quote.LIVE:
            return
        self._untimed = 0
        if quote.quote_time.seconds:
            self.tick_to_client(max(time.time() - quote.quote_time.seconds - quote.quote_time.nanos / 1e9, 0.0))
