"""One partition of the ticks at one replica: heard from its owner, or, whenever it is wanted and the lease is ours, owned."""

import asyncio
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import Protocol

from price_svc.announcer import QuoteAnnouncer
from price_svc.books import Books, Unfinished
from price_svc.bus import Ears
from price_svc.feed import Feed
from price_svc.holdings import Holdings
from price_svc.marks import Marks
from runtime import logs
from runtime.crews import Crew
from runtime.errors import Unavailable
from runtime.jetstream import BusUnavailable
from runtime.leases import Lease

# A live price does not wait for its history longer than this.
LOAD_SECONDS = 1.5
HAND_OVER_SECONDS = 2.0
LISTEN_AGAIN_SECONDS = 0.5
# So many messages of the stream are read again at most for the sake of bars: half a minute's at full speed.
MOST_READ_AGAIN = 40_000

# No owner came so far as to leave something: the bars begin with the first tick that is kept.
NOTHING_LEFT = Unfinished((), {}, 0)

logger = logs.get_logger("price_svc.seat")


class GivenBack(Exception):
    """Our time with the partition is over because another replica is to have it."""


class Shelf(Protocol):
    """Where an owner leaves what the next one needs."""

    async def load(self, partition: int) -> Unfinished | None:
        """Return what was left of a partition; None when nothing was. Raises Unavailable."""
        ...

    async def save(self, partition: int, left: Unfinished) -> None:
        """Leave something instead of what was left before. Raises Unavailable."""


class Desk:
    """What all seats of a replica share."""

    def __init__(
        self,
        *,
        ears: Ears,
        feed: Feed,
        books: Books,
        announcer: QuoteAnnouncer,
        holdings: Holdings,
        marks: Marks,
        shelf: Shelf,
        save_seconds: float,
    ) -> None:
        self.ears, self.feed, self.books, self.announcer = ears, feed, books, announcer
        self.holdings, self.marks, self.shelf, self.save_seconds = holdings, marks, shelf, save_seconds


class Seat:
    """A partition as seen from here."""

    def __init__(self, partition: int, lease: Lease, desk: Desk) -> None:
        self._partition, self._lease, self._desk = partition, lease, desk
        self._wanted, self._unwanted = asyncio.Event(), asyncio.Event()
        # Neither ours nor contended for.
        self.idle = asyncio.Event()
        # No reign under way.
        self._over = asyncio.Event()
        # Whether the owner is another and so to be heard, and whether it is.
        self._is_anothers, self._listening, self._turned = True, asyncio.Event(), asyncio.Event()
        self._listener = AsyncExitStack()
        for event in (self._unwanted, self.idle, self._over):
            event.set()

    def want(self, *, wanted: bool) -> None:
        """Contend for the partition from now on, or give it back."""
        if wanted:
            self._unwanted.clear()
            self._wanted.set()
        else:
            self._wanted.clear()
            self._unwanted.set()

    async def run(self) -> None:
        """Own the partition whenever it is wanted and free, for ever."""
        while True:
            await self._wanted.wait()
            self.idle.clear()
            with suppress(GivenBack):
                async with Crew() as crew:
                    crew.spawn(self._lease.rule(self._reign), name=f"contend for {self._partition}")
                    crew.spawn(self._give_up(), name=f"give up {self._partition}")
                    await crew.first_failure()
            self.idle.set()

    async def _give_up(self) -> None:
        """Stop contending when the partition is not wanted any more; a reign gives it back by itself."""
        while self._wanted.is_set():
            await self._unwanted.wait()
            await self._over.wait()
        raise GivenBack

    async def listen(self) -> None:
        """Hear what the owner says from now on. Raises BusUnavailable."""
        await self._listener.enter_async_context(self._desk.ears.quotes(self._partition))
        self._listening.set()

    async def restore(self) -> None:
        """Begin with the bars that the owner left; what it tells goes on in them."""
        self._desk.books.begin(self._partition, await self._load())

    async def run_ears(self) -> None:
        """Hear what the owner says whenever that is another, for ever."""
        while True:
            try:
                if self._is_anothers and not self._listening.is_set():
                    await self.listen()
                elif not self._is_anothers and self._listening.is_set():
                    self._listening.clear()
                    await self._listener.aclose()
            except BusUnavailable as error:
                logger.warning("owner not heard", partition=self._partition, error=error.message)
                await asyncio.sleep(LISTEN_AGAIN_SECONDS)
                continue
            await self._turned.wait()
            self._turned.clear()

    async def _reign(self) -> None:
        partition, desk = self._partition, self._desk
        self._over.clear()
        try:
            position = await self._take_over()
            self._turn_ears(is_anothers=False)
            async with Crew() as crew:
                crew.spawn(desk.ears.ticks(partition, after=position, lease=self._lease), name=f"ticks {partition}")
                crew.spawn(self._keep_saving(), name=f"save {partition}")
                crew.spawn(self._until_unwanted(), name=f"own {partition}")
                await crew.first_failure()
        except GivenBack:
            with suppress(TimeoutError, Unavailable):
                async with asyncio.timeout(HAND_OVER_SECONDS):
                    await self._hand_over()
            raise
        finally:
            desk.holdings.drop(partition)
            if position := desk.announcer.leave(partition):
                desk.marks.set(partition, position, time.monotonic())
            self._over.set()
            self._turn_ears(is_anothers=True)
            logger.info("partition left", partition=partition)

    def _turn_ears(self, *, is_anothers: bool) -> None:
        self._is_anothers = is_anothers
        self._turned.set()

    async def _take_over(self) -> int:
        """Take what the owner before left, and return the place in the stream behind which to go on."""
        partition, desk = self._partition, self._desk
        left = await self._load()
        heard = desk.marks.safe(partition)
        if left and left.position is None:
            left = replace(left, versions=desk.feed.versions(partition))
        position = heard if left is None or left.position is None else left.position
        if heard and not heard - MOST_READ_AGAIN <= position <= heard:
            position = heard
        desk.holdings.take(partition, self._lease)
        desk.books.begin(partition, left)
        desk.announcer.reached(partition, position)
        desk.feed.take_over(partition)
        logger.info("partition taken over", partition=partition, position=position, heard=heard)
        return position

    async def _load(self) -> Unfinished | None:
        try:
            async with asyncio.timeout(LOAD_SECONDS):
                return await self._desk.shelf.load(self._partition) or NOTHING_LEFT
        except (TimeoutError, Unavailable) as error:
            # History never holds up a live price.
            logger.warning("bars go on as they were heard", partition=self._partition, error=repr(error))
            return None

    async def _until_unwanted(self) -> None:
        await self._unwanted.wait()
        raise GivenBack

    async def _keep_saving(self) -> None:
        while True:
            await asyncio.sleep(self._desk.save_seconds)
            try:
                await self._save()
            except Unavailable as error:
                logger.debug("unfinished bars not saved", partition=self._partition, error=error.message)

    async def _save(self) -> None:
        partition, desk = self._partition, self._desk
        if self._lease.held:
            await desk.shelf.save(partition, desk.books.leave(partition, desk.announcer.position(partition)))

    async def _hand_over(self) -> None:
        """Say and leave all that the next owner needs; from here on it is heard, so that nothing falls between."""
        self._turn_ears(is_anothers=True)
        await self._listening.wait()
        await self._desk.announcer.flush()
        await self._desk.announcer.flush_kept()
        self._desk.feed.hand_over_bars()
        await self._save()
