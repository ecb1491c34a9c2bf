"""Use cases of market data: every logon begins a new life of the feed; what is heard waits, bounded, to be told per partition."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import NoReturn, Protocol

from exchange_gw.exchange import (
    Clock,
    Listed,
    LoggedOn,
    LoggedOut,
    MarketEvent,
    MarketSession,
    VenueUnreachable,
)
from exchange_gw.tick import Instrument, Phase, Tick
from runtime import logs
from runtime.errors import Unavailable
from runtime.subjects import TICK_PARTITIONS, partition_of

# More ticks than this wait only while nobody takes them; then the newest of each symbol is kept.
MOST_WAITING = 2_000
MOST_PHASES = 1_000
LIST_SECONDS = 10.0
EPOCH_SECONDS = 1.0

logger = logs.get_logger("exchange_gw.feed")


class Outbox:
    """What was heard about the symbols of one partition and not yet told."""

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self._ticks: list[Tick] = []
        self._phases: list[Phase] = []

    def put(self, tick: Tick) -> None:
        """Add a tick, newer than those before."""
        self._ticks.append(tick)
        if len(self._ticks) > MOST_WAITING:
            self._ticks = newest_of_each(self._ticks)
        self.news.set()

    def put_phase(self, phase: Phase) -> None:
        """Add a change of phase; the oldest is dropped when too many wait."""
        self._phases = [*self._phases[-MOST_PHASES + 1 :], phase]
        self.news.set()

    def take(self) -> tuple[list[Tick], list[Phase]]:
        """Take out what waits."""
        self.news.clear()
        taken, self._ticks, self._phases = (self._ticks, self._phases), [], []
        return taken

    def give_back(self, ticks: list[Tick], phases: list[Phase]) -> None:
        """Put back what could not be told, before what came since; of each symbol one tick is kept."""
        self._ticks = newest_of_each(ticks + self._ticks)
        self._phases = (phases + self._phases)[-MOST_PHASES:]
        self.news.set()


def newest_of_each(ticks: Sequence[Tick]) -> list[Tick]:
    """Return one tick for each symbol, which says what all of them said last."""
    merged: dict[str, Tick] = {}
    for tick in ticks:
        older = merged.get(tick.symbol)
        merged[tick.symbol] = tick.overtakes(older) if older else tick
    return list(merged.values())


class Epochs(Protocol):
    """Where the last number of the feed's lives is kept."""

    async def next_logon(self, session: str, *, at_least: int) -> int:
        """Return a number greater than all before and at least `at_least`."""


class InstrumentNews(Protocol):
    """Where instruments are made known."""

    def tell(self, instruments: Sequence[Instrument]) -> None:
        """Make known all instruments that the venue trades."""


class Feed:
    """The market as the venue tells it. It needs no database, which only guards the epoch against a clock that steps back."""

    def __init__(
        self, epochs: Epochs, news: InstrumentNews, now: Clock, count: Callable[[int], None] = lambda ticks: None
    ) -> None:
        self.outboxes = tuple(Outbox() for _ in range(TICK_PARTITIONS))
        self.session: MarketSession
        self.instruments = 0
        self._epochs, self._news, self._now, self._count = epochs, news, now, count
        self._epoch = 0
        self._listed: list[Instrument] = []
        self._outbox_of: dict[str, Outbox] = {}
        self._heard_at: float | None = None
        self._asked_at: float | None = None

    @property
    def age_ms(self) -> int:
        """Return the milliseconds since the last tick; -1 when none was heard."""
        return -1 if self._heard_at is None else int((time.monotonic() - self._heard_at) * 1000)

    async def hear(self, events: Sequence[MarketEvent]) -> None:
        """Take in what the session heard; never waits for who is told."""
        for event in events:
            match event:
                case list():
                    self._heard_at = time.monotonic()
                    self._count(len(event))
                    for tick in event:
                        self._outbox(tick.symbol).put(tick)
                case Phase():
                    self._spread(event)
                case Listed():
                    await self._list(event)
                case LoggedOn():
                    await self._begin()
                case LoggedOut():
                    self._asked_at = None

    async def run(self) -> NoReturn:
        """Begin anew, for ever, when the venue takes a question for instruments and does not answer it."""
        while True:
            await asyncio.sleep(1.0)
            if self._asked_at is not None and time.monotonic() - self._asked_at > LIST_SECONDS:
                logger.warning("the venue does not list its instruments, feed begun anew")
                self._asked_at = None
                self.session.hang_up()

    async def _begin(self) -> None:
        least = max(int(self._now().timestamp() * 1000), self._epoch + 1)
        try:
            async with asyncio.timeout(EPOCH_SECONDS):
                self._epoch = await self._epochs.next_logon("market-data", at_least=least)
        except (TimeoutError, Unavailable):
            self._epoch = least
        self._listed, self._asked_at = [], time.monotonic()
        try:
            await self.session.list_instruments(epoch=self._epoch)
        except VenueUnreachable:
            logger.info("feed fell before it began")
        logger.info("feed begun", epoch=self._epoch)

    async def _list(self, listed: Listed) -> None:
        self._listed += listed.instruments
        if not listed.is_last:
            return
        instruments, self._listed, self._asked_at = self._listed, [], None
        self.instruments = len(instruments)
        self._news.tell(instruments)
        logger.info("instruments listed", instruments=len(instruments))
        try:
            await self.session.watch([one.symbol for one in instruments])
        except VenueUnreachable:
            logger.info("feed fell before it began")

    def _spread(self, phase: Phase) -> None:
        """Put a phase where it concerns somebody: the whole venue's concerns all."""
        for outbox in (self._outbox(phase.symbol),) if phase.symbol else self.outboxes:
            outbox.put_phase(phase)

    def _outbox(self, symbol: str) -> Outbox:
        outbox = self._outbox_of.get(symbol)
        if outbox is None:
            outbox = self._outbox_of[symbol] = self.outboxes[partition_of(symbol, TICK_PARTITIONS)]
        return outbox
