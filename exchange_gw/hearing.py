"""What the venue says, taken in: each answer settles the requests that it answers and becomes facts."""

import asyncio
from collections.abc import Collection
from datetime import timedelta

from msgspec import structs

from exchange_gw import answers
from exchange_gw.command import Asks, order_id_of
from exchange_gw.conversation import Conversation
from exchange_gw.exchange import (
    DUPLICATE_ORDER,
    ENDED,
    UNKNOWN_ORDER,
    ChangeRefused,
    ExecType,
    Execution,
    OrdStatus,
    Unsupported,
)
from exchange_gw.notes import Notes
from exchange_gw.ports import Break
from exchange_gw.recovery import NO_JOURNAL, WITHOUT_ORDER
from exchange_gw.report import Kind, Report
from exchange_gw.unanswered import Open, answered_by
from runtime import logs
from runtime.crash_points import reach
from runtime.errors import Unavailable

VENUE_FORGOT = "ORDER_UNKNOWN_AT_VENUE"
UNHANDLED = "UNHANDLED_REPORT"
WITHOUT_ID = "EXECUTION_WITHOUT_ID"
_CHANGES = frozenset({ExecType.BUST, ExecType.CORRECTION})
_EXECUTIONS = _CHANGES | {ExecType.FILL}
ACQUAINT_SECONDS = 1.0
# By how much the times of the venue's reports may run against one another.
ROUGHNESS = timedelta(seconds=2)
MOST_TO_READ_AGAIN = timedelta(hours=1)

logger = logs.get_logger("exchange_gw.hearing")


