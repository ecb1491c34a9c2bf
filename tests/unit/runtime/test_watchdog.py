"""runtime/watchdog.py: a blocked loop is told from a late one, and from a process that was frozen as a whole."""

import pytest

from runtime.watchdog import BEAT_SECONDS, LoopBlocked, Pulse


def beats(pulse: Pulse, *, since: float, until: float) -> float:
    now = since
    while now < until:
        now += BEAT_SECONDS
        pulse.look(now)
    return now


def test_a_loop_that_answers_is_asked_again_and_its_lag_is_told() -> None:
    pulse = Pulse(limit_seconds=5, now=0.0)

    assert pulse.look(0.5)
    assert pulse.answer(0.7) == pytest.approx(0.2)
    assert pulse.look(1.0)


def test_a_loop_that_has_not_answered_yet_is_not_asked_twice() -> None:
    pulse = Pulse(limit_seconds=5, now=0.0)

    assert [pulse.look(0.5), pulse.look(1.0)] == [True, False]


def test_a_loop_that_does_not_answer_within_the_limit_is_blocked() -> None:
    pulse = Pulse(limit_seconds=5, now=0.0)

    with pytest.raises(LoopBlocked):
        beats(pulse, since=0.0, until=10.0)


def test_the_time_in_which_nothing_ran_at_all_does_not_count() -> None:
    pulse = Pulse(limit_seconds=5, now=0.0)
    beats(pulse, since=0.0, until=2.0)

    assert not pulse.look(60.0)
    assert not pulse.look(60.5)
    with pytest.raises(LoopBlocked):
        beats(pulse, since=60.5, until=70.0)
