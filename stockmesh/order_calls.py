"""What a client does with orders. A request that got no answer is asked again with the same key until the truth is known."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from stockmesh.asking import Asker, Attempts
from stockmesh.errors import Outcome, Refused, StockmeshError, UnexpectedAnswer
from stockmesh.following import OrderUpdates
from stockmesh.models import (
    Order,
    OrderPage,
    OrderState,
    OrderType,
    PendingAction,
    Placement,
    Preview,
    Side,
    TimeInForce,
    TimelineEntry,
)
from stockmesh.models.wire import read, time_text
from stockmesh.order_feed import OrderFeed
from stockmesh.price_calls import items

NOT_FOUND, KEY_TAKEN = "ORDER_NOT_FOUND", "IDEMPOTENCY_MISMATCH"
# The longest that a request without an answer may still live in the servers and take effect.
SETTLE_SECONDS = 5.0
LARGEST_PAGE = 500

Price = Decimal | str


class OrderCalls:
    """Orders of the token's account; `account_id` only for tokens with several. Prices are Decimal or text, never float."""

    def __init__(self, asker: Asker, feed: OrderFeed) -> None:
        self._asker, self._feed = asker, feed

    async def place(
        self,
        symbol: str,
        side: Side | str,
        quantity: int,
        *,
        limit_price: Price | None = None,
        time_in_force: TimeInForce | str | None = None,
        submit_by: datetime | None = None,
        client_order_id: str | None = None,
        account_id: str | None = None,
    ) -> Placement:
        """Place an order (LIMIT with a limit price, else MARKET) and return it as stored; it reaches the exchange right after.

        The key `client_order_id` is made when none is given. After a lost connection or a time-out the same key is asked again,
        so that an order is never placed twice and the answer is the truth. Raises Refused (nothing was placed), or, when the
        time-out passes without an answer, an error with outcome UNKNOWN and the key in `details["clientOrderId"]`: ask again
        with that key.
        """
        key = client_order_id or new_key()
        more = {"timeInForce": _upper(time_in_force), "submitBy": time_text(submit_by), "accountId": account_id}
        params = _wish(symbol, side, quantity, limit_price, clientOrderId=key, **more)
        attempts = Attempts()
        try:
            return read(Placement, await self._asker.ask("orders.place", params, attempts))
        except Refused as refusal:
            refusal.details.setdefault("clientOrderId", key)
            if not attempts.doubtful or refusal.reason == KEY_TAKEN:
                raise
            # An earlier attempt that got no answer may be stored all the same.
            order = await self._settled(_named(None, key, account_id), refusal)
            return Placement(order=order, replayed=True)
        except StockmeshError as error:
            error.details.setdefault("clientOrderId", key)
            raise

    async def preview(
        self,
        symbol: str,
        side: Side | str,
        quantity: int,
        *,
        limit_price: Price | None = None,
        time_in_force: TimeInForce | str | None = None,
        account_id: str | None = None,
    ) -> Preview:
        """Run every check of `place`, store nothing, and return the order as it would be."""
        more = {"timeInForce": _upper(time_in_force), "accountId": account_id}
        wish = _wish(symbol, side, quantity, limit_price, **more)
        return read(Preview, await self._asker.ask("orders.preview", {"order": wish}))

    async def cancel(
        self, order_id: str | None = None, *, client_order_id: str | None = None, account_id: str | None = None
    ) -> Order:
        """Ask for a cancel and return the order; `pending_action` is CANCEL until it is decided. Asking again changes nothing."""
        named, attempts = _named(order_id, client_order_id, account_id), Attempts()
        try:
            return _order(await self._asker.ask("orders.cancel", named, attempts))
        except Refused as refusal:
            if not attempts.doubtful:
                raise
            order = await self._settled(named, refusal)
            if order.state is not OrderState.CANCELED and order.pending_action is not PendingAction.CANCEL:
                raise
            return order

    async def replace(
        self,
        order_id: str | None = None,
        *,
        client_order_id: str | None = None,
        quantity: int | None = None,
        limit_price: Price | None = None,
        account_id: str | None = None,
    ) -> Order:
        """Ask for another total quantity or limit price and return the order; `pending_action` is REPLACE until it is decided."""
        named, attempts = _named(order_id, client_order_id, account_id), Attempts()
        change: dict[str, Any] = {}
        if quantity is not None:
            change["quantity"] = str(quantity)
        if limit_price is not None:
            change["limitPrice"] = price_text(limit_price)
        try:
            return _order(await self._asker.ask("orders.replace", named | change, attempts))
        except Refused as refusal:
            if not attempts.doubtful:
                raise
            order = await self._settled(named, refusal)
            has_quantity = quantity is None or order.quantity == quantity
            has_price = limit_price is None or order.limit_price == Decimal(limit_price)
            if order.pending_action is not PendingAction.REPLACE and not (has_quantity and has_price):
                raise
            return order

    async def order(
        self, order_id: str | None = None, *, client_order_id: str | None = None, account_id: str | None = None
    ) -> Order:
        """Return one order by either id. Raises Refused (ORDER_NOT_FOUND), also for another account's."""
        return _order(await self._asker.ask("orders.get", _named(order_id, client_order_id, account_id)))

    async def orders_page(
        self,
        *,
        symbol: str | None = None,
        states: Iterable[OrderState | str] = (),
        page_size: int = 50,
        page_token: str = "",
        changed_since: datetime | None = None,
        account_id: str | None = None,
    ) -> OrderPage:
        """Return one page of the account's orders, newest first; `changed_since` leaves out what ended before."""
        params: dict[str, Any] = {"pageSize": page_size}
        params |= _given(
            symbol=symbol,
            states=[str(state) for state in states],
            pageToken=page_token,
            changedSince=time_text(changed_since),
            accountId=account_id,
        )
        return read(OrderPage, await self._asker.ask("orders.list", params))

    async def orders(
        self,
        *,
        symbol: str | None = None,
        states: Iterable[OrderState | str] = (),
        limit: int | None = None,
        account_id: str | None = None,
    ) -> AsyncIterator[Order]:
        """Give the account's orders, newest first, page after page, at most `limit`."""
        token, left, states = "", limit, list(states)
        while left is None or left > 0:
            size = LARGEST_PAGE if left is None else min(left, LARGEST_PAGE)
            page = await self.orders_page(
                symbol=symbol, states=states, page_size=size, page_token=token, account_id=account_id
            )
            for order in page.orders:
                yield order
            token, left = page.next_page_token, None if left is None else left - len(page.orders)
            if not token:
                return

    async def timeline(
        self, order_id: str | None = None, *, client_order_id: str | None = None, account_id: str | None = None
    ) -> list[TimelineEntry]:
        """Return what happened to an order at which hop and when, oldest first."""
        answer = await self._asker.ask("orders.timeline", _named(order_id, client_order_id, account_id))
        return [read(TimelineEntry, item) for item in items(answer, "entries")]

    def order_updates(self, from_position: str | None = None) -> OrderUpdates:
        """Return every change of the account's orders after a position, or from now on, without a gap over lost connections.

        Use it as `async with client.order_updates() as updates` and iterate.
        """
        return self._feed.updates(from_position or "")

    async def _settled(self, named: dict[str, str], refusal: Refused) -> Order:
        """Return the order once no earlier attempt can change it any more; raises the refusal when there is none."""
        await asyncio.sleep(SETTLE_SECONDS)
        try:
            return _order(await self._asker.ask("orders.get", named))
        except Refused as answer:
            if answer.reason == NOT_FOUND:
                refusal.outcome = Outcome.NOT_EXECUTED
            raise refusal from None
        except StockmeshError:
            raise refusal from None


