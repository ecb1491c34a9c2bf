"""All accounts that somebody follows: one feed each, opened with the first follower, closed some time after the last."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from edge.bus import OrderUpdates
from edge.feed import Feed
from edge.tally import Observe, nobody
from runtime.errors import TradingError

CHECK_SECONDS = 0.5
# A client that comes right back finds its feed still there.
LINGER_CHECKS = 20
REPAIRS_AT_ONCE = 32


class Feeds:
    """The feeds of this process."""

    def __init__(self, source: OrderUpdates, report_to_pushed: Observe = nobody) -> None:
        self._source, self._report_to_pushed = source, report_to_pushed
        self._feeds: dict[str, Feed] = {}
        self._idle_checks: dict[str, int] = {}
        # Taken out of use, still to be closed.
        self._retired: list[Feed] = []
        self._repairing = asyncio.Semaphore(REPAIRS_AT_ONCE)

    @asynccontextmanager
    async def held(self, account_id: str) -> AsyncIterator[Feed]:
        """Keep an account's feed open inside the block. Raises BusUnavailable when it cannot be opened."""
        feed = self._feeds.get(account_id)
        if feed is None or feed.is_lost:
            if feed is not None:
                self._retired.append(feed)
            feed = self._feeds[account_id] = Feed(account_id, self._source, self._report_to_pushed)
        feed.holds += 1
        try:
            await feed.open()
            yield feed
        finally:
            feed.holds -= 1

    async def run(self) -> None:
        """Look after all feeds for ever: read back after a lost connection, recognise a new stream, close what is idle."""
        reconnects = self._source.reconnects
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            suspects = await self._of_another_stream()
            if reconnects != self._source.reconnects:
                reconnects, suspects = self._source.reconnects, self._open_feeds()
            for feed in suspects:
                feed.is_behind = True
            await asyncio.gather(*(self._repair(feed) for feed in self._open_feeds() if feed.is_behind))
            self._retire()
            await self._close_retired()

    async def close(self) -> None:
        """Close all feeds."""
        self._retired += self._feeds.values()
        self._feeds = {}
        await self._close_retired()

    def _open_feeds(self) -> list[Feed]:
        return [feed for feed in self._feeds.values() if feed.is_open]

    async def _of_another_stream(self) -> list[Feed]:
        feeds = self._open_feeds()
        if not feeds:
            return []
        try:
            created = (await self._source.state()).created
        except TradingError:
            return []
        return [feed for feed in feeds if feed.position.created != created]

    async def _repair(self, feed: Feed) -> None:
        async with self._repairing:
            await feed.repair()

    def _retire(self) -> None:
        for account_id, feed in list(self._feeds.items()):
            is_idle = not feed.followers and not feed.holds
            checks = self._idle_checks[account_id] = self._idle_checks.get(account_id, 0) + 1 if is_idle else 0
            if feed.is_lost or checks >= LINGER_CHECKS:
                self._retired.append(self._feeds.pop(account_id))
                del self._idle_checks[account_id]

    async def _close_retired(self) -> None:
        retired, self._retired = self._retired, []
        for feed in retired:
            await feed.close()
