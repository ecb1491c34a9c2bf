"""NATS mouth of orders: tells facts and what operators allow. Commands are heard in command_door.py."""

import asyncio
import random
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import NoReturn, Protocol
from uuid import uuid4

from exchange_gw import wire
from exchange_gw.report import Report
from exchange_gw.trading import Permission
from runtime import logs
from runtime.crash_points import reach
from runtime.jetstream import Bus
from runtime.receipts import Receipt
from runtime.subjects import order_report, trading_state

PAUSE_SECONDS = 0.25
AT_ONCE = 256

logger = logs.get_logger("exchange_gw.bus")


class Posting(Protocol):
    """Sends messages to their streams."""

    async def post(
        self, subject: str, payload: bytes, *, event_id: str, headers: Mapping[str, str] | None = None
    ) -> "asyncio.Future[Receipt]":
        """Send a message and return the future of its receipt, which fails when none came in time."""


class ReportPublisher:
    """Tells facts on ORDER_REPORTS. The venue will not repeat them, so each is tried until the broker has it.

    They leave in the order in which they come, one right behind the other, at most `at_once` without a receipt. At most `room`
    wait; then whoever brings more waits too, and with it the reading from the venue.
    """

    def __init__(self, posting: Posting, *, room: int, at_once: int = AT_ONCE) -> None:
        self._posting = posting
        self._waiting: asyncio.Queue[tuple[int, Report]] = asyncio.Queue(room)
        # A fact that is refused keeps its place among those on their way.
        self._places = asyncio.Semaphore(at_once)
        self._refused: asyncio.Queue[tuple[int, Report]] = asyncio.Queue()
        self._taken = 0
        # Numbers of the facts that are not told yet, oldest first.
        self._open: dict[int, None] = {}
        self._waiters: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def tell(self, report: Report) -> None:
        """Take in a fact; waits while there is no room."""
        self._taken += 1
        number = self._taken
        self._open[number] = None
        try:
            await self._waiting.put((number, report))
        except BaseException:
            # Given up while there was no room: a fact that was never taken in must not be waited for.
            self._forget(number)
            raise

    @property
    def waiting(self) -> int:
        """Return how many facts the broker has not confirmed yet."""
        return len(self._open)

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
        """Tell fact after fact, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeat(), name="refused facts")
            while True:
                number, report = await self._waiting.get()
                await self._places.acquire()
                await self._post(number, report)

    async def drain(self, seconds: float) -> None:
        """Wait until all is told, but no longer than that."""
        try:
            async with asyncio.timeout(seconds):
                await self._waiting.join()
        except TimeoutError:
            logger.warning("facts left untold, the venue is asked again at the next start", facts=len(self._open))

    async def _post(self, number: int, report: Report) -> None:
        try:
            payload = wire.report_to_proto(report).SerializeToString()
        except (ValueError, OverflowError) as error:
            # A number that no order can have. It would end the process each time that the venue says it.
            logger.error("fact cannot be told", order_id=report.order_id, kind=report.kind.value, error=repr(error))
            self._done(number)
            return
        # The broker drops what it had within the last minutes; an answer is to arrive all the same.
        event_id = f"{report.report_id}@{uuid4().hex[:12]}" if report.is_answer else report.report_id
        receipt = await self._posting.post(
            order_report(report.order_id),
            payload,
            event_id=event_id,
            headers={"Order-Id": report.order_id, "Idempotency-Key": report.client_order_id},
        )
        receipt.add_done_callback(partial(self._settle, number, report))

    def _settle(self, number: int, report: Report, receipt: asyncio.Future[Receipt]) -> None:
        if receipt.cancelled() or receipt.exception() is not None:
            self._refused.put_nowait((number, report))
        else:
            reach("K12")
            self._done(number)

    def _done(self, number: int) -> None:
        self._places.release()
        self._waiting.task_done()
        self._forget(number)

    def _forget(self, number: int) -> None:
        del self._open[number]
        while self._waiters and self.is_told(self._waiters[0][0]):
            _, told = self._waiters.popleft()
            if not told.done():
                told.set_result(None)

    async def _repeat(self) -> NoReturn:
        """Tell again what the broker did not confirm, after a pause."""
        while True:
            refused = [await self._refused.get()]
            await asyncio.sleep(PAUSE_SECONDS * random.uniform(1, 2))  # noqa: S311 - only spreads repetitions
            while not self._refused.empty():
                refused.append(self._refused.get_nowait())
            logger.warning("facts told again, the broker did not confirm them", facts=len(refused))
            for number, report in refused:
                await self._post(number, report)


class PermissionBoard:
    """Tells what operators allow, for who listens now and who asks later."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def tell(self, permission: Permission) -> None:
        """Say it once. Raises BusUnavailable."""
        payload = wire.permission_to_proto(permission).SerializeToString()
        await self._bus.publish(trading_state(), payload, event_id=f"trading-state:{uuid4().hex}")
