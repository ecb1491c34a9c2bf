"""The account's order updates over all sessions of a client: one chain of positions, resumed where it broke."""

import asyncio
from typing import Any

from stockmesh.backoff import Backoff
from stockmesh.deadlines import deadline_of
from stockmesh.errors import Refused, Retry, StockmeshError, UnexpectedAnswer
from stockmesh.following import OrderUpdates
from stockmesh.frames import Notification
from stockmesh.models import OrderSnapshot, OrderUpdate
from stockmesh.models.wire import read
from stockmesh.session import Session


class OrderFeed:
    """The readers of a client, and the one subscription that serves them all."""

    def __init__(self, *, ready_seconds: float) -> None:
        self._ready_seconds = ready_seconds
        self._readers: set[OrderUpdates] = set()
        self._position = ""
        # True from the server's answer on: what comes before it belongs to a subscription that was given up.
        self._flowing = False
        # The server has just answered from where it goes on, so its next update follows, whatever `previous` says.
        self._next_follows = False
        self._reported = ""
        self._changed = asyncio.Event()
        self._end: StockmeshError | None = None

    def updates(self, from_position: str) -> OrderUpdates:
        """Return a reader; it begins when it is entered or iterated. Raises ValueError for a second position at a time."""
        if from_position and self._readers:
            raise ValueError("order updates are followed already: open another client to follow from another position")
        return OrderUpdates(
            opened=self._open, closed=self._close, ready_seconds=self._ready_seconds, position=from_position
        )

    async def keep(self, session: Session) -> None:
        """Subscribe while there is a reader; subscribe again from the last position where the chain broke."""
        pauses = Backoff()
        self._flowing = False
        while True:
            self._changed.clear()
            if self._readers and not self._flowing:
                try:
                    await self._subscribe(session)
                    pauses.reset()
                except Refused as error:
                    if error.retry is Retry.NEVER:
                        self._refuse(error)
                    else:
                        await asyncio.sleep(pauses.next(at_least=error.retry_after_seconds or 0.0))
                        continue
            elif self._flowing and not self._readers:
                self._flowing, self._position = False, ""
                await session.request("orders.unsubscribe", {}, seconds=deadline_of("orders.unsubscribe"))
                continue
            await self._changed.wait()

    def hear(self, message: Notification) -> None:
        """Pass updates on while the chain holds; where it broke, ask again."""
        if message.method == "session.heartbeat":
            self._compare(message.params)
        elif message.method == "orders.snapshot" and self._flowing:
            snapshot = read(OrderSnapshot, message.params)
            self._pass_on(snapshot)
        elif message.method == "orders.update" and self._flowing:
            update = read(OrderUpdate, message.params)
            if update.position == self._position:
                return
            if self._next_follows or not update.previous or update.previous == self._position:
                self._pass_on(update)
            else:
                self._ask_again()

    def lost(self, error: StockmeshError) -> None:
        """Nothing flows until the next session."""
        self._flowing = False

    def end(self, error: StockmeshError) -> None:
        """End every reader, and those to come."""
        self._end = error
        for reader in self._readers:
            reader.fail(error)

    async def _subscribe(self, session: Session) -> None:
        params = {"from": self._position} if self._position else {}
        await session.request(
            "orders.subscribe", params, seconds=deadline_of("orders.subscribe"), then=self._flows_from_here
        )

    def _flows_from_here(self, answer: object) -> None:
        if not isinstance(answer, dict):
            raise UnexpectedAnswer("orders.subscribe was answered with something that is no object")
        self._flowing = self._next_follows = True
        self._position = self._position or str(answer.get("position") or "")
        for reader in self._readers:
            reader.begin(self._position)

    def _compare(self, heartbeat: dict[str, Any]) -> None:
        """The heartbeat tells the account's last position: twice the same one that never reached us is a silent loss."""
        told = str(heartbeat.get("position") or "")
        behind = bool(told) and self._flowing and told != self._position
        if behind and told == self._reported:
            self._ask_again()
        self._reported = told if behind else ""

    def _ask_again(self) -> None:
        self._flowing = False
        self._changed.set()

    def _pass_on(self, item: OrderUpdate | OrderSnapshot) -> None:
        self._position, self._next_follows = item.position, False
        for reader in self._readers:
            reader.offer(item)

    def _refuse(self, error: Refused) -> None:
        for reader in list(self._readers):
            reader.fail(error)
            self._readers.discard(reader)

    def _open(self, reader: OrderUpdates) -> None:
        if self._end is not None:
            reader.fail(self._end)
            return
        if not self._readers:
            self._flowing, self._position = False, reader.position
        self._readers.add(reader)
        if self._flowing:
            reader.begin(self._position)
        self._changed.set()

    def _close(self, reader: OrderUpdates) -> None:
        self._readers.discard(reader)
        self._changed.set()
