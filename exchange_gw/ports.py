"""What the use cases need from outside: a journal, and somebody who tells the facts. Pure."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from exchange_gw.command import Command
from exchange_gw.journal import Row
from exchange_gw.report import Report, Verdict


class Break(Struct, frozen=True):
    """Something that does not fit between the journal and the venue's books."""

    break_id: str
    order_id: str
    kind: str
    detail: str
    create_time: datetime


class Note(Struct, frozen=True):
    """What one attempt was about to do: the orders that it decides on, and the changes of orders that it sends."""

    batch: str
    orders: tuple[str, ...]
    changes: tuple[Command, ...] = ()


class Journal(Protocol):
    """Where decisions are kept. Every method raises Unavailable when the database is away; what was written is then unknown."""

    async def decide(self, note: Note, group: int, rows: Sequence[Row]) -> dict[str, Row]:
        """Write a note and then rows, at most one an order, and return those that were there before and hold instead.

        No row is there before its note, so a row of which nothing is noted is one that was answered. May be repeated.
        """

    async def find(self, order_ids: Collection[str]) -> dict[str, Row]:
        """Return the rows of orders; those without one are left out."""

    async def noted(self, group: int, *, besides: Collection[str]) -> list[Note]:
        """Return what was noted and not forgotten, without some batches."""

    async def forget(self, group: int, batches: Sequence[str]) -> None:
        """Drop notes of which every request has been answered; from now on their rows only grow old."""

    async def retire(self, group: int, *, decided_before: datetime, but: Collection[str]) -> int:
        """Remove some rows decided before a time, without some orders; return how many notes of old rows it looked at."""

    async def send_again(self, order_id: str, *, since: int, logon: int) -> bool:
        """Note durably that an order, last sent in the session `since`, is about to be sent once more, in the session `logon`.

        False when another gateway has decided about it since: nothing is noted and nothing may be sent.
        """

    async def give_up(self, order_id: str, verdict: Verdict, *, since: int) -> bool:
        """Note that an order, last sent in the session `since`, which the venue never got, is not sent any more.

        False when another gateway has decided otherwise since.
        """

    async def next_logon(self, session: str, *, at_least: int) -> int:
        """Return a number for a session's new logon: greater than all before, and at least `at_least`."""

    async def heard_until(self, session: str) -> datetime | None:
        """Return up to which time by the venue's clock all reports were heard and told; None when nothing is known."""

    async def save_heard_until(self, session: str, time: datetime) -> None:
        """Keep the time up to which all reports were heard and told."""

    async def holder(self, session: str) -> str:
        """Return the sign of life that whoever has a session left there last."""

    async def sign(self, session: str, sign: str) -> None:
        """Leave another sign of life at a session that is ours."""

    async def record_breaks(self, breaks: Sequence[Break]) -> None:
        """Keep breaks; one that is known stays as it was."""


class Reports(Protocol):
    """Tells facts to the orders."""

    async def tell(self, report: Report) -> None:
        """Take a fact in; it is told for certain while the process lives. Waits while too many wait to be told."""

    def mark(self) -> int:
        """Return a mark for all that was taken in so far."""

    def is_told(self, mark: int) -> bool:
        """Tell whether everything up to a mark has been told."""

    async def until_told(self) -> None:
        """Return when everything taken in so far has been told: for facts that nobody could find out again."""
