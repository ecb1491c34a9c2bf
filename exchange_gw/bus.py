"""NATS doors of orders: hears commands, tells facts and what operators allow."""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime
from typing import NoReturn
from uuid import uuid4

from msgspec import Struct

from exchange_gw import wire
from exchange_gw.command import Command
from exchange_gw.exchange import Clock
from exchange_gw.insistence import surely
from exchange_gw.ports import Reports
from exchange_gw.report import Report, dead_letter_report
from exchange_gw.service import Lane
from exchange_gw.trading import Permission
from runtime import logs
from runtime.errors import Unavailable
from runtime.jetstream import Bus
from runtime.pulling import Delivery
from runtime.subjects import (
    DEAD_LETTERS,
    ORDER_COMMANDS,
    ORDER_PARTITIONS,
    dead_letter,
    order_commands_of,
    order_report,
    trading_state,
)

ACK_WAIT_SECONDS = 10.0
KEEP_SECONDS = 3.0
REVISIT_SECONDS = 0.25
UNWANTED_SECONDS = 0.5
# A command that has failed so often without the database or the venue being away is given up.
MOST_DELIVERIES = 5

logger = logs.get_logger("exchange_gw.bus")


class _Held(Struct):
    """A command whose time has not come; nobody else gets it meanwhile."""

    delivery: Delivery
    command: Command
    until: datetime | None


