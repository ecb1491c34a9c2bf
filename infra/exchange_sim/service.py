"""What members and time may ask of the exchange. It decides, writes down and reports, in this order."""

from collections.abc import Callable

from infra.exchange_sim.book import Book, firm_of
from infra.exchange_sim.desk import Desk
from infra.exchange_sim.market import DAY_SECONDS, Market, Quote
from infra.exchange_sim.matching import Matching
from infra.exchange_sim.reports import CancelRefusal, Part, Status
from infra.exchange_sim.requests import CancelRequest, NewOrder, Refused, ReplaceRequest

DAY_US = DAY_SECONDS * 1_000_000


class Exchange:
    """The exchange's use cases. `clock` gives micros since 1970."""

    def __init__(self, market: Market, matching: Matching, book: Book, desk: Desk, clock: Callable[[], int]) -> None:
        self.market = market
        self._matching, self._book, self._desk, self._clock = matching, book, desk, clock

    def place(self, request: NewOrder) -> None:
        """Take an order or reject it."""
        self._desk.publish(self._matching.place(request, self._clock()))

    def cancel(self, request: CancelRequest) -> None:
        """Cancel an order or refuse to."""
        try:
            self._desk.publish(self._matching.cancel(request, self._clock()))
        except Refused as refused:
            self._refuse(request, refused)

    def replace(self, request: ReplaceRequest) -> None:
        """Replace an order or refuse to."""
        try:
            self._desk.publish(self._matching.replace(request, self._clock()))
        except Refused as refused:
            self._refuse(request, refused)

    def remembers(self, session: str, cl_ord_id: str) -> bool:
        """Return whether a request with a key of the session's firm has come before; never without duplicate detection."""
        return self._matching.is_known(session, cl_ord_id)

    def status(self, session: str, cl_ord_id: str, *, request_id: str = "") -> None:
        """Tell what an order is now, or that there is none."""
        order = self._book.find(firm_of(session), cl_ord_id)
        self._desk.answer(
            [Status(session=session, cl_ord_id=cl_ord_id, order=order, time_us=self._clock(), request_id=request_id)]
        )

    def mass_status(self, session: str, request_id: str) -> None:
        """Tell what every order of the session's firm is now, whichever of its sessions sent it."""
        now_us = self._clock()
        orders = self._book.orders_of(firm_of(session))
        if not orders:
            none = Status(session=session, cl_ord_id="", order=None, time_us=now_us, part=Part(request_id, 0, 0))
            self._desk.answer([none])
            return
        self._desk.answer(
            Status(
                session=session,
                cl_ord_id=order.cl_ord_id,
                order=order,
                time_us=now_us,
                part=Part(request_id, number, len(orders)),
            )
            for number, order in enumerate(orders, start=1)
        )

    def beat(self, moves: int) -> list[Quote]:
        """Let prices move and resting orders trade; return the new quotes."""
        quotes = self.market.step(moves)
        self._desk.publish(self._matching.trade(quotes, self._clock()))
        return quotes

    def roll(self) -> list[Quote]:
        """Begin a new trading day if one has begun, and end what lived for the old one; return the quotes then."""
        now_us = self._clock()
        day = now_us // DAY_US
        if day <= self.market.day:
            return []
        quotes = self.market.roll(day)
        self._expire_day_orders()
        return quotes

    def recover(self) -> None:
        """Begin where the ledger ends: with today's trading day, and without what may not be in the book any more."""
        self.roll()
        self._expire_day_orders()
        self._desk.publish(self._matching.cancel_unfinished(self._clock()))

    def _expire_day_orders(self) -> None:
        self._desk.publish(self._matching.expire_day_orders(self.market.day * DAY_US, self._clock()))

    def _refuse(self, request: CancelRequest | ReplaceRequest, refused: Refused) -> None:
        self._desk.answer(
            [
                CancelRefusal(
                    session=request.session,
                    cl_ord_id=request.cl_ord_id,
                    orig_cl_ord_id=request.orig_cl_ord_id,
                    order=self._book.find(firm_of(request.session), request.orig_cl_ord_id),
                    is_replace=isinstance(request, ReplaceRequest),
                    reason=int(refused.reason),
                    text=refused.text,
                    time_us=self._clock(),
                )
            ]
        )
