"""The trades of a firm, found by their time. Pure."""

from bisect import bisect_left, bisect_right
from typing import NamedTuple

from infra.exchange_sim.facts import Filled
from infra.exchange_sim.order import State


class Fill(NamedTuple):
    """A trade of an order, and the state of the order right after it."""

    fact: Filled
    state: State


class Fills:
    """The trades of a firm in the order of their numbers.

    A trade's place in time is that of the latest before it, if its own is earlier: clocks may be set back, numbers are not.
    """

    def __init__(self) -> None:
        self._fills: list[Fill] = []
        self._times: list[int] = []

    def __getitem__(self, number: int) -> Fill:
        return self._fills[number]

    def add(self, fill: Fill) -> None:
        """Take in the newest trade."""
        self._fills.append(fill)
        self._times.append(max(fill.fact.time_us, self._times[-1] if self._times else 0))

    def between(self, since_us: int, until_us: int) -> range:
        """Return the places of the trades of a time; both ends belong to it."""
        return range(bisect_left(self._times, since_us), bisect_right(self._times, until_us))
