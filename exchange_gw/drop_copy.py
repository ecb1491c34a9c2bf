"""Executions that were missed: asks the venue for its drop copy since a time, and tells what was not told before."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from exchange_gw.command import order_id_of
from exchange_gw.conversation import Conversation
from exchange_gw.exchange import Execution, TradePart, Unsupported, VenueUnreachable
from exchange_gw.journal import Row
from exchange_gw.ports import Break
from exchange_gw.recovery import NEVER_SENT, NO_JOURNAL, WITHOUT_ORDER, Comparison
from runtime import logs

# The venue's clock orders executions only roughly; after a logon nobody knows what the other side was busy with.
OVERLAP, WIDE_OVERLAP = timedelta(seconds=5), timedelta(seconds=60)
# How far back an operator's question goes; what is older has been asked for since, again and again.
LOOK_BACK = timedelta(hours=1)
ANSWER_SECONDS = 10.0
CHUNK = 500
WAITING_PARTS = 5_000
_EVER = datetime(1970, 1, 1, tzinfo=UTC)

logger = logs.get_logger("exchange_gw.drop_copy")


class _Question:
    """One question about executions, and its answer as it comes; None breaks it off."""

    def __init__(self) -> None:
        self.request_id = f"trades-{uuid4().hex[:12]}"
        self.parts: asyncio.Queue[TradePart | None] = asyncio.Queue(WAITING_PARTS)


class DropCopy:
    """The drop copy as one session hears it. `hear` takes an execution in and returns whether it told something.

    `is_supported` is False from when the venue says that it has none until the next logon.
    """

    def __init__(self, conversation: Conversation, hear: Callable[[Execution], Awaitable[bool]]) -> None:
        self.is_supported = True
        self._talk, self._hear = conversation, hear
        self._question: _Question | None = None
        self._one_at_a_time = asyncio.Lock()

    async def read(self, *, since: datetime | None, overlap: timedelta = OVERLAP) -> Comparison:
        """Read what was executed since a time (None: ever) and tell what is new; return that and what does not fit.

        Then everything up to what was known when the question was asked has been told, and so `read_until` moves there.
        A venue without a drop copy, or one that does not answer, leaves it where it is. Raises VenueUnreachable when the
        session falls, and Unavailable when the journal is away.
        """
        talk = self._talk
        async with self._one_at_a_time:
            if not self.is_supported:
                return Comparison()
            question = self._question = _Question()
            begin = _EVER if since is None else since - overlap
            latest = talk.latest_time
            try:
                await talk.session.ask_trades(question.request_id, since=begin)
                found, newest = await self._weigh(question)
            except TimeoutError:
                logger.warning("the venue does not answer a question about executions")
                return Comparison()
            finally:
                self._question = None
                # Whoever hears the venue may wait for room in it, and nobody reads it any more.
                while not question.parts.empty():
                    question.parts.get_nowait()
            if found is None:
                return Comparison()
            # Whatever was executed before the question is in the answer.
            talk.read_until = _later(_later(talk.read_until, latest), newest)
            return found

    async def take(self, part: TradePart) -> bool:
        """Take a part of an answer; return whether it belongs to the question that is being asked."""
        question = self._question
        if question is None or part.request_id != question.request_id:
            return False
        await question.parts.put(part)
        return True

    def refuse(self, event: Unsupported) -> bool:
        """Note that the venue does not take such questions at all; return whether the event is about one."""
        if event.message_type != "AD":
            return False
        self.stop_asking(event.text)
        self.break_off()
        return True

    def break_off(self) -> None:
        """Note that the rest of an answer will not come."""
        if self._question is not None:
            # What has come already is asked for again, so room may be made for the end.
            if self._question.parts.full():
                self._question.parts.get_nowait()
            self._question.parts.put_nowait(None)

    def stop_asking(self, why: str) -> None:
        """Do without until the next logon; what is heard is counted from now on, so that a shortfall shows at least."""
        self._talk.count_fills()
        if self.is_supported:
            logger.warning("the venue has no drop copy; what it does not report is not found out", text=why)
        self.is_supported = False

    async def _weigh(self, question: _Question) -> tuple[Comparison | None, datetime | None]:
        """Take the answer in; return what it told (None: it is no answer) and the time of its newest execution."""
        found, newest, ended, chunk = Comparison(), None, False, list[Execution]()
        while not ended:
            async with asyncio.timeout(ANSWER_SECONDS):
                part = await question.parts.get()
            if part is None and self.is_supported:
                raise VenueUnreachable("the session fell while the exchange told of executions")
            if part is None or part.refusal:
                self._refused(part)
                return None, None
            ended, trade = part.is_last, part.trade
            if trade is not None:
                newest = _later(newest, trade.time)
                chunk += [trade] if self._is_news(trade) else []
            if chunk and (ended or len(chunk) >= CHUNK):
                found, chunk = found.plus(await self._weigh_chunk(chunk)), []
        return found, newest

    def _refused(self, part: TradePart | None) -> None:
        if part is not None and part.is_unsupported:
            self.stop_asking(part.refusal)
        elif part is not None:
            logger.warning("the venue refused a question about executions", text=part.refusal)

    def _is_news(self, trade: Execution) -> bool:
        return not self._talk.has_told(trade.exec_id) and (self._talk.is_ours(trade) or not trade.account_id)

    async def _weigh_chunk(self, trades: Sequence[Execution]) -> Comparison:
        rows = await self._talk.journal.find({order_id_of(trade.cl_ord_id) for trade in trades})
        told, breaks = 0, list[Break]()
        for trade in trades:
            row = rows.get(order_id_of(trade.cl_ord_id))
            found = self._what_does_not_fit(trade, row)
            if found is not None:
                breaks.append(found)
            if row is not None:
                self._talk.remember(row.command)
                told += await self._hear(trade)
        if breaks:
            await self._talk.journal.record_breaks(breaks)
            logger.error("breaks found", breaks=len(breaks), first=breaks[0].detail, order_id=breaks[0].order_id)
        if told:
            logger.warning("executions that were missed", lane=self._talk.group, executions=told)
        return Comparison(0, told, tuple(breaks))

    def _what_does_not_fit(self, trade: Execution, row: Row | None) -> Break | None:
        order_id, now = order_id_of(trade.cl_ord_id), self._talk.now()
        about = f"execution {trade.exec_id} of {trade.exchange_order_id or trade.cl_ord_id}"
        if not order_id:
            detail = f"{about} names no order of ours"
            return Break(f"{WITHOUT_ORDER}:{trade.exec_id}", "", WITHOUT_ORDER, detail, now)
        if row is None:
            detail = f"{about} is of an order that the journal does not know"
            return Break(f"{NO_JOURNAL}:{trade.exchange_order_id or order_id}", order_id, NO_JOURNAL, detail, now)
        if row.verdict is not None:
            detail = f"{about} is of an order that was reported as {row.verdict.value}"
            return Break(f"{NEVER_SENT}:{trade.exchange_order_id or order_id}", order_id, NEVER_SENT, detail, now)
        return None


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    times = [time for time in (one, other) if time is not None]
    return max(times, default=None)
