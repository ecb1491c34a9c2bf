"""What operators do is written down, and needs a reason."""

from collections.abc import Sequence
from datetime import datetime

import pytest

from exchange_gw.exchange import SessionState, Standing
from exchange_gw.feed import Feed
from exchange_gw.operations import DeadLetter, DeadLetterNotFound, DeadLetterWithoutOrigin, Operations, WhyRequired
from exchange_gw.ports import Break
from exchange_gw.trading import Act, TradingState
from tests.unit.exchange_gw.factories import NOON, World
from tests.unit.exchange_gw.test_feed import Board, Epochs


def a_letter(letter_id: int, subject: str = "orders.commands.0.demo") -> DeadLetter:
    return DeadLetter(
        letter_id=letter_id, stream="ORDER_COMMANDS", subject=subject, reason="MALFORMED", detail="", order_id="o1",
        deliveries=1, time=NOON, payload=b"bytes",
    )  # fmt: skip


class Box:
    def __init__(self) -> None:
        self.letters = {one.letter_id: one for one in (a_letter(1), a_letter(2, subject=""))}
        self.back: list[DeadLetter] = []

    async def newest(self, *, below: int | None, most: int) -> list[DeadLetter]:
        return [one for one in self.letters.values() if below is None or one.letter_id < below][::-1][:most]

    async def find(self, letter_id: int) -> DeadLetter | None:
        return self.letters.get(letter_id)

    async def put_back(self, letter: DeadLetter) -> None:
        self.back.append(letter)

    async def drop(self, letter_id: int) -> None:
        del self.letters[letter_id]


class Records:
    def __init__(self) -> None:
        self.acts: list[Act] = []

    async def record(self, act: Act) -> None:
        self.acts.append(act)

    async def breaks(self, *, before: tuple[datetime, str] | None, most: int) -> list[Break]:
        return []


class Sessions:
    def states(self) -> Sequence[SessionState]:
        return [SessionState("A", "B", Standing.AWAY, None, 0)]


@pytest.fixture
def office() -> "Office":
    return Office()


class Office:
    def __init__(self) -> None:
        self.world, self.box, self.records = World(), Box(), Records()
        self.operations = Operations(
            lanes=[self.world.lane],
            feed=Feed(Epochs(), Board(), lambda: NOON),
            trading=self.world.trading,
            letters=self.box,
            records=self.records,
            sessions=Sessions(),
            now=lambda: NOON,
        )


async def test_a_replayed_letter_is_back_on_its_subject_and_gone_from_the_box(office: Office) -> None:
    letter = await office.operations.replay(1, actor="olga", why="fixed")

    assert office.box.back == [letter]
    assert list(office.box.letters) == [2]
    assert [(act.action, act.actor, act.reason) for act in office.records.acts] == [
        ("REPLAY_DEAD_LETTER", "olga", "fixed")
    ]


async def test_a_letter_without_an_origin_stays(office: Office) -> None:
    with pytest.raises(DeadLetterWithoutOrigin):
        await office.operations.replay(2, actor="olga", why="fixed")
    assert list(office.box.letters) == [1, 2]


async def test_a_discarded_letter_is_gone(office: Office) -> None:
    await office.operations.discard(2, actor="olga", why="hopeless")

    assert list(office.box.letters) == [1]
    with pytest.raises(DeadLetterNotFound):
        await office.operations.discard(2, actor="olga", why="again")


@pytest.mark.parametrize("why", ["", "  "])
async def test_nothing_is_done_without_a_reason(office: Office, why: str) -> None:
    for act in (
        office.operations.replay(1, actor="olga", why=why),
        office.operations.discard(1, actor="olga", why=why),
        office.operations.set_trading_state(TradingState.HALTED, actor="olga", why=why),
        office.operations.reconcile(actor="olga", why=why),
    ):
        with pytest.raises(WhyRequired):
            await act
    assert office.records.acts == []


def test_the_status_of_a_venue_never_heard(office: Office) -> None:
    status = office.operations.status()

    assert (status.feed_age_ms, status.instruments, status.unanswered) == (-1, 0, 0)
    assert status.permission.state is TradingState.ACTIVE
