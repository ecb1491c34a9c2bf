"""order_svc/pace.py: the same order twice, and too many orders."""

import pytest

from order_svc.pace import DuplicateBurst, OrderRateExceeded, Pace
from order_svc.risk import Limits
from tests.factories import an_order

BURST = Limits(duplicate_burst_seconds=2.0)
RATE = Limits(orders_per_second=2.0)


def test_without_limits_everything_passes() -> None:
    pace = Pace(Limits())

    for number in range(1_000):
        pace.admit(an_order(client_order_id=f"k{number}"), now=0.0)


def test_the_same_order_under_another_key_is_refused_until_the_time_is_over() -> None:
    pace = Pace(BURST)
    first = an_order(client_order_id="k1")
    pace.admit(first, now=10.0)

    with pytest.raises(DuplicateBurst) as refusal:
        pace.admit(an_order(client_order_id="k2"), now=11.5)

    assert refusal.value.metadata == {"limit": "2.0", "actual": "1.5", "reference": first.order_id}
    assert refusal.value.retry_after_seconds == 0.5
    pace.admit(an_order(client_order_id="k3"), now=12.0)


@pytest.mark.parametrize(
    "other", [{"quantity": 11}, {"limit_price_micros": 190_130_000}, {"symbol": "MSFT"}, {"account_id": "other"}]
)
def test_an_order_that_differs_is_no_burst(other: dict[str, object]) -> None:
    pace = Pace(BURST)
    pace.admit(an_order(client_order_id="k1"), now=10.0)

    pace.admit(an_order(client_order_id="k2", **other), now=10.0)


def test_a_retry_under_its_own_key_is_no_burst() -> None:
    pace = Pace(BURST)

    for _ in range(3):
        pace.admit(an_order(client_order_id="k1"), now=10.0)


def test_an_account_may_place_so_many_a_second_and_another_account_is_not_touched() -> None:
    pace = Pace(RATE)
    for number in range(2):
        pace.admit(an_order(client_order_id=f"k{number}"), now=10.0)

    with pytest.raises(OrderRateExceeded) as refusal:
        pace.admit(an_order(client_order_id="k3"), now=10.0)

    assert refusal.value.retry_after_seconds == 0.5
    assert refusal.value.metadata["limit"] == "2.0"
    pace.admit(an_order(client_order_id="k1", account_id="other"), now=10.0)
    pace.admit(an_order(client_order_id="k3"), now=10.5)
