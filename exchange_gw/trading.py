"""What operators allow to be sent: everything, sells and cancels, or cancels only. Commands that are not allowed wait."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from exchange_gw.command import Asks, Command, Side
from exchange_gw.exchange import Clock
from runtime import logs
from runtime.errors import Unavailable

SAY_AGAIN_SECONDS = 15.0

logger = logs.get_logger("exchange_gw.trading")


class TradingState(StrEnum):
    """Kinds of permission."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


class Permission(Struct, frozen=True):
    """What may be sent, who said so, why and since when."""

    state: TradingState = TradingState.ACTIVE
    actor: str = ""
    reason: str = ""
    update_time: datetime | None = None

    def allows(self, command: Command) -> bool:
        """Tell whether a command may be carried out now."""
        if command.asks in (Asks.CANCEL, Asks.QUERY) or self.state is TradingState.ACTIVE:
            return True
        return self.state is TradingState.REDUCING and command.side is Side.SELL


class Act(Struct, frozen=True):
    """Something that an operator did, for the audit."""

    time: datetime
    actor: str
    action: str
    reason: str
    detail: dict[str, str]


class PermissionStore(Protocol):
    """Where the permission is kept."""

    async def permission(self) -> Permission:
        """Return the permission; everything is allowed when nobody ever said anything."""

    async def set_permission(self, permission: Permission, act: Act) -> None:
        """Keep the permission and who changed it, both or neither."""


class PermissionNews(Protocol):
    """Where others hear of the permission."""

    async def tell(self, permission: Permission) -> None:
        """Say what is allowed now, to whoever asks later, too."""


class Trading:
    """The permission as it holds now, in this process and for all others."""

    def __init__(self, store: PermissionStore, news: PermissionNews, now: Clock) -> None:
        self.permission = Permission()
        self._store, self._news, self._now = store, news, now
        self._listeners: list[Callable[[], None]] = []

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call a listener whenever something else is allowed."""
        self._listeners.append(listener)

    async def load(self) -> None:
        """Take over what the database says, and say it to all: the bus may have forgotten it."""
        self._take(await self._store.permission())
        await self._say()

    async def keep_saying(self) -> None:
        """Say it again now and then, for ever: a broker may lose what it was told, or not have heard it."""
        while True:
            await asyncio.sleep(SAY_AGAIN_SECONDS)
            await self._say()

    async def set(self, state: TradingState, *, actor: str, reason: str) -> Permission:
        """Allow something else from now on."""
        before, time = self.permission, self._now()
        permission = Permission(state, actor, reason, time)
        detail = {"before": before.state.value, "after": state.value}
        await self._store.set_permission(permission, Act(time, actor, "SET_TRADING_STATE", reason, detail))
        self._take(permission)
        await self._say()
        return permission

    def hear(self, permission: Permission) -> None:
        """Take over what another gateway says, if it is newer."""
        mine, theirs = self.permission.update_time, permission.update_time
        if theirs is not None and (mine is None or theirs > mine):
            self._take(permission)

    async def _say(self) -> None:
        try:
            await self._news.tell(self.permission)
        except Unavailable as error:
            # The order service refuses a little later then; nothing is sent that is not allowed.
            logger.warning("trading state not said, later again", error=repr(error))

    def _take(self, permission: Permission) -> None:
        changed = permission.state is not self.permission.state
        self.permission = permission
        if changed:
            logger.warning(
                "trading state", state=permission.state.value, actor=permission.actor, reason=permission.reason
            )
            for listener in self._listeners:
                listener()
