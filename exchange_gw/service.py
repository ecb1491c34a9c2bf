"""The use cases of an order lane: take commands, hear the venue, look orders up, compare the books.

A lane is one partition group of orders and one session with the venue; the session is the fence between gateways.
"""

import asyncio
from collections.abc import Sequence
from typing import NoReturn

from exchange_gw.command import Asks, Command, order_id_of
from exchange_gw.conversation import Conversation
from exchange_gw.drop_copy import DropCopy
from exchange_gw.exchange import (
    ChangeRefused,
    Execution,
    LoggedOn,
    LoggedOut,
    OrderEvent,
    TradePart,
    Unsupported,
    VenueUnreachable,
)
from exchange_gw.hearing import Hearing
from exchange_gw.journal import Row
from exchange_gw.look_up import LookUps
from exchange_gw.notes import Notes
from exchange_gw.order_check import OrderChecks
from exchange_gw.presence import Presence
from exchange_gw.recovery import Comparison, Recovery
from exchange_gw.rounds import Rhythm, Rounds
from exchange_gw.taking import Later, Taking
from exchange_gw.watch import Watch
from runtime import logs
from runtime.errors import Unavailable

# Questions that wait for a session; who asked asks again some time.
MOST_QUESTIONS = 10_000
RHYTHM = Rhythm()

logger = logs.get_logger("exchange_gw.service")


class Lane:
    """One lane. `news` is set whenever commands that had to wait may have their turn."""

    def __init__(self, conversation: Conversation, session_name: str, rhythm: Rhythm = RHYTHM) -> None:
        self.news = asyncio.Event()
        self._talk, self._session_name = conversation, session_name
        self._notes = Notes(conversation)
        self._hearing = Hearing(conversation, self._notes)
        self.watch = Watch(conversation, self._notes, session_name)
        self._recovery = Recovery(
            conversation.session,
            conversation.journal,
            hear=self._hearing.execution,
            is_ours=conversation.is_ours,
            is_open=self._is_in_question,
            now=conversation.now,
        )
        self._drop_copy = DropCopy(conversation, self._hearing.execution)
        self._checks = OrderChecks(conversation, self._drop_copy, self._hearing.execution)
        self._taking = Taking(conversation, self._question, self.news)
        self.rounds = Rounds(conversation, self._drop_copy, self._recovery, rhythm, session_name)
        self.presence = Presence(conversation, session_name)
        self._logged_on = asyncio.Event()
        # Of the session that stands, or stood last.
        self._over = asyncio.Event()
        self._questions: dict[str, Command] = {}
        self._look_ups = LookUps(conversation)
        conversation.trading.on_change(self.news.set)

    @property
    def is_wanted(self) -> bool:
        """Tell whether this gateway is to take the lane's commands: not if another one has the session."""
        return not self.presence.is_other_there

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
            group.create_task(self.rounds.run(), name="rounds")
            group.create_task(self.presence.run(), name="presence")
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
        """Carry out commands; return for each None when it is done with, or when to look at it again. Raises Unavailable."""
        return await self._taking.take(commands)

    async def hear(self, events: Sequence[OrderEvent]) -> None:
        """Take in what the session heard."""
        reports = [one for one in events if isinstance(one, Execution) and one.part is None]
        strangers = await self._hearing.acquaint(reports) if reports else frozenset()
        for event in events:
            try:
                if strangers and isinstance(event, Execution) and order_id_of(event.cl_ord_id) in strangers:
                    self._look_ups.hear(event)
                    await self._hearing.stranger(event)
                else:
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
        return await self.rounds.on_demand()

    async def _question(self, command: Command) -> None:
        """Ask about the order of a command; while the lane is closed, when it opens."""
        if not self._talk.is_open:
            if len(self._questions) < MOST_QUESTIONS:
                self._questions[command.order_id] = command
        elif command.asks is Asks.QUERY:
            await self._checks.begin(command)
        else:
            await self._talk.ask(command)

    async def _hear(self, event: OrderEvent) -> None:
        match event:
            case Execution():
                await self._hear_execution(event)
            case ChangeRefused():
                await self._hearing.change_refused(event)
            case TradePart():
                _ = await self._drop_copy.take(event) or await self._checks.take(event)
            case Unsupported():
                _ = (
                    self._recovery.refuse(event)
                    or self._drop_copy.refuse(event)
                    or await self._hearing.unsupported(event)
                )
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
        await self._checks.hear_status(execution)

    async def _open(self, over: asyncio.Event) -> None:
        """Let the venue tell how its orders stand, then let commands through."""
        talk = self._talk
        logon = await talk.journal.next_logon(self._session_name, at_least=int(talk.now().timestamp() * 1000))
        talk.logon = logon
        # Another gateway may have had the session meanwhile.
        await self.watch.forget()
        await self._notes.let_go()
        await self._notes.take_up()
        found = await self.rounds.open()
        if over.is_set():
            return
        talk.is_open = True
        logger.info("lane open", lane=talk.group, logon=logon, compared=found.compared, unanswered=self.unanswered)
        talk.unanswered.ask_all_now(talk.monotonic())
        questions, self._questions = self._questions, {}
        for command in questions.values():
            await self._question(command)
        self.news.set()

    async def _close(self) -> None:
        talk = self._talk
        talk.is_open = False
        self._logged_on.clear()
        self._over.set()
        self._recovery.break_off()
        self._drop_copy.break_off()
        self._checks.break_off()
        await self.watch.tell_uncertain(talk.unanswered.all_to_tell())
        self.news.set()

    def _is_in_question(self, order_id: str) -> bool:
        return bool(self._talk.unanswered.of_order(order_id)) or order_id in self._questions
