"""Publishing from the outbox: commands at once and side by side, updates of one account in turn, each until it is stored.

Commands need no fence: what one does to an order is decided once, by the gateway's journal. Updates are told in their order, and
a relay that was frozen could wake up and tell old ones after its successor's. So each is published with the sequence that the
subject's last message must have (Nats-Expected-Last-Subject-Sequence). The relay knows it from its last receipt, or learns it from
the refusal of a first guess of 0. Why this is a true fence, with nats-server 2.15 (it looks at the sequence before the event id):

- A message sent before the freeze is stored before the successor's first on that subject, or is refused. Never between.
- A sequence is taken from a refusal only if the lease is still ours after the answer came: then nobody else had published up to
  that moment, and whoever does so later makes the sequence wrong. A lease that ran out ends the reign before anything is sent.
- A repetition with the right sequence is recognised by its event id and stored no second time.
"""

from asyncio import Future
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, Protocol

from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from order_svc.event import Message
from runtime import logs
from runtime.crash_points import reach
from runtime.jetstream import BusUnavailable
from runtime.receipts import Receipt, WrongLastSequence

# Subjects whose last sequence is remembered; a forgotten one costs a refusal.
MAX_SUBJECTS = 100_000
RETRY_AT_MOST_SECONDS = 1.0

logger = logs.get_logger("order_svc.lanes")

Landed = Callable[[Message], None]


class Poster(Protocol):
    """The bus as the lanes need it."""

    async def post(
        self,
        subject: str,
        payload: bytes,
        *,
        event_id: str,
        headers: Mapping[str, str] | None = None,
        expected_last: int | None = None,
    ) -> Future[Receipt]:
        """Send a message and return the future of its receipt; it fails with BusUnavailable or WrongLastSequence."""


class Fence(Protocol):
    """The lease as those who act on it need it."""

    @property
    def held(self) -> bool:
        """Tell whether it is ours at this moment."""

    def require(self) -> None:
        """Raise LeaseLost unless it is ours at this moment."""


class Lanes:
    """Publishes for one reign. `spawn` starts a coroutine whose failure ends the reign, or drops it when the reign has ended.

    A message that the broker takes at once, and that waits for no other, costs no task.
    """

    def __init__(self, bus: Poster, lease: Fence, spawn: Callable[[Coroutine[Any, Any, None]], object]) -> None:
        self._bus, self._lease, self._spawn = bus, lease, spawn
        # Updates that wait for the one on its way on their subject; a subject that is here is busy.
        self._lanes: dict[str, deque[tuple[Message, Landed]]] = {}
        self._last: OrderedDict[str, int] = OrderedDict()

    async def send(self, message: Message, landed: Landed) -> None:
        """Publish a message, in its turn; `landed` is called when it is stored. Raises LeaseLost."""
        if message.news is None:
            future = await self._post(message)
            future.add_done_callback(partial(self._hear_command, message, landed))
        elif (lane := self._lanes.get(message.subject)) is not None:
            lane.append((message, landed))
        else:
            self._lanes[message.subject] = deque()
            future = await self._post(message)
            future.add_done_callback(partial(self._hear_update, message, landed))

    async def _post(self, message: Message) -> Future[Receipt]:
        self._lease.require()
        return await self._bus.post(
            message.subject,
            message.payload,
            event_id=message.event_id,
            headers=message.headers,
            expected_last=None if message.news is None else self._last.get(message.subject, 0),
        )

    def _hear_command(self, message: Message, landed: Landed, future: Future[Receipt]) -> None:
        if self._is_confirmed(future):
            landed(message)
        else:
            self._spawn(self._insist_alone(message, landed))

    def _hear_update(self, message: Message, landed: Landed, future: Future[Receipt]) -> None:
        lane = self._lanes[message.subject]
        if self._is_confirmed(future):
            self._remember(message.subject, future.result().sequence)
            landed(message)
        else:
            self._learn(message.subject, future.exception())
            lane.appendleft((message, landed))
        if lane:
            self._spawn(self._work_off(message.subject))
        else:
            del self._lanes[message.subject]

    @staticmethod
    def _is_confirmed(future: Future[Receipt]) -> bool:
        if future.exception() is not None:
            return False
        reach("K6")
        return True

    async def _insist_alone(self, message: Message, landed: Landed) -> None:
        await self._insist(message)
        landed(message)

    async def _work_off(self, subject: str) -> None:
        lane = self._lanes[subject]
        while lane:
            message, landed = lane[0]
            await self._insist(message)
            lane.popleft()
            landed(message)
        del self._lanes[subject]

    async def _insist(self, message: Message) -> None:
        """Publish until it is stored. Raises LeaseLost."""
        try:
            await self._attempt(message)
        except (BusUnavailable, WrongLastSequence) as error:
            logger.debug("not published at once", event_id=message.event_id, error=repr(error))
        else:
            return
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type((BusUnavailable, WrongLastSequence)),
            wait=wait_random_exponential(multiplier=0.05, max=RETRY_AT_MOST_SECONDS),
        ):
            with attempt:
                await self._attempt(message)

    async def _attempt(self, message: Message) -> None:
        future = await self._post(message)
        try:
            receipt = await future
        except WrongLastSequence as error:
            self._lease.require()
            self._learn(message.subject, error)
            raise
        reach("K6")
        if message.news is not None:
            self._remember(message.subject, receipt.sequence)

    def _learn(self, subject: str, refusal: BaseException | None) -> None:
        if isinstance(refusal, WrongLastSequence) and refusal.actual is not None and self._lease.held:
            self._last[subject] = refusal.actual

    def _remember(self, subject: str, sequence: int) -> None:
        # A repetition is answered with the sequence of the first, which need not be the subject's last.
        self._last[subject] = max(self._last.pop(subject, 0), sequence)
        if len(self._last) > MAX_SUBJECTS:
            self._last.popitem(last=False)
