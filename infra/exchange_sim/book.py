"""All orders, as the facts about them say. Pure: no clock, no network, no storage."""

from collections.abc import Iterable, Iterator

from infra.exchange_sim.facts import Accepted, AnyFact, Filled, Rejected
from infra.exchange_sim.fills import Fill, Fills
from infra.exchange_sim.order import Order, first, later

DAY_US = 86_400_000_000


def firm_of(session: str) -> str:
    """Return whose session it is: STOCKMESH for STOCKMESH-ORD-0. Keys are unique per firm."""
    return session.partition("-")[0]


class Book:
    """Orders by id and by key; changes only by `apply`. `seq` is the number of the last fact applied."""

    def __init__(self, facts: Iterable[AnyFact] = ()) -> None:
        self.seq = 0
        self._orders: dict[str, Order] = {}
        self._keys: dict[tuple[str, str], str] = {}
        # Earlier orders of a key that was taken more than once: without duplicate detection only.
        self._namesakes: dict[tuple[str, str], list[str]] = {}
        # By firm; the closed ones by the day on which they closed as well.
        self._open: dict[str, dict[str, None]] = {}
        self._closed: dict[str, dict[int, list[str]]] = {}
        self._fills: dict[str, Fills] = {}
        self._fills_of: dict[str, list[Fill]] = {}
        self._resting: dict[str, dict[str, None]] = {}
        for fact in facts:
            self.apply(fact)

    def find(self, firm: str, cl_ord_id: str) -> Order | None:
        """Return the order that a key of the firm stands for, first or later ones alike."""
        order_id = self._keys.get((firm, cl_ord_id))
        return None if order_id is None else self._orders[order_id]

    def namesakes(self, firm: str, cl_ord_id: str) -> list[Order]:
        """Return every order that a key of the firm stands for, oldest first: several only without duplicate detection."""
        order = self.find(firm, cl_ord_id)
        earlier = (self._orders[order_id] for order_id in self._namesakes.get((firm, cl_ord_id), ()))
        return [*earlier, *([order] if order else ())]

    def __contains__(self, order_id: str) -> bool:
        return order_id in self._orders

    def __getitem__(self, order_id: str) -> Order:
        return self._orders[order_id]

    def orders_of(self, firm: str) -> list[Order]:
        """Return every order of a firm, oldest first."""
        return [order for order in self._orders.values() if firm_of(order.session) == firm]

    def ids_of(self, firm: str, *, since_day: int = 0) -> list[str]:
        """Return the ids of a firm's open orders, then of those that closed since a day (counted from 1970).

        Takes no time worth naming however many they are.
        """
        closed = self._closed.get(firm, {})
        days = sorted(day for day in closed if day >= since_day)
        return [*self._open.get(firm, ()), *(order_id for day in days for order_id in closed[day])]

    def fills(self, firm: str) -> Fills:
        """Return the trades of a firm; those to come will be in it, too."""
        return self._fills.setdefault(firm, Fills())

    def fills_of(self, order_id: str) -> tuple[Fill, ...]:
        """Return the trades of an order, oldest first."""
        return tuple(self._fills_of.get(order_id, ()))

    def resting(self, symbol: str) -> list[Order]:
        """Return the open orders for a symbol, oldest first."""
        return [self._orders[order_id] for order_id in self._resting.get(symbol, ())]

    def open_orders(self) -> Iterator[Order]:
        """Return all open orders."""
        return (self._orders[order_id] for resting in self._resting.values() for order_id in resting)

    def apply(self, fact: AnyFact) -> Order | None:
        """Take a fact in and return its order as it is after it; None for a refusal that made no order."""
        self.seq = fact.seq
        if not fact.order_id:
            return None
        firm = firm_of(fact.session)
        if isinstance(fact, Accepted | Rejected):
            order = first(fact)
            known = self._keys.get((firm, fact.cl_ord_id))
            if known is not None:
                self._namesakes.setdefault((firm, fact.cl_ord_id), []).append(known)
            self._keys[firm, fact.cl_ord_id] = order.order_id
        else:
            order = later(self._orders[fact.order_id], fact)
            # The key of a cancel or a replace stands for the order that it concerned.
            self._keys.setdefault((firm, fact.cl_ord_id), order.order_id)
            if isinstance(fact, Filled):
                fill = Fill(fact, order.state)
                self.fills(firm).add(fill)
                self._fills_of.setdefault(order.order_id, []).append(fill)
        self._keep(order, firm)
        return order

    def _keep(self, order: Order, firm: str) -> None:
        self._orders[order.order_id] = order
        resting, still_open = self._resting.setdefault(order.symbol, {}), self._open.setdefault(firm, {})
        if order.is_open:
            resting[order.order_id] = still_open[order.order_id] = None
        else:
            resting.pop(order.order_id, None)
            still_open.pop(order.order_id, None)
            days = self._closed.setdefault(firm, {})
            days.setdefault(order.change_us // DAY_US, []).append(order.order_id)
