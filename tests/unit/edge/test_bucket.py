"""How often something may happen."""

from edge.bucket import Bucket


def test_what_was_saved_up_may_be_spent_at_once_and_then_comes_bit_by_bit() -> None:
    bucket = Bucket(10.0)

    assert [bucket.take(100.0) for _ in range(20)] == [0.0] * 20
    assert bucket.take(100.0) == 0.1
    assert bucket.take(100.1) == 0.0
    assert bucket.take(100.1) > 0


def test_no_more_is_saved_than_fits() -> None:
    bucket = Bucket(10.0, burst=3)

    assert not bucket.take(0.0, 3)
    assert not bucket.take(1_000.0, 3)
    assert bucket.take(1_000.0)


def test_more_than_ever_fits_is_given_when_it_is_full_and_owed_afterwards() -> None:
    bucket = Bucket(10.0, burst=5)

    assert not bucket.take(0.0, 25)
    assert bucket.take(0.0) == 2.1
    assert bucket.take(2.0)
    assert not bucket.take(2.2)


def test_a_rate_of_0_is_no_limit() -> None:
    bucket = Bucket(0.0)

    assert not any(bucket.take(0.0, 1_000_000) for _ in range(10))
