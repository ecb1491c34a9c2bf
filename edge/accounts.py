"""What each account may use of this process, and of all replicas together: sockets, messages, orders, subscriptions."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from edge.bucket import Bucket
from edge.errors import RateLimited, TooManyConnections
from runtime.principal import Principal
from runtime.quotas import Places, SharedRate

# An account without sockets is remembered until its buckets are full again, so that to come again buys nothing.
REMEMBERED_SECONDS = 10.0
FULL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one account may use; 0 means no limit."""

    sockets: int
    messages_per_second: float
    orders_per_second: float
    subscriptions: int
    subscriptions_per_second: float


class Budget:
    """What one account uses in this process."""

    __slots__ = ("allowance", "empty_since", "key", "messages", "orders", "sockets", "subscribing", "watched")

    def __init__(self, key: str, allowance: Allowance) -> None:
        self.key, self.allowance = key, allowance
        self.messages = Bucket(allowance.messages_per_second)
        self.orders = Bucket(allowance.orders_per_second)
        self.subscribing = Bucket(allowance.subscriptions_per_second)
        # Open sockets, and the symbols that they watch together.
        self.sockets = self.watched = 0
        self.empty_since = 0.0

    @property
    def subscriptions_left(self) -> int | None:
        """How many more symbols may be watched; None when there is no limit."""
        limit = self.allowance.subscriptions
        return max(limit - self.watched, 0) if limit else None

    def subscribe(self, symbols: int) -> None:
        """Count symbols that are to be watched. Raises RateLimited."""
        _spend(self.subscribing, symbols, "subscriptions", self.allowance.subscriptions_per_second)


class Member(Protocol):
    """A connection, seen from its account."""

    budget: Budget | None
    is_gone: bool

    @property
    def member(self) -> str:
        """A name that no other connection has."""


class Accounts:
    """The accounts that have sockets here. Without `places` and `rate` limits are this process's own."""

    def __init__(self, allowance: Allowance, *, places: Places | None = None, rate: SharedRate | None = None) -> None:
        self.allowance = allowance
        self._places, self._rate = places, rate
        self._budgets: dict[str, Budget] = {}

    async def enter(self, member: Member, principal: Principal) -> None:
        """Count a connection for an account, once. Raises TooManyConnections."""
        key = account_key(principal)
        before = member.budget
        if before is not None and before.key == key:
            return
        budget = self._budget(key)
        limit = self.allowance.sockets
        if 0 < limit <= budget.sockets:
            raise _full(limit)
        # Counted before anything is awaited: others come in the meantime.
        budget.sockets += 1
        if limit and self._places is not None and not await self._places.take(key, member.member):
            self._release(budget)
            raise _full(limit)
        if before is not None:
            self._release(before)
        member.budget = budget
        if member.is_gone:
            self.leave(member)

    def leave(self, member: Member) -> None:
        """A connection is gone."""
        if member.budget is None:
            return
        self._release(member.budget)
        member.budget = None
        if self._places is not None:
            self._places.give_back(member.member)

    def order(self, budget: Budget, accounts: Sequence[str], named: str) -> None:
        """Count an order for the account that it names, or for the client's own. Raises RateLimited."""
        if named and named in accounts and named != budget.key:
            budget = self._budget(named)
        if self._rate is not None:
            seconds = self._rate.wait_seconds(budget.key)
            if seconds:
                raise _limited(seconds, "orders", self.allowance.orders_per_second)
        _spend(budget.orders, 1, "orders", self.allowance.orders_per_second)
        if self._rate is not None:
            self._rate.note(budget.key)

    async def run(self) -> None:
        """Forget accounts that are gone, for ever."""
        while True:
            await asyncio.sleep(REMEMBERED_SECONDS)
            old = asyncio.get_running_loop().time() - REMEMBERED_SECONDS
            self._budgets = {key: kept for key, kept in self._budgets.items() if kept.sockets or kept.empty_since > old}

    def _budget(self, key: str) -> Budget:
        budget = self._budgets.get(key)
        if budget is None:
            budget = self._budgets[key] = Budget(key, self.allowance)
            budget.empty_since = asyncio.get_running_loop().time()
        return budget

    @staticmethod
    def _release(budget: Budget) -> None:
        budget.sockets -= 1
        budget.empty_since = asyncio.get_running_loop().time()


def account_key(principal: Principal) -> str:
    """Return what a client's use is counted by: its account, or itself when it speaks for several."""
    return principal.accounts[0] if len(principal.accounts) == 1 else f"subject {principal.subject}"


def _spend(bucket: Bucket, count: int, scope: str, rate: float) -> None:
    seconds = bucket.take(asyncio.get_running_loop().time(), count)
    if seconds:
        raise _limited(seconds, scope, rate)


def _limited(seconds: float, scope: str, rate: float) -> RateLimited:
    return RateLimited(f"too many {scope}", retry_after_seconds=seconds, scope=scope, limit=f"{rate:g}")


def _full(limit: int) -> TooManyConnections:
    return TooManyConnections(
        "the account has too many connections", scope="account", limit=limit, retry_after_seconds=FULL_SECONDS
    )
