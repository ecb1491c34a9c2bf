"""NATS ear of orders: hears commands and has them carried out; what cannot be handled goes to the dead letters."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import NoReturn

from msgspec import Struct

from exchange_gw import wire
from exchange_gw.burial import Burial
from exchange_gw.command import Asks, Command
from exchange_gw.exchange import Clock
from exchange_gw.parking import Parking, place_of
from exchange_gw.service import Lane
from exchange_gw.taking import Later
from exchange_gw.waiting_room import Parked, WaitingRoom
from runtime import logs
from runtime.crash_points import reach
from runtime.errors import Unavailable
from runtime.jetstream import Bus
from runtime.pulling import Delivery
from runtime.subjects import ORDER_COMMANDS, ORDER_PARTITIONS, order_commands_of

ACK_WAIT_SECONDS = 10.0
KEEP_SECONDS = 3.0
REVISIT_SECONDS = 0.25
PARKED_SECONDS = 2.0
UNWANTED_SECONDS = 0.5
# The broker stops delivering when too many messages wait for an answer, and a cancel must not stand behind orders that wait
# for the venue; so no more of them than this wait in the process, the rest in the database.
MOST_HELD = 500
# A command that has failed so often without the database or the venue being away is given up.
MOST_DELIVERIES = 5
# One that came so often without failing may be what ends the process; it is then taken alone, with a mark, and given up after
# this many deaths over it.
SUSPECT_DELIVERIES = 3
MOST_DEATHS = 2

logger = logs.get_logger("exchange_gw.command_door")


class _Held(Struct):
    """A command in hand; `until` is when it is to be looked at again."""

    delivery: Delivery
    command: Command
    until: datetime | None = None


class CommandDoor:
    """Hears the commands of one lane. What has to wait is held here, or parked, and looked at again when its time comes.

    `keep` is how long the journal keeps rows: a command older than that could pass it although it passed before.
    """

    def __init__(
        self, bus: Bus, lane: Lane, *, room: WaitingRoom, burial: Burial, group: int, groups: int, max_batch: int,
        keep: timedelta, now: Clock,
    ) -> None:  # fmt: skip
        self._bus, self._lane, self._room, self._burial = bus, lane, room, burial
        self._group, self._max_batch, self._keep, self._now = group, max_batch, keep, now
        self._durable = f"exchange_gw-commands-{group}"
        self._subjects = [order_commands_of(number) for number in range(ORDER_PARTITIONS) if number % groups == group]
        # Everything that the broker waits for an answer to, and of that what waits for its time.
        self._unacknowledged: dict[int, Delivery] = {}
        self._held: dict[int, _Held] = {}
        self._deaths: dict[int, int] | None = None
        self._parking = Parking(lane, room, burial, group=group, most_failures=MOST_DELIVERIES, now=now)
        self._parked_at = 0.0
        # Commands are looked at by one at a time, or a cancel could overtake its order.
        self._turn = asyncio.Lock()

    @property
    def held(self) -> int:
        """Return how many commands wait for their time in this process."""
        return len(self._held)

    async def run(self) -> NoReturn:
        """Hear for ever, as long as no other gateway has the session."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._revisit(), name="held commands")
            group.create_task(self._keep_hold(), name="hold")
            while True:
                if self._lane.is_wanted:
                    await self._pull()
                await asyncio.sleep(UNWANTED_SECONDS)

    async def _pull(self) -> None:
        pulled = self._bus.pull(
            ORDER_COMMANDS,
            durable=self._durable,
            subjects=self._subjects,
            max_batch=self._max_batch,
            ack_wait_seconds=ACK_WAIT_SECONDS,
        )
        async with aclosing(pulled) as batches:  # type: ignore[type-var]  # an async generator behind its iterator type
            async for deliveries in batches:
                if not self._lane.is_wanted:
                    for delivery in deliveries:
                        await delivery.nak(UNWANTED_SECONDS)
                    return
                self._unacknowledged |= {delivery.sequence: delivery for delivery in deliveries}
                async with self._turn:
                    await self._take_in(deliveries)

    async def _take_in(self, deliveries: Sequence[Delivery]) -> None:
        """Take what is delivered; before anything else see which messages have come suspiciously often."""
        suspects = [delivery for delivery in deliveries if delivery.deliveries > SUSPECT_DELIVERIES]
        await self._take(await self._readable([one for one in deliveries if one.deliveries <= SUSPECT_DELIVERIES]))
        handled = {delivery.sequence for delivery in suspects}
        try:
            for delivery in suspects:
                await self._take_suspect(delivery)
            if suspects and self._deaths is not None:
                self._deaths = {one: count for one, count in self._deaths.items() if one not in handled}
                await self._room.clear(self._group, self._deaths)
        except Unavailable as error:
            logger.warning("commands wait for the database", commands=len(suspects), error=repr(error))
            for delivery in suspects:
                if delivery.sequence in self._unacknowledged and delivery.sequence not in self._held:
                    await self._give_back(delivery)

    async def _take_suspect(self, delivery: Delivery) -> None:
        """Take one message alone, with a mark that outlives us; one that ended us before is not touched any more."""
        if self._deaths is None:
            self._deaths = await self._room.deaths(self._group)
        if self._deaths.get(delivery.sequence, 0) >= MOST_DEATHS:
            detail = f"the gateway ended {self._deaths[delivery.sequence]} times while it handled this message"
            order_id = delivery.headers.get("Order-Id", "")
            await self._bury(delivery, "CRASHED", detail, order_id=order_id)
            return
        await self._room.take_in_hand(self._group, delivery.sequence)
        await self._take(await self._readable([delivery]))

    async def _readable(self, deliveries: Sequence[Delivery]) -> list[_Held]:
        readable: list[_Held] = []
        oldest = self._now() - self._keep
        for delivery in deliveries:
            reach("K8")
            committed = delivery.headers.get("Committed-Time", "")
            try:
                command = wire.command_from(delivery.payload, committed=committed, published=delivery.time)
            except wire.MalformedCommand as error:
                await self._bury(
                    delivery, "MALFORMED", str(error), order_id=error.order_id, command_id=error.command_id
                )
                continue
            if _is_too_old(command, oldest):
                detail = "the order is older than the journal goes back, which cannot tell whether it was sent"
                await self._bury(delivery, "TOO_OLD", detail, order_id=command.order_id, command_id=command.command_id)
                continue
            readable.append(_Held(delivery, command))
        return readable

    async def _take(self, some: Sequence[_Held]) -> None:
        """Have commands carried out, and answer the broker for each."""
        try:
            outcomes = await self._lane.take([one.command for one in some]) if some else []
        except Unavailable as error:
            logger.warning("commands wait for the database", commands=len(some), error=repr(error))
            for one in some:
                await self._give_back(one.delivery)
            return
        except Exception as error:
            if len(some) > 1:
                # One of them may be poison: the others must not suffer.
                for one in some:
                    await self._take([one])
                return
            await self._failed(some[0], error)
            return
        for one, later in zip(some, outcomes, strict=True):
            await self._settle(one, later)
        if len(self._held) > MOST_HELD:
            await self._park()

    async def _settle(self, one: _Held, later: Later | None) -> None:
        if later is None:
            self._let_go(one.delivery)
            await one.delivery.ack()
        else:
            one.until = later.until
            self._held[one.delivery.sequence] = one

    async def _park(self) -> None:
        """Move what waits for longest from here into the database, so that the broker delivers what comes behind it."""
        held = sorted(self._held.values(), key=lambda one: one.delivery.sequence)[: -MOST_HELD // 2]
        waiting = [
            # A change that waits for its order waits for news of the lane.
            Parked(place_of(one.delivery), one.command, one.until if one.command.asks is Asks.SUBMIT else None)
            for one in held
        ]
        try:
            await self._parking.park(waiting)
        except Unavailable as error:
            logger.warning("commands not parked", commands=len(held), error=repr(error))
            return
        logger.info("commands parked", commands=len(held))
        for one in held:
            self._let_go(one.delivery)
            await one.delivery.ack()

    async def _failed(self, one: _Held, error: Exception) -> None:
        delivery, command = one.delivery, one.command
        logger.error("command failed", command_id=command.command_id, deliveries=delivery.deliveries, exc_info=error)
        if delivery.deliveries >= MOST_DELIVERIES:
            await self._bury(delivery, "FAILED", repr(error), order_id=command.order_id, command_id=command.command_id)
        else:
            await self._give_back(delivery)

    async def _bury(
        self, delivery: Delivery, reason: str, detail: str, *, order_id: str = "", command_id: str = ""
    ) -> None:
        self._let_go(delivery)
        await self._burial.bury(delivery, reason, detail, order_id=order_id, command_id=command_id)

    async def _give_back(self, delivery: Delivery) -> None:
        self._let_go(delivery)
        await delivery.nak()

    def _let_go(self, delivery: Delivery) -> None:
        self._unacknowledged.pop(delivery.sequence, None)
        self._held.pop(delivery.sequence, None)

    async def _revisit(self) -> NoReturn:
        """Look again at what is held: all of it when the lane has news, else what is due."""
        while True:
            try:
                async with asyncio.timeout(REVISIT_SECONDS):
                    await self._lane.news.wait()
            except TimeoutError:
                news = False
            else:
                news = True
                self._lane.news.clear()
            async with self._turn:
                await self._look_again(news=news)

    async def _look_again(self, *, news: bool) -> None:
        if not self._lane.is_wanted:
            for delivery in list(self._unacknowledged.values()):
                self._let_go(delivery)
                await delivery.nak(UNWANTED_SECONDS)
            return
        due = [one for one in self._held.values() if news or (one.until and one.until < self._now())]
        await self._take(sorted(due, key=lambda one: one.delivery.sequence))
        now = asyncio.get_running_loop().time()
        if self._parking.is_used and (news or now - self._parked_at > PARKED_SECONDS):
            self._parked_at = now
            try:
                await self._parking.look(everything=news or self._lane.is_open)
                await self._parking.look(everything=False)
            except Unavailable as error:
                logger.warning("parked commands wait for the database", error=repr(error))

    async def _keep_hold(self) -> NoReturn:
        """Tell the broker now and then that we are still at it, so that nobody else gets what is in hand here."""
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            for delivery in list(self._unacknowledged.values()):
                await delivery.in_progress()


def _is_too_old(command: Command, oldest: datetime) -> bool:
    if command.asks not in (Asks.SUBMIT, Asks.CANCEL) or command.is_known_at_venue:
        return False
    return command.create_time is not None and command.create_time < oldest
