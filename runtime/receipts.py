"""Storing many messages at once: each is sent without waiting, and its receipt is a future.

`Bus.publish` waits for one receipt per call and costs a task per message when several are to go out together. Here all receipts
come on one subscription, so that a message costs one future: half the time, measured with nats-py 2.16.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import Header

from runtime.figures import BusFigures
from runtime.jetstream import PUBLISH_SECONDS, Bus, BusUnavailable

# "wrong last sequence: 812" (JSStreamWrongLastSequenceErrF), and the form without the number that a cluster may give.
_WRONG_SEQUENCE = frozenset({10071, 10164})
_ACTUAL = re.compile(r"(\d+)$")


class WrongLastSequence(Exception):
    """The subject's last message is another one than expected; `actual` is its sequence, None when the broker did not say."""

    def __init__(self, actual: int | None) -> None:
        super().__init__(f"the last sequence is {actual}")
        self.actual = actual


@dataclass(frozen=True, slots=True)
class Receipt:
    """The broker has the message: its sequence in the stream, and whether it was there before (the same event id)."""

    sequence: int
    duplicate: bool


class _Waiting(NamedTuple):
    future: asyncio.Future[Receipt]
    timer: asyncio.TimerHandle
    subject: str
    posted: float


class Receipts:
    """Sends messages to their streams; opened by `open_receipts`."""

    def __init__(self, client: Client, figures: BusFigures) -> None:
        self._client, self._figures = client, figures
        self._inbox = client.new_inbox()
        self._numbers = count(1)
        self._waiting: dict[str, _Waiting] = {}

    async def post(
        self,
        subject: str,
        payload: bytes,
        *,
        event_id: str,
        headers: Mapping[str, str] | None = None,
        expected_last: int | None = None,
    ) -> asyncio.Future[Receipt]:
        """Send a message and return the future of its receipt, without waiting for it.

        With `expected_last` the broker takes it only if the subject's last message has that sequence (0 for none). The future
        fails with BusUnavailable when no receipt comes in time (the message may be stored all the same: post it again with the
        same event id) and with WrongLastSequence. Failing to send shows in the future, too.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Receipt] = loop.create_future()
        number = str(next(self._numbers))
        timer = loop.call_later(PUBLISH_SECONDS, self._expire, number)
        self._waiting[number] = _Waiting(future, timer, subject, loop.time())
        sent = {**(headers or {}), Header.MSG_ID.value: event_id}
        if expected_last is not None:
            sent[Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value] = str(expected_last)
        try:
            await self._client.publish(subject, payload, reply=f"{self._inbox}.{number}", headers=sent)
        except nats.errors.Error as error:
            self._fail(number, f"the broker is away: {error!r}")
        return future

    async def hear(self, message: Msg) -> None:
        """Take in a receipt; called by the subscription."""
        waiting = self._waiting.pop(message.subject[len(self._inbox) + 1 :], None)
        if waiting is None:
            return
        waiting.timer.cancel()
        if (future := waiting.future).done():
            return
        said: dict[str, Any] = (
            json.loads(message.data) if message.data else {"error": {"description": "no stream takes it"}}
        )
        problem = said.get("error")
        if problem is None:
            self._figures.published(waiting.subject, future.get_loop().time() - waiting.posted)
            future.set_result(Receipt(said["seq"], bool(said.get("duplicate"))))
        elif problem.get("err_code") in _WRONG_SEQUENCE:
            actual = _ACTUAL.search(problem.get("description", ""))
            future.set_exception(WrongLastSequence(int(actual[1]) if actual else None))
        else:
            future.set_exception(BusUnavailable(f"the broker refused: {problem}", retry_after_seconds=1.0))

    def _expire(self, number: str) -> None:
        self._fail(number, f"no receipt within {PUBLISH_SECONDS} s")

    def _fail(self, number: str, why: str) -> None:
        waiting = self._waiting.pop(number)
        waiting.timer.cancel()
        if not waiting.future.done():
            waiting.future.set_exception(BusUnavailable(why, retry_after_seconds=1.0))

    @property
    def inbox(self) -> str:
        """The subject under which receipts come."""
        return self._inbox


@asynccontextmanager
async def open_receipts(bus: Bus) -> AsyncIterator[Receipts]:
    """Be ready to post inside the block. Raises BusUnavailable when the broker does not take the subscription."""
    receipts = Receipts(bus.client, bus.figures)
    try:
        subscription = await bus.client.subscribe(
            f"{receipts.inbox}.*", cb=receipts.hear, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
    except nats.errors.Error as error:
        raise BusUnavailable(f"could not listen for receipts: {error!r}", retry_after_seconds=1.0) from error
    try:
        yield receipts
    finally:
        if not bus.client.is_closed:
            await subscription.unsubscribe()
