"""The flaw: the relay settles an entry and saves its place in the stream before it publishes."""

from collections.abc import Mapping
from typing import Any

from order_svc.outbox import Entry, Reign
from order_svc.passage import Passage
from tests.faults.mutants import put


def apply() -> None:
    """Put it in."""
    follow, take_off = Passage._follow, Passage._take_off
    reigns: dict[int, Reign] = {}

    async def follow_of(self: Passage, reign: Reign) -> None:
        reigns[id(self)] = reign
        await follow(self, reign)

    async def note_first(self: Passage, entry: Entry | None, place: Mapping[str, Any]) -> None:
        if entry is not None:
            await self._outbox.settle([entry.entry_id])
            await self._outbox.save_token(reigns[id(self)], place, born=self._born)
        await take_off(self, entry, place)

    put(Passage, "_follow", follow_of)
    put(Passage, "_take_off", note_first)
