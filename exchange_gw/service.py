"""The use cases of an order lane: take commands, hear the venue, look orders up, compare the books.

A lane is one partition group of orders and one session with the venue; the session is the fence between gateways.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import NoReturn

from msgspec import Struct

from exchange_gw.command import Asks, Command
from exchange_gw.conversation import Conversation, new_id
from exchange_gw.exchange import (
    ChangeRefused,
    Execution,
    LoggedOn,
    LoggedOut,
    OrderEvent,
    Standing,
    Unsupported,
    VenueUnreachable,
)
from exchange_gw.hearing import Hearing
from exchange_gw.insistence import surely
from exchange_gw.journal import LOOK_AGAIN, Deed, Plan, Row, Standpoint, deed_for, new_row, plan_for, waves
from exchange_gw.look_up import LookUps
from exchange_gw.notes import Notes
from exchange_gw.recovery import Comparison, Recovery
from exchange_gw.report import Verdict, verdict_report
from exchange_gw.watch import Watch
from runtime import logs
from runtime.errors import Unavailable

# Questions that wait for a session; who asked asks again some time.
MOST_QUESTIONS = 10_000

logger = logs.get_logger("exchange_gw.service")


class Later(Struct, frozen=True):
    """A command cannot be carried out yet: look at it again at a time, or when the lane has news."""

    until: datetime | None


class Lane:
    """One lane. `news` is set whenever commands that had to wait may have their turn."""

    def __init__(self, conversation: Conversation, session_name: str) -> None:
        self.news = asyncio.Event()
        self._talk, self._session_name = conversation, session_name
        self._notes = Notes(conversation)
        self._hearing = Hearing(conversation, self._notes)
        self.watch = Watch(conversation, self._notes, session_name)
        self._recovery = Recovery(
            conversation.session, conversation.journal, self._hearing.execution, conversation.is_ours, conversation.now
        )
        self._logged_on = asyncio.Event()
        # Of the session that stands, or stood last.
        self._over = asyncio.Event()
        self._verdicts_told = False
        self._questions: dict[str, Command] = {}
        self._look_ups = LookUps(conversation)
        conversation.trading.on_change(self.news.set)

    @property
    def is_wanted(self) -> bool:
        """Tell whether this gateway is to take the lane's commands: not if another one has the session."""
        return self._talk.session.standing is not Standing.REFUSED

    @property
    def is_open(self) -> bool:
        """Tell whether orders may be sent."""
        return self._talk.is_open

    @property
    def unanswered(self) -> int:
        """Return how many requests have no answer yet."""
        return len(self._talk.unanswered)

    async def take_up(self) -> None:
        """Take up what was left unanswered when the gateway last stopped; before any command is taken. Raises Unavailable."""
        await self._notes.take_up()

    async def run(self) -> NoReturn:
        """Open the lane after every logon and watch over it, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.watch.run(), name="watch")
            while True:
                await self._logged_on.wait()
                over = self._over
                try:
                    await self._open(over)
                except Unavailable as error:
                    logger.warning("lane stays closed", lane=self._talk.group, error=repr(error))
                    if not over.is_set():
                        self._talk.session.hang_up()
                await over.wait()

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

    async def hear(self, events: Sequence[OrderEvent]) -> None:
        """Take in what the session heard."""
        for event in events:
            try:
                await self._hear(event)
            except Unavailable as error:
                # Only a look into the journal fails here; what it was about is asked again.
                logger.warning("not taken in", error=repr(error))

    async def look_up(self, order_id: str) -> tuple[Execution, Row | None]:
        """Ask the venue how an order stands; return that and our row. Raises VenueUnreachable and VenueOrderUnknown."""
        return await self._look_ups.ask(order_id)

    async def compare(self) -> Comparison:
        """Compare all of the venue's orders with the journal. Raises VenueUnreachable."""
        if not self._talk.is_open:
            raise VenueUnreachable("the session with the exchange does not stand", retry_after_seconds=1.0)
        return await self._recovery.compare(since=self._talk.latest_time, is_open=self._is_in_question, whole=True)

    async def _take_wave(self, commands: Sequence[Command]) -> list[Later | None]:
        """Carry out commands of different orders: note, decide, then act."""
        talk, here, batch = self._talk, self._talk.standpoint(), new_id()
        planned = [(command, self._plan(command, here)) for command in commands]
        to_send = [command for command, plan in planned if here.is_open and _may_be_sent(command, plan)]
        rows = [
            new_row(command, plan, here, claim=batch) for command, plan in planned if plan in (Plan.CLAIM, Plan.BURY)
        ]
        known = await talk.journal.find([command.order_id for command, plan in planned if plan is Plan.LOOK])
        if to_send:
            # Before the rows, so that a row of which nothing is noted is one that was answered.
            await self._note(batch, to_send)
        if rows:
            # From here on nothing is given back: a row may be written although nobody could say so.
            older = await surely(lambda: talk.journal.insert(rows))
            known |= {row.order_id: row for row in rows} | older
        outcomes: list[Later | None] = []
        for command, plan in planned:
            if plan is None or plan is Plan.WAIT:
                outcomes.append(Later(command.submit_by) if plan else None)
                continue
            row = known.get(command.order_id)
            inserted = row is not None and row.claim == batch
            allowed = talk.trading.permission.allows(command)
            deed = deed_for(command, row, here, plan=plan, inserted=inserted, allowed=allowed)
            outcomes.append(await self._carry_out(command, row, plan, deed, batch=batch))
        if to_send:
            # Not after a failure: then a row may lie there unsent, and the note is all that tells the next start of it.
            talk.unanswered.complete(batch)
        return outcomes

    async def _note(self, batch: str, commands: Sequence[Command]) -> None:
        unanswered = self._talk.unanswered
        unanswered.begin(batch)
        try:
            await self._talk.journal.note(batch, self._talk.group, commands)
        except Unavailable:
            # Whether it was noted is unknown, but nothing was sent; it may be dropped.
            unanswered.complete(batch)
            raise

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
        self, command: Command, row: Row | None, plan: Plan, deed: Deed, *, batch: str
    ) -> Later | None:
        talk = self._talk
        talk.remember(command)
        match deed:
            case Deed.WAIT:
                return Later(talk.now() + LOOK_AGAIN if plan is Plan.LOOK and row is None else None)
            case Deed.SEND if command.is_late(talk.now()):
                # The database took its time; the row says SEND, so it has to be told why it is not done.
                await surely(lambda: talk.journal.give_up(command.order_id, Verdict.EXPIRED_UNSENT))
                await self._tell_verdict(command.order_id, Verdict.EXPIRED_UNSENT)
            case Deed.SEND:
                await talk.send(command, batch=batch)
            case Deed.ASK if talk.is_open:
                await talk.ask(command)
            case Deed.ASK:
                if len(self._questions) < MOST_QUESTIONS:
                    self._questions[command.order_id] = command
            case Deed.TELL if row is not None and row.verdict is not None:
                await self._tell_verdict(command.order_id, row.verdict)
                # A SUBMIT that waits for the lane to open need not wait any longer.
                self.news.set()
        return None

    async def _tell_verdict(self, order_id: str, verdict: Verdict) -> None:
        await self._talk.tell(verdict_report(order_id, verdict, self._talk.now()))
        self._verdicts_told = True

    async def _hear(self, event: OrderEvent) -> None:
        match event:
            case Execution():
                await self._hear_execution(event)
            case ChangeRefused():
                await self._hearing.change_refused(event)
            case Unsupported():
                if not self._recovery.refuse(event):
                    await self._hearing.unsupported(event)
            case LoggedOn():
                self._over = asyncio.Event()
                self._logged_on.set()
            case LoggedOut():
                await self._close()

    async def _hear_execution(self, execution: Execution) -> None:
        if await self._recovery.take(execution):
            return
        self._look_ups.hear(execution)
        await self._hearing.execution(execution)

    async def _open(self, over: asyncio.Event) -> None:
        """Let the venue tell how its orders stand, then let commands through."""
        talk = self._talk
        logon = await talk.journal.next_logon(self._session_name, at_least=int(talk.now().timestamp() * 1000))
        talk.logon = logon
        # Another gateway may have had the session meanwhile.
        await self.watch.forget()
        await self._notes.let_go()
        await self._notes.take_up()
        since = talk.latest_time or await talk.journal.heard_until(self._session_name)
        found = await self._recovery.compare(since=since, is_open=self._is_in_question)
        if over.is_set():
            return
        talk.is_open = True
        logger.info("lane open", lane=talk.group, logon=logon, compared=found.compared, unanswered=self.unanswered)
        talk.unanswered.ask_all_now(talk.monotonic())
        questions, self._questions = self._questions, {}
        for command in questions.values():
            await talk.ask(command)
        self.news.set()

    async def _close(self) -> None:
        talk = self._talk
        talk.is_open = False
        self._logged_on.clear()
        self._over.set()
        self._recovery.break_off()
        await self.watch.tell_uncertain(talk.unanswered.all_to_tell())
        self.news.set()

    def _is_in_question(self, order_id: str) -> bool:
        return bool(self._talk.unanswered.of_order(order_id)) or order_id in self._questions


def _may_be_sent(command: Command, plan: Plan | None) -> bool:
    if plan is None or plan is Plan.WAIT or command.asks is Asks.QUERY:
        return False
    return command.asks is not Asks.SUBMIT or plan is Plan.CLAIM
