"""The even share of the partitions that this replica owns; taken over from the dead, given back to the new."""

import asyncio
from collections.abc import Collection
from contextlib import suppress

from price_svc.presence import Presence
from price_svc.seat import Desk, Seat
from price_svc.sharing import shares
from runtime import logs
from runtime.jetstream import Bus
from runtime.leases import Lease
from runtime.process import Tasks
from runtime.subjects import TICK_PARTITIONS

LEAVE_SECONDS = 3.0

logger = logs.get_logger("price_svc.ownership")


class Ownership:
    """All partitions as seen from here. Who owns one hears its ticks and tells everybody; the others hear what it tells."""

    def __init__(self, bus: Bus, desk: Desk) -> None:
        self._presence = Presence(bus, self._share)

        def lease_of(partition: int) -> Lease:
            return Lease(bus, f"price_svc.ticks.{partition}", holder=self._presence.us)

        self._seats = [Seat(partition, lease_of(partition), desk) for partition in range(TICK_PARTITIONS)]

    async def listen(self) -> None:
        """Hear what all owners say. Raises BusUnavailable."""
        for seat in self._seats:
            await seat.listen()

    async def restore(self) -> None:
        """Begin with the bars that the owners left."""
        await asyncio.gather(*(seat.restore() for seat in self._seats))

    def start(self, tasks: Tasks) -> None:
        """Own from now on what is ours to own; nobody else is known yet."""
        self._share(self._presence.alive)
        tasks.spawn(self._presence.run(), name="presence")
        for number, seat in enumerate(self._seats):
            tasks.spawn(seat.run(), name=f"partition {number}")
            tasks.spawn(seat.run_ears(), name=f"ears {number}")

    async def leave(self) -> None:
        """Give everything back, so that others go on at once."""
        await self._presence.leave()
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                for seat in self._seats:
                    await seat.idle.wait()

    def _share(self, alive: Collection[str]) -> None:
        ours = shares(alive, TICK_PARTITIONS).get(self._presence.us, frozenset())
        logger.info("share", partitions=sorted(ours), replicas=len(alive))
        for partition, seat in enumerate(self._seats):
            seat.want(wanted=partition in ours)
