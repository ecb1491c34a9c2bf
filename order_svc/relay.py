"""The outbox relay: what the database has committed goes on the bus, at once, and is never forgotten.

It follows the outbox by change stream (no polling on the path), publishes, waits for the broker's receipt, settles, and saves its
place. A sweeper runs beside it always: it turns every failure of the stream, the broker or this process into latency, not loss.

One relay is active per order database, by a lease. A relay that was frozen and wakes up finds three fences: the lease is over by
its own clock before it sends anything, the broker refuses updates out of turn (order_svc.lanes), and only the newest reign can save
a place in the stream, so that the one before steps down there at the latest.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from order_svc.figures import Figures
from order_svc.lanes import Fence, Poster
from order_svc.passage import Passage
from order_svc.ports import Outbox, Updates, Watcher


class Lease(Fence, Protocol):
    """The right to relay."""

    async def rule(self, reign: Callable[[], Awaitable[None]]) -> None:
        """Run `reign` whenever the lease is ours, for ever."""


class Relay:
    """Brings the outbox to the bus whenever the lease is ours."""

    def __init__(
        self,
        outbox: Outbox,
        bus: Poster,
        updates: Updates,
        lease: Lease,
        *,
        figures: Figures,
        watchers: Sequence[Watcher] = (),
    ) -> None:
        self._outbox, self._bus, self._updates, self._lease = outbox, bus, updates, lease
        self._figures, self._watchers = figures, watchers

    async def run(self) -> None:
        """Relay whenever it is our turn, for ever; one of the process's loops."""
        await self._lease.rule(self._reign)

    async def _reign(self) -> None:
        self._figures.lease_held.set(1)
        try:
            passage = Passage(
                self._outbox, self._bus, self._updates, self._lease, figures=self._figures, watchers=self._watchers
            )
            await passage.run()
        finally:
            self._figures.lease_held.set(0)
