"""Watches over what the venue has not answered: says so, asks again, and ends what is proven never to have arrived."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NoReturn

from exchange_gw.command import Asks
from exchange_gw.conversation import Conversation
from exchange_gw.exchange import VenueUnreachable
from exchange_gw.notes import Notes
from exchange_gw.report import Verdict, silence_report, verdict_report
from exchange_gw.unanswered import Open
from runtime import logs
from runtime.errors import Unavailable

BEAT_SECONDS = 0.25
LEAST_PAUSE_SECONDS = 0.02
BEATS_TO_FORGET = 8
BEATS_TO_MARK = 20
QUESTIONS_A_BEAT = 100
ANEW_SECONDS = 60.0

logger = logs.get_logger("exchange_gw.watch")


class Watch:
    """The clockwork of one lane."""

    def __init__(self, conversation: Conversation, notes: Notes, session_name: str) -> None:
        self._talk, self._notes, self._session_name = conversation, notes, session_name
        self._mark: tuple[int, datetime] | None = None
        self._saved: datetime | None = None
        self._anew_at = 0.0

    async def run(self) -> None:
        """Watch for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._run(), name="watch")
            group.create_task(self._listen_to_silence(), name="silence")

    async def _listen_to_silence(self) -> NoReturn:
        """Tell of submissions that the venue has said nothing about for a moment, for ever."""
        talk = self._talk
        pause = max(talk.unanswered.patience.submitted_after / 2, LEAST_PAUSE_SECONDS)
        while True:
            await asyncio.sleep(pause)
            await self.announce()

    async def announce(self) -> None:
        """Tell of submissions whose moment has passed."""
        talk, now = self._talk, self._talk.monotonic()
        while talk.silent and talk.silent[0][0] <= now:
            _, entry = talk.silent.popleft()
            if talk.unanswered.get(entry.cl_ord_id) is entry:
                await talk.announce(entry)

    async def _run(self) -> NoReturn:
        beats = 0
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            beats += 1
            try:
                await self.beat()
                if beats % BEATS_TO_FORGET == 0:
                    await self.forget()
                if beats % BEATS_TO_MARK == 0:
                    await self.keep_place()
                    await self.take_up()
            except Unavailable as error:
                logger.warning("watch delayed", error=repr(error))

    async def beat(self) -> None:
        """Say what has been silent for too long; ask and send again what is due."""
        talk = self._talk
        await self.announce()
        await self.tell_uncertain(talk.unanswered.to_tell(talk.monotonic()))
        if not talk.is_open:
            return
        for entry in talk.unanswered.absent(talk.monotonic()):
            await self._try(entry, self._end_absence)
        for entry in talk.unanswered.to_ask(talk.monotonic(), most=QUESTIONS_A_BEAT):
            await self._try(entry, self._ask_or_send_again)
        self._begin_anew()

    async def _try(self, entry: Open, deed: Callable[[Open], Awaitable[None]]) -> None:
        """Do something about one request. One that cannot even be written must not stop the watch over the others."""
        try:
            await deed(entry)
        except Unavailable:
            raise
        except Exception as error:
            logger.error("request failed", order_id=entry.command.order_id, exc_info=error)

    async def _ask_or_send_again(self, entry: Open) -> None:
        talk = self._talk
        if entry.unmade and talk.trading.permission.allows(entry.command):
            await self._send_again(entry)
        else:
            await talk.ask(entry.command)

    def _begin_anew(self) -> None:
        """End the session when only a new one can prove that the venue never got an order: rarely, as it stops the lane."""
        talk, now = self._talk, self._talk.monotonic()
        if now >= self._anew_at and talk.unanswered.needs_new_session(now):
            self._anew_at = now + ANEW_SECONDS
            logger.warning("session begun anew, the venue says it does not know an order", lane=talk.group)
            talk.session.hang_up()

    async def tell_uncertain(self, entries: list[Open]) -> None:
        """Say that nobody knows what became of some requests."""
        talk = self._talk
        for entry in entries:
            command = entry.command
            await talk.announce(entry)
            await talk.tell(
                silence_report(
                    command.order_id,
                    cl_ord_id=command.cl_ord_id,
                    command_id=command.command_id,
                    logon=entry.logon,
                    now=talk.now(),
                )
            )

    async def forget(self) -> None:
        """Drop the notes of what has been answered."""
        finished = self._talk.unanswered.finished_batches()
        if finished:
            await self._talk.journal.forget(self._talk.group, finished)
            self._talk.unanswered.forget(finished)

    async def take_up(self) -> None:
        """Look for what a gateway that had the session before has noted since, if the session is ours."""
        if self._talk.is_open:
            await self._notes.take_up()

    async def keep_place(self) -> None:
        """Keep the time up to which everything that the venue did has been heard and told."""
        talk = self._talk
        if self._mark is not None and talk.reports.is_told(self._mark[0]):
            time, self._mark = self._mark[1], None
            await talk.journal.save_heard_until(self._session_name, time)
            self._saved = time
        # Only a drop copy read to its end tells that nothing was left out before.
        heard = talk.read_until or talk.latest_time
        if self._mark is None and heard is not None and heard != self._saved:
            self._mark = talk.reports.mark(), heard

    async def _end_absence(self, entry: Open) -> None:
        """End the doubt about an order of which it is proven that the venue never got it: send it, or never."""
        talk, command = self._talk, entry.command
        requests = talk.unanswered.of_order(command.order_id)
        if any(other.command.asks is Asks.CANCEL for other in requests):
            verdict = Verdict.CANCELED_UNSENT
        elif command.is_late(talk.now()):
            verdict = Verdict.EXPIRED_UNSENT
        elif talk.trading.permission.allows(command):
            logon = talk.logon
            if not await talk.journal.send_again(command.order_id, since=entry.logon, logon=logon):
                await self._learn(entry)
            elif talk.is_open and talk.logon == logon:
                logger.warning("sent again, the venue never got it", order_id=command.order_id)
                await self._send_again(entry)
            return
        else:
            return
        if not await talk.journal.give_up(command.order_id, verdict, since=entry.logon):
            await self._learn(entry)
            return
        await self._end(entry, verdict)

    async def _learn(self, entry: Open) -> None:
        """Take over what another gateway has decided about an order while it had the session."""
        talk, order_id = self._talk, entry.command.order_id
        row = (await talk.journal.find([order_id])).get(order_id)
        logger.warning("another gateway has decided about an order", order_id=order_id)
        if row is not None and row.verdict is not None:
            await self._end(entry, row.verdict)
        else:
            # It has sent it again: what was proven is void.
            logon = row.logon if row is not None else talk.logon
            talk.unanswered.sent_again(entry, logon=logon, now=talk.monotonic())

    async def _end(self, entry: Open, verdict: Verdict) -> None:
        """Tell that an order never reaches the venue; nothing about it is open any more."""
        talk, command = self._talk, entry.command
        await talk.tell(verdict_report(command.order_id, verdict, talk.now()))
        # Before its note may be dropped: the venue cannot tell this fact again.
        await talk.reports.until_told()
        for other in talk.unanswered.of_order(command.order_id):
            talk.unanswered.settle(other)

    async def _send_again(self, entry: Open) -> None:
        talk = self._talk
        talk.unanswered.sent_again(entry, logon=talk.logon, now=talk.monotonic())
        try:
            await talk.session.send(entry.command, again=True)
        except VenueUnreachable:
            logger.info("session fell while sending again", order_id=entry.command.order_id)
