"""What members and time may ask of the exchange. It decides, writes down and reports, in this order."""

from collections.abc import Callable, Iterator, Sequence, Set

from infra.exchange_sim.book import DAY_US, Book, firm_of
from infra.exchange_sim.desk import Desk
from infra.exchange_sim.fills import Fill, Fills
from infra.exchange_sim.market import Market, Quote
from infra.exchange_sim.matching import Matching
from infra.exchange_sim.order import Order
from infra.exchange_sim.reports import CancelRefusal, Capture, Part, Status
from infra.exchange_sim.requests import (
    CancelRejectReason,
    CancelRequest,
    NewOrder,
    Refused,
    ReplaceRequest,
    TradesOfOrder,
    TradesOfTime,
)


class Exchange:
    """The exchange's use cases. `clock` gives micros since 1970."""

    def __init__(self, market: Market, matching: Matching, book: Book, desk: Desk, clock: Callable[[], int]) -> None:
        self.market = market
        self._matching, self._book, self._desk, self._clock = matching, book, desk, clock

    def place(self, request: NewOrder) -> None:
        """Take an order or reject it."""
        self._desk.publish(self._matching.place(request, self._clock()))

    def reject(self, request: NewOrder, text: str) -> None:
        """Reject an order, whatever it is."""
        self._desk.publish(self._matching.place(request, self._clock(), unwanted=text))

    def refuse(self, request: CancelRequest | ReplaceRequest, text: str) -> None:
        """Refuse to cancel or replace, whatever the order."""
        self._refuse(request, Refused(CancelRejectReason.OTHER, text))

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

    def find(self, session: str, cl_ord_id: str) -> Order | None:
        """Return the order that a key of the session's firm stands for."""
        return self._book.find(firm_of(session), cl_ord_id)

    def status(self, session: str, cl_ord_id: str, *, request_id: str = "") -> None:
        """Tell what an order is now, or that there is none."""
        order = self.find(session, cl_ord_id)
        self._desk.answer(
            [Status(session=session, cl_ord_id=cl_ord_id, order=order, time_us=self._clock(), request_id=request_id)]
        )

    def mass_status(self, session: str, request_id: str) -> Iterator[Status]:
        """Tell what orders of the session's firm are now, whichever of its sessions sent them.

        Those that are open, and those that closed in this trading day or the one before: older ones are history, and each can
        still be asked about by its key. An order is told as it is when its turn comes, so draw no faster than it can be sent.
        """
        ids = self._book.ids_of(firm_of(session), since_day=self.market.day - 1)
        if not ids:
            none = Part(request_id, 0, 0)
            yield Status(session=session, cl_ord_id="", order=None, time_us=self._clock(), part=none)
        for number, order_id in enumerate(ids, start=1):
            order, part = self._book[order_id], Part(request_id, number, len(ids))
            yield Status(session=session, cl_ord_id=order.cl_ord_id, order=order, time_us=self._clock(), part=part)

    def trades(
        self, session: str, request_id: str, wanted: TradesOfTime | TradesOfOrder
    ) -> tuple[int, Iterator[Capture]]:
        """Return how many trades of the session's firm are wanted, and they themselves in the order of their numbers."""
        firm = firm_of(session)
        places: Sequence[int]
        fills: Sequence[Fill] | Fills
        if isinstance(wanted, TradesOfTime):
            fills = self._book.fills(firm)
            places = fills.between(wanted.since_us, wanted.until_us)
        else:
            fills = self._fills_of(firm, wanted)
            places = range(len(fills))
        return len(places), (
            Capture(session, fills[place], Part(request_id, number, len(places)))
            for number, place in enumerate(places, start=1)
        )

    def _fills_of(self, firm: str, wanted: TradesOfOrder) -> list[Fill]:
        if wanted.cl_ord_id:
            orders = self._book.namesakes(firm, wanted.cl_ord_id)
        else:
            orders = [self._book[wanted.order_id]] if wanted.order_id in self._book else []
        named = (
            order for order in orders if firm_of(order.session) == firm and wanted.order_id in {"", order.order_id}
        )
        fills = (fill for order in named for fill in self._book.fills_of(order.order_id))
        return sorted(fills, key=lambda fill: fill.fact.seq)

    def detect_duplicates(self, *, wanted: bool) -> None:
        """Take each key once from now on, or every order as a new one."""
        self._matching.duplicate_detection = wanted

    def halt(self, symbols: Set[str]) -> Set[str]:
        """Halt trading in these symbols and in no others; return those that this concerns."""
        changed = symbols ^ self.market.halted
        self.market.halted.clear()
        self.market.halted.update(symbols)
        return changed

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
                    order=self.find(request.session, request.orig_cl_ord_id),
                    is_replace=isinstance(request, ReplaceRequest),
                    reason=int(refused.reason),
                    text=refused.text,
                    time_us=self._clock(),
                )
            ]
        )
