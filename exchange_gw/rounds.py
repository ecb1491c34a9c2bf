"""The regular rounds of one lane: what was executed since the last look, how all orders stand, and which rows are too old."""

import asyncio
from datetime import timedelta
from typing import NoReturn

from msgspec import Struct

from exchange_gw.conversation import Conversation
from exchange_gw.drop_copy import LOOK_BACK, WIDE_OVERLAP, DropCopy
from exchange_gw.recovery import Comparison, Recovery
from runtime import logs
from runtime.errors import Unavailable

BEAT_SECONDS = 1.0
RETIRE_SECONDS = 60.0

logger = logs.get_logger("exchange_gw.rounds")


class Rhythm(Struct, frozen=True):
    """How often, in seconds, and how long rows are kept, in days."""

    look: float = 30.0
    compare: float = 300.0
    keep_days: int = 14


class Rounds:
    """Goes round for ever while the lane is open; after every logon before it opens."""

    def __init__(
        self, conversation: Conversation, drop_copy: DropCopy, recovery: Recovery, rhythm: Rhythm, session_name: str
    ) -> None:
        self._talk, self._drop_copy, self._recovery = conversation, drop_copy, recovery
        self._rhythm, self._session_name = rhythm, session_name
        # When each was done last, by the monotonic clock.
        self._looked = self._compared = self._retired = 0.0

    async def open(self) -> Comparison:
        """Let the venue tell how all orders stand and what was executed meanwhile. Raises VenueUnreachable and Unavailable."""
        talk = self._talk
        since = talk.read_until or await talk.journal.heard_until(self._session_name)
        self._drop_copy.is_supported = True
        found = await self._recovery.compare(since=since)
        found = found.plus(await self._drop_copy.read(since=since, overlap=WIDE_OVERLAP))
        self._looked = self._compared = self._retired = talk.monotonic()
        return found

    async def on_demand(self) -> Comparison:
        """Compare everything. Raises VenueUnreachable and Unavailable."""
        found = await self._recovery.compare(since=self._talk.latest_time, whole=True)
        latest = self._talk.read_until or self._talk.latest_time
        return found.plus(await self._drop_copy.read(since=latest, overlap=LOOK_BACK))

    async def run(self) -> NoReturn:
        """Go round for ever."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            if not self._talk.is_open:
                continue
            try:
                await self.beat()
            except Unavailable as error:
                # VenueUnreachable too: the next logon does all of it.
                logger.warning("round broken off", lane=self._talk.group, error=repr(error))

    async def beat(self) -> None:
        """Do what is due."""
        talk = self._talk
        if talk.monotonic() - self._looked >= self._rhythm.look:
            self._looked = talk.monotonic()
            await self._drop_copy.read(since=talk.read_until)
        if talk.monotonic() - self._compared >= self._rhythm.compare:
            self._compared = talk.monotonic()
            await self._recovery.compare(since=talk.read_until or talk.latest_time)
        if talk.monotonic() - self._retired >= RETIRE_SECONDS:
            self._retired = talk.monotonic()
            await self._retire()

    async def _retire(self) -> None:
        """Remove rows older than any command can come; not those of orders that still live at the venue."""
        living = self._recovery.living
        if living is None:
            return
        before = self._talk.now() - timedelta(days=self._rhythm.keep_days)
        pages = await self._talk.journal.retire(self._talk.group, decided_before=before, but=living)
        if pages:
            logger.info("old rows removed", lane=self._talk.group, pages=pages)
