"""order_svc/bus.py: a report that breaks something is given up in the end, and what came with it does not suffer."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from gen.trading.v1.exchange_pb2 import ExecutionReport
from order_svc.bus import hear_reports
from order_svc.fact import Fact
from order_svc.service import Orders
from runtime.errors import Unavailable
from runtime.jetstream import Bus

Batch = Sequence["Message"]


class Message:
    """A delivery that notes how it was answered."""

    def __init__(self, order_id: str, *, deliveries: int = 1, payload: bytes | None = None) -> None:
        report = ExecutionReport(
            order_id=order_id, report_id=f"r-{order_id}", kind=ExecutionReport.PLACED, account_id="demo"
        )
        self.payload = report.SerializeToString() if payload is None else payload
        self.subject, self.sequence, self.deliveries = "orders.reports.0", 7, deliveries
        self.answer = ""

    async def ack(self) -> None:
        self.answer = "ack"

    async def nak(self, delay_seconds: float | None = None) -> None:
        self.answer = "nak"

    async def term(self) -> None:
        self.answer = "term"


class Broker:
    """Delivers one batch and takes letters."""

    def __init__(self, batch: Batch, *, is_away: bool = False) -> None:
        self._batch, self._is_away = batch, is_away
        self.letters: list[tuple[str, str]] = []
        self.counted: list[str] = []

    def count(self, stream: str, reason: str) -> None:
        self.counted.append(reason)

    async def pull(self, *_: object, **__: object) -> AsyncIterator[Batch]:
        yield self._batch

    async def publish(self, subject: str, payload: bytes, *, event_id: str, headers: Mapping[str, str]) -> int:
        if self._is_away:
            raise Unavailable("away")
        self.letters.append((subject, headers["Origin-Sequence"]))
        return 1


class Book:
    """Takes facts in, but for those of one order."""

    def __init__(self, error: Exception) -> None:
        self._error = error
        self.folded: set[str] = set()

    async def take_in(self, facts: Mapping[str, Sequence[Fact]]) -> set[str]:
        if "poison" in facts:
            raise self._error
        self.folded |= facts.keys()
        return set()


async def hear(broker: Broker, book: Book) -> None:
    await hear_reports(cast("Bus", broker), cast("Orders", book), lambda: datetime.now(UTC), broker.count)


async def test_what_comes_with_a_report_that_breaks_something_is_stored() -> None:
    poison, others = Message("poison"), [Message("o1"), Message("o2")]
    broker, book = Broker([others[0], poison, others[1]]), Book(ValueError("cannot be folded"))

    await hear(broker, book)

    assert book.folded == {"o1", "o2"}
    assert [one.answer for one in (*others, poison)] == ["ack", "ack", "nak"]
    assert broker.letters == []


async def test_a_report_that_breaks_something_again_and_again_is_put_aside() -> None:
    poison, other = Message("poison", deliveries=5), Message("o1")
    broker, book = Broker([poison, other]), Book(ValueError("cannot be folded"))

    await hear(broker, book)

    assert (poison.answer, other.answer) == ("term", "ack")
    assert broker.letters == [("dlq.ORDER_REPORTS.FAILED", "7")]
    assert broker.counted == ["FAILED"]


@pytest.mark.parametrize("deliveries", [1, 50])
async def test_a_report_that_waits_for_the_database_is_never_put_aside(deliveries: int) -> None:
    waiting = Message("poison", deliveries=deliveries)
    broker = Broker([waiting])

    await hear(broker, Book(Unavailable("no database")))

    assert (waiting.answer, broker.letters) == ("nak", [])


@pytest.mark.parametrize("payload", [b"\xff\xff", b""])
async def test_what_cannot_be_read_is_put_aside_at_once(payload: bytes) -> None:
    unreadable: Any = Message("", payload=payload)
    broker = Broker([unreadable])

    await hear(broker, Book(ValueError()))

    assert unreadable.answer == "term"
    assert broker.letters == [("dlq.ORDER_REPORTS.MALFORMED", "7")]


async def test_without_a_broker_for_its_letter_a_report_comes_again() -> None:
    poison = Message("poison", deliveries=9)
    broker = Broker([poison], is_away=True)

    await hear(broker, Book(ValueError("cannot be folded")))

    assert poison.answer == "nak"
