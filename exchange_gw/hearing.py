"""What the venue says, taken in: each answer settles the requests that it answers and becomes facts."""

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
from exchange_gw.report import Kind, Report
from exchange_gw.unanswered import Open, answered_by
from runtime import logs

VENUE_FORGOT = "ORDER_UNKNOWN_AT_VENUE"

logger = logs.get_logger("exchange_gw.hearing")


class Hearing:
    """Takes in what the venue says about single orders."""

    def __init__(self, conversation: Conversation, notes: Notes) -> None:
        self._talk, self._notes = conversation, notes

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
        if not facts:
            return False
        settled = answered_by(entries, execution.cl_ord_id, ended=execution.status in ENDED)
        command_id = next((entry.command.command_id for entry in settled if entry.command.asks is Asks.REPLACE), "")
        for entry in settled:
            talk.unanswered.settle(entry)
        if execution.exec_type is ExecType.STATUS and execution.status not in ENDED:
            _mark_unmade(talk.unanswered.of_order(order_id), execution.status)
        for fact in facts:
            await talk.tell(_with_command(fact, command_id))
        before = talk.latest_time
        if execution.time is not None and (before is None or execution.time > before):
            talk.latest_time = execution.time
            return True
        return bool(settled)

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

    async def unsupported(self, event: Unsupported) -> None:
        """Take in that the venue could not take a message of ours."""
        talk = self._talk
        entry = talk.unanswered.get(event.name)
        fact = answers.fact_of_unsupported(event, entry.command if entry else None, talk.now())
        logger.error(
            "the venue refused a message", kind=event.message_type, name=event.name, code=event.code, text=event.text
        )
        if fact is None:
            return
        if entry is not None:
            talk.unanswered.settle(entry)
        await talk.tell(fact)

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
            await talk.journal.record_breaks(
                [Break(f"{VENUE_FORGOT}:{order_id}", order_id, VENUE_FORGOT, detail, talk.now())]
            )
            logger.error("order unknown at the venue", order_id=order_id)


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
