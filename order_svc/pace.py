"""How fast one account may order: a guard against bursts of the same order, and a rate. Both are off unless a limit is set.

They count what was let through here; with several replicas each counts its own.
"""

from collections import OrderedDict
from typing import TypeAlias

from order_svc.order import Order, Side
from order_svc.risk import Limits
from runtime.errors import FailedPrecondition, ResourceExhausted

# Beyond this the oldest are forgotten: a guard must not become a leak.
MAX_REMEMBERED = 100_000

_Likeness: TypeAlias = tuple[str, str, Side, int, int]


class DuplicateBurst(FailedPrecondition):
    """The account placed the same order moments ago under another key: a stuck button or a loop, most likely."""

    reason = "DUPLICATE_BURST"


class OrderRateExceeded(ResourceExhausted):
    """The account places orders faster than it may."""

    reason = "ORDER_RATE_EXCEEDED"


class Pace:
    """Counts new orders. Times are seconds of one monotonic clock."""

    def __init__(self, limits: Limits) -> None:
        self._burst_seconds, self._rate = limits.duplicate_burst_seconds, limits.orders_per_second
        self._last: OrderedDict[_Likeness, tuple[float, str]] = OrderedDict()
        # A bucket of each account, as large as one second's orders: what is left in it, and when that was so.
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admit(self, order: Order, now: float) -> None:
        """Count a new order. Raises DuplicateBurst or OrderRateExceeded."""
        if self._burst_seconds:
            self._check_burst(order, now)
        if self._rate:
            self._check_rate(order.account_id, now)
        if self._burst_seconds:
            self._last[_likeness(order)] = now, order.order_id
            self._last.move_to_end(_likeness(order))
            _bound(self._last)

    def _check_burst(self, order: Order, now: float) -> None:
        then, order_id = self._last.get(_likeness(order), (0.0, ""))
        # Under its own key it is a retry of an order whose storing failed.
        if not order_id or order_id == order.order_id or now - then >= self._burst_seconds:
            return
        raise DuplicateBurst(
            f"the same order was placed {now - then:.1f} s ago; wait, or change it, if you mean a second one",
            retry_after_seconds=self._burst_seconds - (now - then),
            limit=self._burst_seconds,
            actual=round(now - then, 3),
            reference=order_id,
        )

    def _check_rate(self, account_id: str, now: float) -> None:
        size = max(self._rate, 1.0)
        left, then = self._left.pop(account_id, (size, now))
        left = min(left + (now - then) * self._rate, size)
        enough = left >= 1.0
        self._left[account_id] = left - 1.0 if enough else left, now
        _bound(self._left)
        if not enough:
            raise OrderRateExceeded(
                f"at most {self._rate:g} orders a second",
                retry_after_seconds=(1.0 - left) / self._rate,
                limit=self._rate,
                actual=round(self._rate + 1.0 - left, 3),
            )


def _likeness(order: Order) -> _Likeness:
    terms = order.terms
    price = terms.limit_price_micros
    return order.account_id, terms.symbol, terms.side, terms.quantity, price


def _bound(remembered: OrderedDict[_Likeness, tuple[float, str]] | OrderedDict[str, tuple[float, float]]) -> None:
    if len(remembered) > MAX_REMEMBERED:
        remembered.popitem(last=False)