def new_key() -> str:
    """Return a client order id that nobody else makes."""
    return uuid4().hex


def price_text(price: Price) -> str:
    """Return a price as the wire wants it: decimal text without an exponent. Raises TypeError for a float."""
    if isinstance(price, float):
        raise TypeError("a price is a Decimal or text: a float cannot hold most prices")
    return f"{price:f}" if isinstance(price, Decimal) else str(price)


def _wish(symbol: str, side: Side | str, quantity: int, limit_price: Price | None, **more: Any) -> dict[str, Any]:
    kind = OrderType.MARKET if limit_price is None else OrderType.LIMIT
    wish: dict[str, Any] = {"symbol": symbol, "side": str(side).upper(), "type": kind.value, "quantity": str(quantity)}
    if limit_price is not None:
        wish["limitPrice"] = price_text(limit_price)
    return wish | _given(**more)


def _upper(word: str | None) -> str | None:
    return str(word).upper() if word else None


def _named(order_id: str | None, client_order_id: str | None, account_id: str | None) -> dict[str, str]:
    if (order_id is None) == (client_order_id is None):
        raise ValueError("name the order by order_id or by client_order_id")
    return _given(orderId=order_id, clientOrderId=client_order_id, accountId=account_id)


def _given(**params: Any) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value}


def _order(answer: Any) -> Order:
    order = read(Order, answer.get("order") if isinstance(answer, dict) else answer)
    if not order.order_id:
        raise UnexpectedAnswer("the server answered with an order that has no id")
    return order
