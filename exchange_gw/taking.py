"""Commands of one lane, taken: noted and decided in the journal first, then handed to the session or answered."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from msgspec import Struct

from exchange_gw.command import Asks, Command
from exchange_gw.conversation import Conversation
from exchange_gw.insistence import surely
from exchange_gw.journal import LOOK_AGAIN, Deed, Plan, Row, Standpoint, deed_for, new_row, plan_for, waves
from exchange_gw.ports import Note
from exchange_gw.report import Verdict, verdict_report
from runtime.crash_points import reach

# The number of no session.
NEVER = -1


class Later(Struct, frozen=True):
    """A command cannot be carried out yet: look at it again at a time, or when the lane has news."""

    until: datetime | None


class Taking:
    """Takes commands. `question` asks the venue about the order of one; `news` is set when those that wait may have their turn."""

    def __init__(
        self, conversation: Conversation, question: Callable[[Command], Awaitable[None]], news: asyncio.Event
    ) -> None:
        self._talk, self._question, self._news = conversation, question, news
        self._verdicts_told = False

    async def take(self, commands: Sequence[Command]) -> list[Later | None]:
        """Carry out commands; return for each None when it is done with, or when to look at it again.

        Raises Unavailable when the database is away: then none of them is done with, and all may be given again.
        """
        outcomes: list[Later | None] = [None] * len(commands)
        for wave in waves(commands):
            taken = await self._take_wave([commands[index] for index in wave])
            for index, outcome in zip(wave, taken, strict=True):
                outcomes[index] = outcome
        if self._verdicts_told:
            # Before the commands are done with: a verdict is ours alone, the venue cannot tell it again.
            self._verdicts_told = False
            await self._talk.reports.until_told()
        return outcomes

    async def _take_wave(self, commands: Sequence[Command]) -> list[Later | None]:
        """Carry out commands of different orders: note, decide, then act."""
        talk, here, batch = self._talk, self._talk.standpoint(), self._talk.new_id()
        planned = [(command, self._plan(command, here)) for command in commands]
        to_send = [command for command, plan in planned if here.is_open and _may_be_sent(command, plan)]
        rows = [
            new_row(command, plan, here, claim=batch) for command, plan in planned if plan in (Plan.CLAIM, Plan.BURY)
        ]
        known = await talk.journal.find([command.order_id for command, plan in planned if plan is Plan.LOOK])
        if to_send or rows:
            changes = tuple(command for command in to_send if command.asks is not Asks.SUBMIT)
            note = Note(batch, tuple(row.order_id for row in rows), changes)
            talk.unanswered.begin(batch)
            # From here on nothing is given back: a row may be written although nobody could say so.
            try:
                older = await surely(lambda: talk.journal.decide(note, talk.group, rows))
            except BaseException:
                talk.unanswered.abandon(batch)
                raise
            known |= {row.order_id: row for row in rows} | older
        decided = talk.moment()
        outcomes: list[Later | None] = []
        try:
            for command, plan in planned:
                if plan is None or plan is Plan.WAIT:
                    outcomes.append(Later(command.submit_by) if plan else None)
                    continue
                row = known.get(command.order_id)
                inserted = row is not None and row.claim == batch
                allowed = talk.trading.permission.allows(command)
                deed = deed_for(command, row, here, plan=plan, inserted=inserted, allowed=allowed)
                outcomes.append(await self._carry_out(command, row, plan, deed, batch=batch, decided=decided))
        finally:
            if to_send or rows:
                # After a failure rows lie there that say SEND and were not sent: somebody has to watch over them, too.
                for command, plan in planned[len(outcomes) :]:
                    if plan is Plan.CLAIM:
                        self._hold(command, known.get(command.order_id), batch)
                talk.unanswered.complete(batch)
        return outcomes

    def _hold(self, command: Command, row: Row | None, batch: str) -> None:
        """Watch over an order that is to be sent and was not: the venue is asked about it, and then it is sent or ended."""
        if row is not None and row.verdict is None and row.claim == batch:
            unanswered = self._talk.unanswered
            unanswered.add(command, logon=NEVER, batch=batch, now=self._talk.monotonic())

    def _plan(self, command: Command, here: Standpoint) -> Plan | None:
        """Return what the command needs from the journal; None when it is under way already."""
        talk = self._talk
        under_way = talk.unanswered.get(command.cl_ord_id)
        if under_way is not None:
            if command.asks is Asks.QUERY:
                under_way.next_question = talk.monotonic()
            return None
        sent = bool(talk.unanswered.of_order(command.order_id))
        return plan_for(command, here, allowed=talk.trading.permission.allows(command), sent=sent)

    async def _carry_out(
        self, command: Command, row: Row | None, plan: Plan, deed: Deed, *, batch: str, decided: datetime
    ) -> Later | None:
        talk = self._talk
        talk.remember(command)
        match deed:
            case Deed.WAIT:
                return Later(talk.now() + LOOK_AGAIN if plan is Plan.LOOK and row is None else None)
            case Deed.SEND:
                reach("K9")
                await self._send(command, row, batch=batch, decided=decided)
            case Deed.ASK:
                await self._question(command)
            case Deed.TELL if row is not None and row.verdict is not None:
                await self._tell_verdict(command.order_id, row.verdict)
                # A SUBMIT that waits for the lane to open need not wait any longer.
                self._news.set()
        return None

    async def _send(self, command: Command, row: Row | None, *, batch: str, decided: datetime) -> None:
        """Send a request, unless it is a submission and the database took so long that it may not be sent any more."""
        talk, is_submission = self._talk, command.asks is Asks.SUBMIT
        if command.is_late(talk.now()):
            since, late = row.logon if row is not None else talk.logon, Verdict.EXPIRED_UNSENT
            if await surely(lambda: talk.journal.give_up(command.order_id, late, since=since)):
                await self._tell_verdict(command.order_id, late)
        elif is_submission and not talk.trading.permission.allows(command):
            self._hold(command, row, batch)
        else:
            await talk.send(command, batch=batch, intent_time=decided)

    async def _tell_verdict(self, order_id: str, verdict: Verdict) -> None:
        await self._talk.tell(verdict_report(order_id, verdict, self._talk.now()))
        self._verdicts_told = True


def _may_be_sent(command: Command, plan: Plan | None) -> bool:
    if plan is None or plan is Plan.WAIT or command.asks is Asks.QUERY:
        return False
    return command.asks is not Asks.SUBMIT or plan is Plan.CLAIM
