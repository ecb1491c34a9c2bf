"""The client: one object for prices and orders over a connection that heals itself."""

import ssl
from types import TracebackType
from typing import Self

from stockmesh.asking import Asker
from stockmesh.link import Link, Token
from stockmesh.order_calls import OrderCalls
from stockmesh.order_feed import OrderFeed
from stockmesh.price_calls import PriceCalls
from stockmesh.subscriptions import Subscriptions

CONNECT_SECONDS = 5.0
TIMEOUT_SECONDS = 15.0


class Client(PriceCalls, OrderCalls):
    """A connection to stockmesh: `async with Client(url, token) as client: ...`.

    `token` is a text, or a function (plain or async) that is asked for a fresh one at each connection. Entering connects and
    authenticates, or raises what kept it from that. A connection that is lost later is made again with growing, jittered pauses;
    prices are subscribed again, order updates resume where they were. It ends for good when the server says so (SessionClosed,
    close codes from 4500) or refuses the token. A call gives up after `timeout_seconds`, all its attempts together.
    """

    def __init__(
        self,
        url: str,
        token: Token,
        *,
        connect_seconds: float = CONNECT_SECONDS,
        timeout_seconds: float = TIMEOUT_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        subscriptions, feed = Subscriptions(), OrderFeed(ready_seconds=timeout_seconds)
        self._link = Link(url, token, followers=(subscriptions, feed), connect_seconds=connect_seconds, tls=tls)
        asker = Asker(self._link, timeout_seconds=timeout_seconds)
        PriceCalls.__init__(self, asker, subscriptions)
        OrderCalls.__init__(self, asker, feed)

    async def __aenter__(self) -> Self:
        await self._link.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._link.close()

    @property
    def connected(self) -> bool:
        """True while there is an authenticated session."""
        return self._link.connected
