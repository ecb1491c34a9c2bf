"""Comparison of the venue's books with our journal: after every logon before anything is sent, and when an operator asks."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from msgspec import Struct

from exchange_gw.command import order_id_of
from exchange_gw.exchange import ENDED, Clock, Execution, OrderSession, Unsupported, VenueUnreachable
from exchange_gw.ports import Break, Journal
from runtime import logs

# The venue's clock orders reports only roughly.
OVERLAP = timedelta(seconds=60)
ANSWER_SECONDS = 10.0
CHUNK = 500
WAITING_PARTS = 5_000
NO_JOURNAL = "VENUE_ORDER_WITHOUT_JOURNAL"
NEVER_SENT = "VENUE_ORDER_NEVER_SENT"
WITHOUT_ORDER = "VENUE_REPORT_WITHOUT_ORDER"

logger = logs.get_logger("exchange_gw.recovery")


class Comparison(Struct, frozen=True):
    """What a comparison found: how many orders, how many of them told something new, and what does not fit."""

    compared: int = 0
    recovered: int = 0
    breaks: tuple[Break, ...] = ()

    def plus(self, other: "Comparison") -> "Comparison":
        """Return both as one."""
        return Comparison(
            self.compared + other.compared, self.recovered + other.recovered, (*self.breaks, *other.breaks)
        )


class _Question:
    """One question about all orders, and its answer as it comes."""

    def __init__(self) -> None:
        self.request_id = f"all-{uuid4().hex[:12]}"
        # None ends it without the rest.
        self.parts: asyncio.Queue[Execution | None] = asyncio.Queue(WAITING_PARTS)
        self.unsupported = False


class Recovery:
    """Asks one session's venue about all orders and weighs the answers.

    `hear` takes a status and returns whether it told something new; `is_ours` picks the orders of this session's group, as a
    venue may answer for the whole firm; `is_open` tells whether a question about an order is open.
    """

    def __init__(
        self,
        session: OrderSession,
        journal: Journal,
        *,
        hear: Callable[[Execution], Awaitable[bool]],
        is_ours: Callable[[Execution], bool],
        is_open: Callable[[str], bool],
        now: Clock,
    ) -> None:
        self._session, self._journal, self._hear, self._is_ours, self._now = session, journal, hear, is_ours, now
        self._is_open = is_open
        # Orders that were not over when the venue last told of all; None before it ever did.
        self.living: frozenset[str] | None = None
        self._question: _Question | None = None
        self._one_at_a_time = asyncio.Lock()

    async def compare(self, *, since: datetime | None, whole: bool = False) -> Comparison:
        """Ask how all orders stand and take in what is new since a time, and whatever is about an open question.

        `whole` looks at every order, not only at those. Raises VenueUnreachable when the answer does not come to its end.
        """
        async with self._one_at_a_time:
            question = self._question = _Question()
            try:
                await self._session.ask_all(question.request_id)
                return await self._weigh(question, since=since, whole=whole)
            except TimeoutError:
                raise VenueUnreachable("the exchange does not answer a question about all orders") from None
            finally:
                self._question = None
                # Whoever hears the venue may wait for room in it, and nobody reads it any more.
                while not question.parts.empty():
                    question.parts.get_nowait()

    async def take(self, execution: Execution) -> bool:
        """Take a part of an answer; return whether it belongs to a question that is being asked."""
        question = self._question
        if question is None or execution.part is None or execution.part.request_id != question.request_id:
            return False
        await question.parts.put(execution)
        return True

    def refuse(self, event: Unsupported) -> bool:
        """Note that the venue does not take such questions; return whether the event is about the one that is being asked."""
        question = self._question
        if question is None or not (event.name == question.request_id or event.message_type == "AF"):
            return False
        question.unsupported = True
        self.break_off()
        return True

    def break_off(self) -> None:
        """Note that the rest of an answer will not come."""
        if self._question is not None:
            # What has come already is asked for again, so room may be made for the end.
            if self._question.parts.full():
                self._question.parts.get_nowait()
            self._question.parts.put_nowait(None)

    async def _weigh(self, question: _Question, *, since: datetime | None, whole: bool) -> Comparison:
        found, chunk, ended, living = Comparison(), list[Execution](), False, set[str]()
        threshold = since - OVERLAP if since else None

        def matters(status: Execution) -> bool:
            is_new = threshold is None or status.time is None or status.time > threshold
            return whole or is_new or self._is_open(order_id_of(status.cl_ord_id))

        while not ended:
            async with asyncio.timeout(ANSWER_SECONDS):
                part = await question.parts.get()
            if part is None:
                return self._broken_off(question, found)
            ended = part.is_empty or (part.part is not None and part.part.is_last)
            if not part.is_empty and self._is_ours(part):
                living |= set() if part.status in ENDED else {order_id_of(part.cl_ord_id)}
                chunk += [part] if matters(part) else []
            if chunk and (ended or len(chunk) >= CHUNK):
                found, chunk = found.plus(await self._weigh_chunk(chunk)), []
        self.living = frozenset(living)
        return found

    @staticmethod
    def _broken_off(question: _Question, found: Comparison) -> Comparison:
        if not question.unsupported:
            raise VenueUnreachable("the session fell while the exchange told about all orders")
        logger.warning("the venue does not tell about all orders; every open question is asked singly")
        return found

    async def _weigh_chunk(self, statuses: Sequence[Execution]) -> Comparison:
        rows = await self._journal.find({order_id_of(status.cl_ord_id) for status in statuses})
        recovered, breaks = 0, list[Break]()
        for status in statuses:
            row = rows.get(order_id_of(status.cl_ord_id))
            if row is None:
                # Not ours to report: nobody here has ever heard of such an order.
                breaks.append(
                    self._break(NO_JOURNAL, status, "the exchange has an order that the journal does not know")
                )
                continue
            if row.verdict is not None:
                detail = f"the exchange has an order that was reported as {row.verdict.value}"
                breaks.append(self._break(NEVER_SENT, status, detail))
            recovered += await self._hear(status)
        if breaks:
            await self._journal.record_breaks(breaks)
            logger.error("breaks found", breaks=len(breaks), first=breaks[0].detail, order_id=breaks[0].order_id)
        return Comparison(len(statuses), recovered, tuple(breaks))

    def _break(self, kind: str, status: Execution, detail: str) -> Break:
        order_id = order_id_of(status.cl_ord_id)
        about = f"{detail} ({status.exchange_order_id or status.cl_ord_id}, status {status.status.value})"
        return Break(f"{kind}:{status.exchange_order_id or order_id}", order_id, kind, about, self._now())
