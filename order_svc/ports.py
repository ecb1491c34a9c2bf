"""What the relay needs of its neighbours, by shape."""

from collections.abc import AsyncGenerator, Collection, Mapping
from datetime import timedelta
from typing import Any, Protocol

from bson import ObjectId

from order_svc.event import News
from order_svc.outbox import Entry, Reign


class Outbox(Protocol):
    """The outbox as the relay needs it; see order_svc.outbox."""

    def follow(
        self, resume_after: Mapping[str, Any] | None
    ) -> AsyncGenerator[tuple[Entry | None, Mapping[str, Any]], None]:
        """Return every new entry with the token to resume after it."""

    async def old(self, *, older_than: timedelta, after: ObjectId | None, limit: int) -> list[tuple[ObjectId, int]]:
        """Return ids of entries of some age with the times of their commits, from behind `after` on."""

    async def load(self, entry_ids: Collection[ObjectId]) -> list[Entry]:
        """Return those of the entries that are still there, in the order of their commits."""

    async def still_pending(self, order_ids: Collection[str]) -> set[str]:
        """Return those of the orders that have not left PENDING."""

    async def revisions(self, order_ids: Collection[str]) -> Mapping[str, int]:
        """Return the revision that each of the orders has now."""

    async def settle(self, entry_ids: Collection[ObjectId]) -> None:
        """Forget entries."""

    async def note_landed(self, entry_ids: Collection[ObjectId]) -> None:
        """Keep that the broker has these entries although they are not settled yet."""

    async def take_over(self) -> Reign:
        """Begin a reign: whoever reigned before can save nothing from now on."""

    async def save_token(self, reign: Reign, token: Mapping[str, Any], *, born: int) -> bool:
        """Keep where the relay is, and in which life of the stream of updates; False when another reigns by now."""


class Updates(Protocol):
    """The stream of updates, read back."""

    async def born(self) -> int:
        """Return when the stream was made; another number is another stream. Raises BusUnavailable."""

    async def told(self, subject: str) -> Mapping[str, int]:
        """Return the newest revision that the stream has of each order on a subject. Raises BusUnavailable."""


class Watcher(Protocol):
    """Who wants to know what happens to orders, and runs beside the relay."""

    def hear(self, news: News) -> None:
        """Take in what an update says; it is committed and not yet on the bus."""

    def landed(self, news: News) -> None:
        """Take in that the update is on the bus."""

    async def run(self) -> None:
        """Do what there is to do, for as long as this process relays."""
