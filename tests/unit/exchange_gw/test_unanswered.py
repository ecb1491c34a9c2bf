"""Silence proves nothing; absence needs proof."""

from itertools import pairwise

from exchange_gw.command import Asks
from exchange_gw.unanswered import MOST_SECONDS_BETWEEN_QUESTIONS, Unanswered, answered_by
from tests.unit.exchange_gw.factories import PATIENCE, a_command


def some_unanswered(*, logon: int = 1) -> Unanswered:
    unanswered = Unanswered(PATIENCE)
    unanswered.add(a_command(), logon=logon, batch="b1", now=0.0)
    return unanswered


def test_a_request_is_asked_about_later_and_later() -> None:
    unanswered, asked, now = some_unanswered(), list[float](), 0.0
    while now < 200:
        asked += [now for _ in unanswered.to_ask(now, most=10)]
        now += 0.25

    gaps = [later - earlier for earlier, later in pairwise(asked)]
    assert asked[0] == PATIENCE.ask_after
    assert gaps[1] > gaps[0]
    assert max(gaps) <= MOST_SECONDS_BETWEEN_QUESTIONS * 1.25 + 0.25


def test_silence_is_told_once() -> None:
    unanswered = some_unanswered()

    assert not unanswered.to_tell(PATIENCE.uncertain_after)
    assert len(unanswered.to_tell(PATIENCE.uncertain_after + 0.1)) == 1
    assert not unanswered.to_tell(100)
    assert not unanswered.all_to_tell()


def test_unknown_in_the_session_of_the_sending_proves_nothing() -> None:
    unanswered = some_unanswered(logon=5)
    for now in (1.0, 10.0, 100.0):
        unanswered.hear_unknown("o1", logon=5, now=now)

    assert not unanswered.absent(1000)


def test_unknown_said_once_proves_nothing() -> None:
    unanswered = some_unanswered(logon=5)
    unanswered.hear_unknown("o1", logon=6, now=10.0)

    assert not unanswered.absent(1000)


def test_unknown_said_twice_within_the_grace_proves_nothing_yet() -> None:
    unanswered = some_unanswered(logon=5)
    for now in (10.0, 10.1):
        unanswered.hear_unknown("o1", logon=6, now=now)

    assert not unanswered.absent(10.0 + PATIENCE.absence_grace - 0.1)
    assert [entry.cl_ord_id for entry in unanswered.absent(10.0 + PATIENCE.absence_grace)] == ["o1"]


def test_sending_again_voids_the_proof() -> None:
    unanswered = some_unanswered(logon=5)
    for now in (10.0, 20.0):
        unanswered.hear_unknown("o1", logon=6, now=now)
    [entry] = unanswered.absent(20.0)

    unanswered.sent_again(entry, logon=6, now=20.0)
    unanswered.hear_unknown("o1", logon=6, now=30.0)
    unanswered.hear_unknown("o1", logon=6, now=40.0)

    assert not unanswered.absent(50.0)


def test_a_batch_is_finished_when_it_is_complete_and_answered() -> None:
    unanswered = Unanswered(PATIENCE)
    unanswered.begin("b1")
    entry = unanswered.add(a_command(), logon=1, batch="b1", now=0.0)
    unanswered.settle(entry)
    assert not unanswered.finished_batches()

    unanswered.complete("b1")
    unanswered.settle(entry)

    assert unanswered.finished_batches() == ["b1"]
    unanswered.forget(["b1"])
    assert not unanswered.finished_batches()
    assert len(unanswered) == 0


def test_what_a_report_answers() -> None:
    unanswered = some_unanswered()
    unanswered.add(a_command(Asks.CANCEL), logon=1, batch="b1", now=0.0)
    unanswered.add(a_command(Asks.REPLACE, number=2), logon=1, batch="b1", now=0.0)
    entries = unanswered.of_order("o1")

    def answered(name: str, *, ended: bool = False) -> list[Asks]:
        return [entry.command.asks for entry in answered_by(entries, name, ended=ended)]

    assert answered("o1") == [Asks.SUBMIT]
    assert answered("o1-1") == [Asks.SUBMIT]
    assert answered("o1-2") == [Asks.SUBMIT, Asks.REPLACE]
    assert answered("o1", ended=True) == [Asks.SUBMIT, Asks.CANCEL, Asks.REPLACE]
