"""Which change of each order was told last, so that none is told after a newer one.

Entries can be published once more, and late: by the sweeper, by a reign that resumes. The broker drops what it has, but one that
was wiped has forgotten. What is older than what followers have heard would take an order back in their eyes.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence

from bson import ObjectId

from order_svc.event import Message, change_named
from order_svc.ports import Outbox, Updates

# Orders whose last change is remembered; one that was forgotten is old enough that nothing of it is on its way.
MAX_ORDERS = 200_000
# Entries read at once.
PAGE = 50


class Told:
    """Knows what one reign has told. `is_anew` says that nobody knows what the reign before has told, or that the stream has begun
    anew since: then what it has is to be read, once for each account that has something from before.
    """

    def __init__(self, updates: Updates, *, is_anew: bool) -> None:
        self._updates, self._is_anew = updates, is_anew
        self._newest: OrderedDict[str, int] = OrderedDict()
        self._read: set[str] = set()

    def is_unread(self, subject: str) -> bool:
        """Tell whether `read` is to be called before anything is admitted on a subject."""
        return self._is_anew and subject not in self._read

    async def read(self, subject: str) -> None:
        """Learn what the stream has on a subject. Raises BusUnavailable."""
        self._take(await self._updates.told(subject))
        self._read.add(subject)

    async def learn_settled(
        self, outbox: Outbox, listed: Callable[[], Awaitable[Sequence[ObjectId]]]
    ) -> Sequence[ObjectId]:
        """Take an order's changes that are settled, and so not in the outbox any more, for told: what is older comes too late.

        Returns what the outbox holds, as `listed` does. It is listed once more after the orders were read: a change up to the
        revision read that is not there then was settled, and is not just too new to be seen. Raises DatabaseUnavailable.
        """
        newest = await outbox.revisions(await _changes(outbox, await listed()))
        entry_ids = await listed()
        waiting = await _changes(outbox, entry_ids)
        for order_id, revision in newest.items():
            settled = (one for one in range(revision, 0, -1) if one not in waiting.get(order_id, ()))
            self._take({order_id: next(settled, 0)})
        return entry_ids

    def admits(self, message: Message) -> bool:
        """Tell whether an update is newer than what was told of its order, and count it as told."""
        order_id, revision = change_named(message.event_id)
        if revision <= self._newest.get(order_id, 0):
            return False
        self._take({order_id: revision})
        return True

    def _take(self, revisions: Mapping[str, int]) -> None:
        for order_id, revision in revisions.items():
            self._newest[order_id] = max(self._newest.pop(order_id, 0), revision)
        while len(self._newest) > MAX_ORDERS:
            self._newest.popitem(last=False)


async def _changes(outbox: Outbox, entry_ids: Sequence[ObjectId]) -> dict[str, set[int]]:
    """Return the revisions of which entries tell, for each order."""
    found: dict[str, set[int]] = {}
    for start in range(0, len(entry_ids), PAGE):
        for entry in await outbox.load(entry_ids[start : start + PAGE]):
            for order_id, revision in (change_named(one.event_id) for one in entry.messages if one.news):
                found.setdefault(order_id, set()).add(revision)
    return found