class CommandDoor:
    """Hears the commands of one lane. What has to wait is held here, unacknowledged, and looked at again when its time comes."""

    def __init__(
        self, bus: Bus, lane: Lane, reports: Reports, *, group: int, groups: int, max_batch: int, now: Clock
    ) -> None:
        self._bus, self._lane, self._reports, self._max_batch, self._now = bus, lane, reports, max_batch, now
        self._durable = f"exchange_gw-commands-{group}"
        self._subjects = [order_commands_of(number) for number in range(ORDER_PARTITIONS) if number % groups == group]
        self._held: dict[int, _Held] = {}
        # Commands are looked at by one at a time, or a cancel could overtake its order.
        self._turn = asyncio.Lock()

    async def run(self) -> NoReturn:
        """Hear for ever, as long as no other gateway has the session."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._revisit(), name="held commands")
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
                async with self._turn:
                    await self._take_in(deliveries)

    async def _take_in(self, deliveries: Sequence[Delivery]) -> None:
        readable: list[_Held] = []
        for delivery in deliveries:
            try:
                readable.append(_Held(delivery, wire.command_from(delivery.payload), None))
            except wire.MalformedCommand as error:
                await self._bury(delivery, "MALFORMED", str(error), error.order_id, error.command_id)
        await self._take(readable)

    async def _take(self, some: Sequence[_Held]) -> None:
        """Have commands carried out, and answer the broker for each."""
        try:
            outcomes = await self._lane.take([one.command for one in some])
        except Unavailable as error:
            logger.warning("commands wait for the database", commands=len(some), error=repr(error))
            for one in some:
                self._held.pop(one.delivery.sequence, None)
                await one.delivery.nak()
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
            if later is None:
                self._held.pop(one.delivery.sequence, None)
                await one.delivery.ack()
            else:
                one.until = later.until
                self._held[one.delivery.sequence] = one

    async def _failed(self, one: _Held, error: Exception) -> None:
        delivery, command = one.delivery, one.command
        logger.error("command failed", command_id=command.command_id, deliveries=delivery.deliveries, exc_info=error)
        self._held.pop(delivery.sequence, None)
        if delivery.deliveries >= MOST_DELIVERIES:
            await self._bury(delivery, "FAILED", repr(error), command.order_id, command.command_id)
        else:
            await delivery.nak()

    async def _bury(self, delivery: Delivery, reason: str, detail: str, order_id: str, command_id: str) -> None:
        """Put a message aside that cannot be handled, say so at its order, and let the lane go on."""
        logger.error("dead letter", reason=reason, sequence=delivery.sequence, order_id=order_id, detail=detail)
        headers = {
            "Origin-Stream": ORDER_COMMANDS,
            "Origin-Subject": delivery.subject,
            "Origin-Sequence": str(delivery.sequence),
            "Deliveries": str(delivery.deliveries),
            "Order-Id": _in_one_line(order_id),
            "Detail": _in_one_line(detail),
        }
        try:
            await self._bus.publish(
                dead_letter(ORDER_COMMANDS, reason),
                delivery.payload,
                event_id=f"{DEAD_LETTERS}:{ORDER_COMMANDS}:{delivery.sequence}",
                headers=headers,
            )
        except Unavailable:
            await delivery.nak()
            return
        if order_id:
            await self._reports.tell(
                dead_letter_report(
                    order_id, command_id=command_id, sequence=delivery.sequence, detail=detail, now=self._now()
                )
            )
            await self._reports.until_told()
        await delivery.term()

    async def _revisit(self) -> NoReturn:
        """Look again at what is held: all of it when the lane has news, else what is due."""
        kept = asyncio.get_running_loop().time()
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
                if not self._lane.is_wanted:
                    await self._let_go()
                due = [one for one in self._held.values() if news or (one.until and one.until < self._now())]
                if due:
                    await self._take(sorted(due, key=lambda one: one.delivery.sequence))
                if asyncio.get_running_loop().time() - kept > KEEP_SECONDS:
                    kept = asyncio.get_running_loop().time()
                    for one in self._held.values():
                        await one.delivery.in_progress()

    async def _let_go(self) -> None:
        held, self._held = list(self._held.values()), {}
        for one in held:
            await one.delivery.nak(UNWANTED_SECONDS)


def _in_one_line(text: str) -> str:
    """Return text that a header can carry."""
    return "".join(char if char.isascii() and char.isprintable() else " " for char in text[:200])


class ReportPublisher:
    """Tells facts on ORDER_REPORTS. The venue will not repeat them, so each is tried until the broker has it.

    At most `room` wait; then whoever brings more waits too, and with it the reading from the venue.
    """

    def __init__(self, bus: Bus, *, room: int) -> None:
        self._bus = bus
        self._waiting: asyncio.Queue[tuple[int, Report]] = asyncio.Queue(room)
        self._taken = 0
        # Numbers of the facts that are not told yet, oldest first.
        self._open: dict[int, None] = {}
        self._waiters: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def tell(self, report: Report) -> None:
        """Take in a fact; waits while there is no room."""
        self._taken += 1
        number = self._taken
        self._open[number] = None
        await self._waiting.put((number, report))

    def mark(self) -> int:
        """Return the number of the last fact taken in."""
        return self._taken

    def is_told(self, mark: int) -> bool:
        """Tell whether every fact up to a number has been told."""
        return next(iter(self._open), mark + 1) > mark

    async def until_told(self) -> None:
        """Return when everything taken in so far has been told."""
        mark = self.mark()
        if not self.is_told(mark):
            told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append((mark, told))
            await told

    async def run(self) -> NoReturn:
        """Tell fact after fact, for ever; several of these run at once."""
        while True:
            number, report = await self._waiting.get()
            await surely(lambda: self._publish(report))  # noqa: B023 - awaited before the next report is taken
            del self._open[number]
            self._waiting.task_done()
            while self._waiters and self.is_told(self._waiters[0][0]):
                _, told = self._waiters.popleft()
                if not told.done():
                    told.set_result(None)

    async def drain(self, seconds: float) -> None:
        """Wait until all is told, but no longer than that."""
        try:
            async with asyncio.timeout(seconds):
                await self._waiting.join()
        except TimeoutError:
            logger.warning("facts left untold, the venue is asked again at the next start", facts=len(self._open))

    async def _publish(self, report: Report) -> None:
        # The broker drops what it had within the last minutes; an answer is to arrive all the same.
        event_id = f"{report.report_id}@{uuid4().hex[:12]}" if report.is_answer else report.report_id
        await self._bus.publish(
            order_report(report.order_id),
            wire.report_to_proto(report).SerializeToString(),
            event_id=event_id,
            headers={"Order-Id": report.order_id, "Idempotency-Key": report.client_order_id},
        )


class PermissionBoard:
    """Tells what operators allow, for who listens now and who asks later."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def tell(self, permission: Permission) -> None:
        """Say it once. Raises BusUnavailable."""
        payload = wire.permission_to_proto(permission).SerializeToString()
        await self._bus.publish(trading_state(), payload, event_id=f"trading-state:{uuid4().hex}")
