"""What the exchange decides: who trades how much at which price. Pure: no clock, no network, no storage."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple, TypedDict

from infra.exchange_sim.book import Book, firm_of
from infra.exchange_sim.facts import (
    Accepted,
    AnyFact,
    Canceled,
    Expired,
    Filled,
    OrderType,
    Rejected,
    Replaced,
    Side,
    TimeInForce,
)
from infra.exchange_sim.instruments import Instrument
from infra.exchange_sim.market import Quote
from infra.exchange_sim.order import Order
from infra.exchange_sim.requests import (
    CancelRejectReason,
    CancelRequest,
    NewOrder,
    Refused,
    RejectReason,
    ReplaceRequest,
)
from infra.exchange_sim.trades import Trade, check_numbers, touched, walk


class Change(NamedTuple):
    """A fact that is in the book, and its order right after it; None for a duplicate, which makes no order."""

    fact: AnyFact
    order: Order | None


class _Number(TypedDict):
    seq: int
    exec_id: str
    time_us: int


class _Identity(TypedDict):
    order_id: str
    session: str
    cl_ord_id: str
    account: str
    symbol: str
    side: Side
    quantity: int
    price_micros: int


class Matching:
    """Decides on requests and price moves; every decision is a fact, is numbered and is in the book when it returns."""

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        quotes: Mapping[str, Quote],
        halted: Collection[str],
        book: Book,
        *,
        birth: str,
        duplicate_detection: bool,
    ) -> None:
        self._instruments, self._quotes, self._halted = instruments, quotes, halted
        self._book, self._birth = book, birth
        self.duplicate_detection = duplicate_detection

    def is_known(self, session: str, cl_ord_id: str) -> bool:
        """Return whether a key of the session's firm was used before; never without duplicate detection."""
        return self.duplicate_detection and self._book.find(firm_of(session), cl_ord_id) is not None

    def place(self, request: NewOrder, now_us: int, *, unwanted: str = "") -> list[Change]:
        """Take an order and trade what can be traded at once, or reject it; `unwanted` is a reason to reject it at any rate."""
        if self.is_known(request.session, request.cl_ord_id):
            text = f"ClOrdID {request.cl_ord_id} is known already"
            return [self._reject(request, Refused(RejectReason.DUPLICATE, text), now_us, order_id="")]
        order_id = f"{self._birth}-O{self._book.seq + 1}"
        try:
            if unwanted:
                raise Refused(RejectReason.OTHER, unwanted)
            self._check(request)
        except Refused as refused:
            return [self._reject(request, refused, now_us, order_id=order_id)]
        accepted = Accepted(
            **self._number(now_us),
            **_of_request(request, order_id),
            type=request.type,
            time_in_force=request.time_in_force,
        )
        return list(self._with_trades(self._record(accepted), now_us))

    def cancel(self, request: CancelRequest, now_us: int) -> list[Change]:
        """Take an order out of the book. Raises Refused when there is nothing to take out."""
        order = self._open_order(request)
        self._check_key(request)
        identity = _of_order(order)
        identity["cl_ord_id"] = request.cl_ord_id
        canceled = Canceled(**self._number(now_us), **identity, orig_cl_ord_id=order.cl_ord_id)
        return [self._record(canceled)]

    def replace(self, request: ReplaceRequest, now_us: int) -> list[Change]:
        """Change quantity and price and trade what can be traded then. Raises Refused.

        Fewer shares than are filled already means as many as are filled, as FIX has it: the order is then filled.
        """
        order = self._open_order(request)
        self._check_key(request)
        try:
            check_numbers(self._instruments[order.symbol], request.quantity, request.price_micros)
        except Refused as refused:
            raise Refused(CancelRejectReason.OTHER, refused.text) from None
        identity = _of_order(order)
        identity["cl_ord_id"] = request.cl_ord_id
        identity["quantity"] = max(request.quantity, order.filled)
        identity["price_micros"] = request.price_micros
        replaced = Replaced(**self._number(now_us), **identity, orig_cl_ord_id=order.cl_ord_id)
        return list(self._with_trades(self._record(replaced), now_us))

    def trade(self, quotes: Iterable[Quote], now_us: int) -> list[Change]:
        """Fill the resting orders that the new prices touch, each side with no more shares than the market traded."""
        return [
            self._fill(order, Trade(shares, order.price_micros), now_us)
            for quote in quotes
            for order, shares in touched(self._book.resting(quote.symbol), quote)
        ]

    def expire_day_orders(self, before_us: int, now_us: int) -> list[Change]:
        """End the DAY orders that were accepted before a time."""
        ended = [
            order
            for order in self._book.open_orders()
            if order.time_in_force is TimeInForce.DAY and order.accept_us < before_us
        ]
        return [
            self._record(Expired(**self._number(now_us), **_of_order(order), text="the trading day is over"))
            for order in ended
        ]

    def cancel_unfinished(self, now_us: int) -> list[Change]:
        """Take out of the book what may not rest there: orders whose last lines a sudden end kept from the disk."""
        unfinished = [order for order in self._book.open_orders() if not _may_rest(order)]
        return [self._cancel_rest(order, now_us) for order in unfinished]

    def _with_trades(self, change: Change, now_us: int) -> Iterator[Change]:
        """Yield the change, then the trades of its order against the market, then the end of what may not rest."""
        yield change
        order = change.order
        if order is None or not order.is_open or order.symbol in self._halted:
            return
        trades = list(walk(self._quotes[order.symbol], order, self._instruments[order.symbol].tick_micros))
        if order.time_in_force is TimeInForce.FOK and sum(trade.quantity for trade in trades) < order.leaves:
            trades = []
        for trade in trades:
            change = self._fill(order, trade, now_us)
            yield change
        order = change.order or order
        if order.is_open and not _may_rest(order):
            yield self._cancel_rest(order, now_us)

    def _cancel_rest(self, order: Order, now_us: int) -> Change:
        text = _WHY_NOT_RESTING.get(order.time_in_force, "the protection price is reached")
        return self._record(Canceled(**self._number(now_us), **_of_order(order), text=text))

    def _fill(self, order: Order, trade: Trade, now_us: int) -> Change:
        return self._record(
            Filled(
                **self._number(now_us),
                **_of_order(order),
                last_quantity=trade.quantity,
                last_price_micros=trade.price_micros,
            )
        )

    def _reject(self, request: NewOrder, refused: Refused, now_us: int, *, order_id: str) -> Change:
        return self._record(
            Rejected(
                **self._number(now_us),
                **_of_request(request, order_id),
                type=request.type,
                time_in_force=request.time_in_force,
                reason=int(refused.reason),
                text=refused.text,
            )
        )

    def _record(self, fact: AnyFact) -> Change:
        return Change(fact, self._book.apply(fact))

    def _number(self, now_us: int) -> _Number:
        seq = self._book.seq + 1
        return {"seq": seq, "exec_id": f"{self._birth}-E{seq}", "time_us": now_us}

    def _open_order(self, request: CancelRequest | ReplaceRequest) -> Order:
        order = self._book.find(firm_of(request.session), request.orig_cl_ord_id)
        if order is None:
            raise Refused(CancelRejectReason.UNKNOWN_ORDER, f"no order has the ClOrdID {request.orig_cl_ord_id}")
        if not order.is_open:
            raise Refused(CancelRejectReason.TOO_LATE, f"the order is {order.state}")
        return order

    def _check_key(self, request: CancelRequest | ReplaceRequest) -> None:
        if self.is_known(request.session, request.cl_ord_id):
            raise Refused(CancelRejectReason.DUPLICATE, f"ClOrdID {request.cl_ord_id} is known already")

    def _check(self, request: NewOrder) -> None:
        instrument = self._instruments.get(request.symbol)
        if instrument is None:
            raise Refused(RejectReason.UNKNOWN_SYMBOL, f"{request.symbol} is not traded here")
        if request.symbol in self._halted:
            raise Refused(RejectReason.EXCHANGE_CLOSED, f"trading in {request.symbol} is halted")
        check_numbers(instrument, request.quantity, request.price_micros, market=request.type is OrderType.MARKET)


_WHY_NOT_RESTING = {
    TimeInForce.IOC: "what cannot be traded at once is canceled",
    TimeInForce.FOK: "the whole quantity cannot be traded at once",
}


def _may_rest(order: Order) -> bool:
    return order.type is OrderType.LIMIT and order.time_in_force not in _WHY_NOT_RESTING


def _of_request(request: NewOrder, order_id: str) -> _Identity:
    return {
        "order_id": order_id,
        "session": request.session,
        "cl_ord_id": request.cl_ord_id,
        "account": request.account,
        "symbol": request.symbol,
        "side": request.side,
        "quantity": request.quantity,
        "price_micros": request.price_micros,
    }


def _of_order(order: Order) -> _Identity:
    return {
        "order_id": order.order_id,
        "session": order.session,
        "cl_ord_id": order.cl_ord_id,
        "account": order.account,
        "symbol": order.symbol,
        "side": order.side,
        "quantity": order.quantity,
        "price_micros": order.price_micros,
    }
