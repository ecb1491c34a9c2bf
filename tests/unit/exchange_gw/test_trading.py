"""What operators allow, and who hears of it."""

import pytest

from exchange_gw.command import Asks, Side
from exchange_gw.trading import Permission, Trading, TradingState
from runtime.errors import Unavailable
from tests.unit.exchange_gw.factories import NOON, Clock, MemoryPermission, a_command, at


@pytest.mark.parametrize(
    ("state", "buy", "sell", "cancel"),
    [
        (TradingState.ACTIVE, True, True, True),
        (TradingState.REDUCING, False, True, True),
        (TradingState.HALTED, False, False, True),
    ],
)
def test_what_is_allowed(state: TradingState, buy: bool, sell: bool, cancel: bool) -> None:
    permission = Permission(state)

    assert permission.allows(a_command()) is buy
    assert permission.allows(a_command(side=Side.SELL)) is sell
    assert permission.allows(a_command(Asks.CANCEL)) is cancel
    assert permission.allows(a_command(Asks.QUERY))


def some_trading(store: MemoryPermission) -> Trading:
    return Trading(store, store, Clock().now)


async def test_what_was_allowed_last_is_taken_over_and_said() -> None:
    store = MemoryPermission()
    store.kept = Permission(TradingState.HALTED, "olga", "why", NOON)

    trading = some_trading(store)
    await trading.load()

    assert trading.permission.state is TradingState.HALTED
    assert store.said == [store.kept]


async def test_a_change_is_kept_with_who_and_why_and_wakes_the_lanes() -> None:
    store, woken = MemoryPermission(), list[int]()
    trading = some_trading(store)
    trading.on_change(lambda: woken.append(1))

    await trading.set(TradingState.HALTED, actor="olga", reason="why")

    assert store.kept.state is TradingState.HALTED
    assert (store.acts[0].actor, store.acts[0].reason) == ("olga", "why")
    assert store.acts[0].detail == {"before": "ACTIVE", "after": "HALTED"}
    assert woken == [1]


async def test_only_newer_words_of_another_gateway_count() -> None:
    trading = some_trading(MemoryPermission())
    await trading.set(TradingState.HALTED, actor="olga", reason="why")

    trading.hear(Permission(TradingState.ACTIVE, "otto", "", at(-1)))
    assert trading.permission.state is TradingState.HALTED
    trading.hear(Permission(TradingState.ACTIVE, "otto", "", at(1)))
    assert trading.permission.actor == "otto"


async def test_a_broker_that_is_away_does_not_undo_a_halt() -> None:
    class Deaf(MemoryPermission):
        async def tell(self, permission: Permission) -> None:
            raise Unavailable("away")

    trading = some_trading(Deaf())

    await trading.set(TradingState.HALTED, actor="olga", reason="why")

    assert trading.permission.state is TradingState.HALTED