class Hearing:
    """Takes in what the venue says about single orders."""

    def __init__(self, conversation: Conversation, notes: Notes) -> None:
        self._talk, self._notes = conversation, notes

    async def acquaint(self, executions: Collection[Execution]) -> frozenset[str]:
        """Learn from the journal whose orders are spoken of, and return those that it does not know.

        While the journal is away all count as known: a fact without its client's key is better than none.
        """
        ids = {order_id_of(one.cl_ord_id) for one in executions if one.cl_ord_id and not one.is_unknown}
        strange = {order_id for order_id in ids if not self._talk.knows(order_id)}
        if not strange:
            return frozenset()
        try:
            async with asyncio.timeout(ACQUAINT_SECONDS):
                rows = await self._talk.journal.find(strange)
        except (Unavailable, TimeoutError) as error:
            logger.warning("journal not asked about orders", orders=len(strange), error=repr(error))
            return frozenset()
        for row in rows.values():
            self._talk.remember(row.command)
        return frozenset(strange - rows.keys())

    async def stranger(self, execution: Execution) -> None:
        """Take in a report about an order that the journal does not know: nobody here could make anything of a fact about it."""
        order_id = order_id_of(execution.cl_ord_id)
        about = f"{execution.exec_type.value} of {execution.exchange_order_id or execution.cl_ord_id}"
        await self._break(
            f"{NO_JOURNAL}:{execution.exchange_order_id or order_id}", order_id, NO_JOURNAL,
            f"the exchange reports an order that the journal does not know: {about}",
        )  # fmt: skip

    async def execution(self, execution: Execution) -> bool:
        """Take in a report or a status; return whether it told something that was not known to be heard before."""
        talk = self._talk
        order_id = order_id_of(execution.cl_ord_id)
        entries = talk.unanswered.of_order(order_id)
        if execution.is_unknown:
            await self._unknown(order_id)
            return False
        if execution.exec_type is ExecType.REJECTED and execution.refusal == DUPLICATE_ORDER:
            # The venue has it already; what became of it, it will tell when asked.
            _ask_now(entries, talk.monotonic())
            return False
        cancel_asked = any(entry.command.asks is Asks.CANCEL for entry in entries)
        facts = answers.facts_of(execution, talk.now(), cancel_asked=cancel_asked)
        await self._record_what_is_odd(execution)
        if not facts:
            return False
        settled = answered_by(entries, execution.cl_ord_id, ended=execution.status in ENDED)
        command_id = next((entry.command.command_id for entry in settled if entry.command.asks is Asks.REPLACE), "")
        for entry in settled:
            talk.unanswered.settle(entry)
        if execution.exec_type is ExecType.STATUS and execution.status not in ENDED:
            _mark_unmade(talk.unanswered.of_order(order_id), execution.status)
        reach("K11")
        is_news = bool(settled) or (bool(execution.exec_id) and facts[0].kind in answers.WITH_SHARES)
        for fact in facts:
            await talk.tell(_with_command(fact, command_id))
        return self._keep_time(execution) or is_news

    def _keep_time(self, execution: Execution) -> bool:
        """Keep the latest time that the venue has told of; return whether it is later than all before."""
        talk, time = self._talk, execution.time
        if time is None:
            return False
        is_live = execution.exec_type is not ExecType.STATUS and execution.status is not OrdStatus.UNKNOWN
        if is_live and talk.read_until is not None and time + ROUGHNESS < talk.read_until:
            # It came late, or a clock was set back: what else happened then has to be read again, within reason.
            talk.read_until = max(time + ROUGHNESS, talk.read_until - MOST_TO_READ_AGAIN)
        if talk.latest_time is None or time > talk.latest_time:
            talk.latest_time = time
            return True
        return False

    async def _record_what_is_odd(self, execution: Execution) -> None:
        """Record what cannot become the fact that it should be."""
        order_id, kind, what = order_id_of(execution.cl_ord_id), execution.exec_type, execution.exec_id
        if execution.is_empty:
            return
        if not execution.cl_ord_id and kind is not ExecType.STATUS:
            name = f"{execution.exchange_order_id}:{what}"
            await self._break(
                f"{WITHOUT_ORDER}:{name}", "", WITHOUT_ORDER, f"{kind.value} {name} names no order of ours"
            )
        elif kind is ExecType.OTHER:
            detail = f"report {what} of a kind that the gateway does not know, order status {execution.status.value}"
            await self._break(f"{UNHANDLED}:{order_id}:{what}", order_id, UNHANDLED, detail)
        elif kind in _EXECUTIONS and not what:
            detail = f"{kind.value} of {execution.last_quantity} shares without an id: two of them look the same"
            name = f"{order_id}:{execution.cumulative_quantity}:{execution.last_quantity}"
            await self._break(f"{WITHOUT_ID}:{name}", order_id, WITHOUT_ID, detail)
        elif kind in _CHANGES and not execution.exec_ref_id:
            detail = f"{kind.value} {what} does not say which execution it takes back"
            await self._break(f"{WITHOUT_ID}:{order_id}:{what}", order_id, WITHOUT_ID, detail)

    async def _break(self, break_id: str, order_id: str, kind: str, detail: str) -> None:
        logger.error("does not fit", kind=kind, order_id=order_id, detail=detail)
        await self._talk.journal.record_breaks([Break(break_id, order_id, kind, detail, self._talk.now())])

    async def change_refused(self, refused: ChangeRefused) -> None:
        """Take in that a cancel or a replace was refused."""
        talk = self._talk
        entry = talk.unanswered.get(refused.cl_ord_id)
        fact = answers.fact_of_refused_change(refused, entry.command.command_id if entry else "", talk.now())
        order_id = order_id_of(refused.cl_ord_id)
        entries = talk.unanswered.of_order(order_id)
        if refused.refusal == UNKNOWN_ORDER and any(other.command.asks is Asks.SUBMIT for other in entries):
            # Nobody knows yet whether the venue got the order; if it did not, the cancel is what keeps it from being sent.
            fact = None
        if fact is None:
            _ask_now(entries, talk.monotonic())
            return
        if entry is not None:
            talk.unanswered.settle(entry)
        await talk.tell(fact)
        if refused.refusal == UNKNOWN_ORDER and entry is not None:
            await talk.ask(entry.command)

    async def unsupported(self, event: Unsupported) -> bool:
        """Take in that the venue could not take a message of ours; return whether that says anything of an order."""
        talk = self._talk
        entry = talk.unanswered.get(event.name)
        fact = answers.fact_of_unsupported(event, entry.command if entry else None, talk.now())
        logger.error(
            "the venue refused a message", kind=event.message_type, name=event.name, code=event.code, text=event.text
        )
        if fact is None:
            return False
        if entry is not None:
            talk.unanswered.settle(entry)
        await talk.tell(fact)
        return True

    async def _unknown(self, order_id: str) -> None:
        talk = self._talk
        if await self._notes.is_in_question(order_id):
            talk.unanswered.hear_unknown(order_id, logon=talk.logon, now=talk.monotonic())
            return
        rows = await talk.journal.find([order_id])
        row = rows.get(order_id)
        if row is not None and row.verdict is None:
            # It was answered once and is not known any more. That proves nothing, and least of all that it may be sent again.
            detail = "the exchange answered for this order once and does not know it any more"
            await self._break(f"{VENUE_FORGOT}:{order_id}", order_id, VENUE_FORGOT, detail)


def _ask_now(entries: tuple[Open, ...], now: float) -> None:
    for entry in entries:
        entry.next_question = now


def _mark_unmade(entries: tuple[Open, ...], status: OrdStatus) -> None:
    """Note which changes the venue has not made and is not making, though it was asked after they were sent."""
    making = {OrdStatus.PENDING_CANCEL: Asks.CANCEL, OrdStatus.PENDING_REPLACE: Asks.REPLACE}.get(status)
    for entry in entries:
        entry.unmade = entry.questions > 0 and entry.command.asks is not making


def _with_command(fact: Report, command_id: str) -> Report:
    return structs.replace(fact, command_id=command_id) if fact.kind is Kind.REPLACED else fact
