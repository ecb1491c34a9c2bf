"""Pauses grow, are spread over their whole range, and start anew after a success."""

from stockmesh.backoff import Backoff


def test_pauses_stay_below_a_ceiling_that_doubles() -> None:
    for failures, ceiling in ((0, 0.25), (1, 0.5), (4, 4.0), (10, 15.0), (1000, 15.0)):
        backoff = Backoff()
        for _ in range(failures):
            backoff.next()
        assert 0 <= backoff.next() <= ceiling


def test_pauses_use_the_whole_range() -> None:
    pauses = [Backoff(first=1.0).next() for _ in range(300)]

    assert min(pauses) < 0.1
    assert max(pauses) > 0.9


def test_the_servers_wish_is_kept() -> None:
    assert Backoff().next(at_least=3.0) >= 3.0


def test_a_success_starts_anew() -> None:
    backoff = Backoff(first=0.001, longest=1000)
    for _ in range(15):
        backoff.next()
    backoff.reset()

    assert backoff.failures == 0
    assert backoff.next() <= 0.001
