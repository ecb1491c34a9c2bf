"""Watches over what the venue has not answered: says so, asks again, and ends what is proven never to have arrived."""

import asyncio
from datetime import datetime

from exchange_gw.command import Asks
from exchange_gw.conversation import Conversation
from exchange_gw.exchange import VenueUnreachable
from exchange_gw.notes import Notes
from exchange_gw.report import Verdict, silence_report, verdict_report
from exchange_gw.unanswered import Open
from runtime import logs
from runtime.errors import Unavailable

BEAT_SECONDS = 0.25
BEATS_TO_FORGET = 4
BEATS_TO_MARK = 20
QUESTIONS_A_BEAT = 100

logger = logs.get_logger("exchange_gw.watch")


class Watch:
    """The clockwork of one lane."""

    def __init__(self, conversation: Conversation, notes: Notes, session_name: str) -> None:
        self._talk, self._notes, self._session_name = conversation, notes, session_name
        self._mark: tuple[int, datetime] | None = None
        self._saved: datetime | None = None

    async def run(self) -> None:
        """Watch for ever."""
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
        await self.tell_uncertain(talk.unanswered.to_tell(talk.monotonic()))
        if not talk.is_open:
            return
        for entry in talk.unanswered.absent(talk.monotonic()):
            await self._end_absence(entry)
        for entry in talk.unanswered.to_ask(talk.monotonic(), most=QUESTIONS_A_BEAT):
            if entry.unmade and talk.trading.permission.allows(entry.command):
                await self._send_again(entry)
            else:
                await talk.ask(entry.command)

    async def tell_uncertain(self, entries: list[Open]) -> None:
        """Say that nobody knows what became of some requests."""
        talk = self._talk
        for entry in entries:
            command = entry.command
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
            await self._talk.journal.forget(finished)
            self._talk.unanswered.forget(finished)

    async def take_up(self) -> None:
        """Look for what a gateway that had the session before has noted since, if the session is ours."""
        if self._talk.is_open:
            await self._notes.take_up()

    async def keep_place(self) -> None:
        """Keep the time up to which the venue's reports have been heard and told."""
        talk = self._talk
        if self._mark is not None and talk.reports.is_told(self._mark[0]):
            time, self._mark = self._mark[1], None
            await talk.journal.save_heard_until(self._session_name, time)
            self._saved = time
        if self._mark is None and talk.latest_time is not None and talk.latest_time != self._saved:
            self._mark = talk.reports.mark(), talk.latest_time

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
            await talk.journal.send_again(command.order_id, logon=logon)
            if talk.is_open and talk.logon == logon:
                logger.warning("sent again, the venue never got it", order_id=command.order_id)
                await self._send_again(entry)
            return
        else:
            return
        await talk.journal.give_up(command.order_id, verdict)
        await talk.tell(verdict_report(command.order_id, verdict, talk.now()))
        # Before its note may be dropped: the venue cannot tell this fact again.
        await talk.reports.until_told()
        for other in requests:
            talk.unanswered.settle(other)

    async def _send_again(self, entry: Open) -> None:
        talk = self._talk
        talk.unanswered.sent_again(entry, logon=talk.logon, now=talk.monotonic())
        try:
            await talk.session.send(entry.command, again=True)
        except VenueUnreachable:
            logger.info("session fell while sending again", order_id=entry.command.order_id)
