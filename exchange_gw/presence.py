"""Who has the session with the venue: a gateway that is refused must know another gateway from a venue that lets nobody in."""

import asyncio
from typing import NoReturn

from exchange_gw.conversation import Conversation
from exchange_gw.exchange import Standing
from runtime import logs
from runtime.errors import Unavailable

SIGN_SECONDS = 5.0
# Who has left no sign for so long is not there. Signs are compared with one another, so clocks do not matter.
ABSENT_SECONDS = 15.0

logger = logs.get_logger("exchange_gw.presence")


class Presence:
    """Signs of life of whoever has one session, kept in the journal's database."""

    def __init__(self, conversation: Conversation, session_name: str) -> None:
        self._talk, self._session_name = conversation, session_name
        self._me, self._count = conversation.new_id(), 0
        self._last_sign, self._changed_at = "", conversation.monotonic()

    @property
    def is_other_there(self) -> bool:
        """Tell whether another gateway has the session, as far as can be told."""
        if self._talk.session.standing is not Standing.REFUSED:
            return False
        return self._talk.monotonic() - self._changed_at < ABSENT_SECONDS

    async def run(self) -> NoReturn:
        """Leave signs while the session is ours and look for those of others while we are refused, for ever."""
        while True:
            try:
                await self.beat()
            except Unavailable as error:
                logger.debug("no sign left", error=repr(error))
            await asyncio.sleep(SIGN_SECONDS)

    async def beat(self) -> None:
        """Leave a sign, or look for one."""
        talk = self._talk
        if talk.session.standing is Standing.REFUSED:
            sign = await talk.journal.holder(self._session_name)
            if sign != self._last_sign:
                self._last_sign, self._changed_at = sign, talk.monotonic()
            return
        # Whoever refuses us later gets the time that another gateway needs for its next sign.
        self._changed_at = talk.monotonic()
        if talk.session.standing is Standing.LOGGED_ON:
            self._count += 1
            self._last_sign = f"{self._me}-{self._count}"
            await talk.journal.sign(self._session_name, self._last_sign)
