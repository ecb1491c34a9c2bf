"""A model of the exchange: a book that is the truth, sessions that fence, and reports that may be late, doubled or shuffled."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from exchange_gw.command import Command
from exchange_gw.exchange import (
    DUPLICATE_ORDER,
    UNKNOWN_ORDER,
    ChangeRefused,
    ExecType,
    Execution,
    OrderEvent,
    OrdStatus,
)

TOO_LATE = "TOO_LATE"
OPEN = frozenset({OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED})


@dataclass
class Fill:
    """Shares that changed hands."""

    exec_id: str
    quantity: int
    price_micros: int
    time: datetime


@dataclass
class Resting:
    """One order that the exchange has accepted (or rejected); `names` are the ClOrdIDs it has had."""

    command: Command
    exchange_order_id: str
    quantity: int
    price_micros: int
    names: list[str]
    time: datetime
    status: OrdStatus = OrdStatus.NEW
    fills: list[Fill] = field(default_factory=list)

    @property
    def filled(self) -> int:
        """Return the shares filled."""
        return sum(fill.quantity for fill in self.fills)

    @property
    def average_micros(self) -> float:
        """Return the average price."""
        return sum(fill.quantity * fill.price_micros for fill in self.fills) / self.filled if self.filled else 0


@dataclass
class Habits:
    """What the exchange does with reports, in shares of them."""

    duplicates_detected: bool = True
    doubled: float = 0.0
    shuffled: float = 0.0
    dropped: float = 0.0
    cut_before: float = 0.0
    cut_after: float = 0.0
    rejected: float = 0.05
    silent_until: float = 0.0


class Book:
    """The ledger and its rules. `say` sends events to the member that is logged on, if any is."""

    def __init__(
        self, chance: random.Random, now: Callable[[], datetime], say: Callable[[list[OrderEvent]], None]
    ) -> None:
        self.habits = Habits()
        self.orders: list[Resting] = []
        # How often each ClOrdID was accepted: more than once is what must never happen.
        self.acceptances: dict[str, int] = {}
        self._by_name: dict[str, Resting] = {}
        self._requests: set[str] = set()
        self._chance, self._now, self._say = chance, now, say
        self._numbers = count(1)

    def place(self, command: Command) -> None:
        """Take an order, or refuse it."""
        known = self._by_name.get(command.cl_ord_id)
        if known is not None and self.habits.duplicates_detected:
            self._say([self._execution(known, ExecType.REJECTED, OrdStatus.REJECTED, refusal=DUPLICATE_ORDER)])
            return
        number = next(self._numbers)
        order = Resting(command, f"X{number}", command.quantity, command.price_micros, [command.cl_ord_id], self._now())
        self.orders.append(order)
        self._by_name[command.cl_ord_id] = order
        if self._chance.random() < self.habits.rejected:
            order.status = OrdStatus.REJECTED
            self._say([self._execution(order, ExecType.REJECTED, order.status, refusal="NOT_TODAY")])
            return
        self.acceptances[command.cl_ord_id] = self.acceptances.get(command.cl_ord_id, 0) + 1
        self._say([self._execution(order, ExecType.NEW, order.status)])

    def cancel(self, command: Command) -> None:
        """Take an order out of the book, or refuse to."""
        order = self._target(command, is_replace=False)
        if order is None:
            return
        order.status, order.time = OrdStatus.CANCELED, self._now()
        names = {"cl_ord_id": command.cl_ord_id, "orig_cl_ord_id": order.names[-1]}
        self._say([self._execution(order, ExecType.CANCELED, order.status, names=names)])

    def replace(self, command: Command) -> None:
        """Change quantity and price, or refuse to."""
        order = self._target(command, is_replace=True)
        if order is None:
            return
        before = order.names[-1]
        order.names.append(command.cl_ord_id)
        self._by_name[command.cl_ord_id] = order
        order.quantity, order.price_micros = max(command.quantity, order.filled), command.price_micros
        order.time = self._now()
        order.status = self._status_of(order)
        names = {"cl_ord_id": command.cl_ord_id, "orig_cl_ord_id": before}
        self._say([self._execution(order, ExecType.REPLACED, order.status, names=names)])

    def fill(self, order: Resting, quantity: int) -> None:
        """Trade some shares of an order."""
        if order.status not in OPEN:
            return
        quantity = min(quantity, order.quantity - order.filled)
        price = order.price_micros - self._chance.randint(0, 3) * 10_000
        done = Fill(f"E{next(self._numbers)}", quantity, price, self._now())
        order.fills.append(done)
        order.time = done.time
        order.status = self._status_of(order)
        self._say([self._fill_report(order, done)])

    def expire(self, order: Resting) -> None:
        """End an order that is still open."""
        if order.status in OPEN:
            order.status, order.time = OrdStatus.EXPIRED, self._now()
            self._say([self._execution(order, ExecType.EXPIRED, order.status)])

    def status_of(self, name: str) -> Execution:
        """Return how an order stands by one of its names, or that it is unknown."""
        order = self._by_name.get(name)
        if order is None:
            return Execution(
                cl_ord_id=name, exec_type=ExecType.STATUS, status=OrdStatus.REJECTED, refusal=UNKNOWN_ORDER
            )
        refusal = "NOT_TODAY" if order.status is OrdStatus.REJECTED else ""
        return self._execution(order, ExecType.STATUS, order.status, refusal=refusal)

    def fill_reports(self, *, name: str = "", since: datetime | None = None) -> list[Execution]:
        """Return the executions of one order, or all since a time: the drop copy, by the exchange's own sequence."""
        chosen = [self._by_name[name]] if name in self._by_name else ([] if name else self.orders)
        found = [
            (fill.time, fill, order) for order in chosen for fill in order.fills if not since or fill.time >= since
        ]
        return [
            self._fill_report(order, fill) for _, fill, order in sorted(found, key=lambda one: int(one[1].exec_id[1:]))
        ]

    @staticmethod
    def _status_of(order: Resting) -> OrdStatus:
        if order.filled >= order.quantity:
            return OrdStatus.FILLED
        return OrdStatus.PARTIALLY_FILLED if order.filled else OrdStatus.NEW

    def _target(self, command: Command, *, is_replace: bool) -> Resting | None:
        order = self._by_name.get(command.orig_cl_ord_id)
        refusal = ""
        if order is None:
            refusal = UNKNOWN_ORDER
        elif command.cl_ord_id in self._requests and self.habits.duplicates_detected:
            refusal = DUPLICATE_ORDER
        elif order.status not in OPEN:
            refusal = TOO_LATE
        elif order.names[-1] != command.orig_cl_ord_id:
            refusal = UNKNOWN_ORDER if not is_replace else DUPLICATE_ORDER
        if not refusal:
            self._requests.add(command.cl_ord_id)
            return order
        self._say(
            [
                ChangeRefused(
                    cl_ord_id=command.cl_ord_id,
                    orig_cl_ord_id=command.orig_cl_ord_id,
                    is_replace=is_replace,
                    refusal=refusal,
                    exchange_order_id=order.exchange_order_id if order else "",
                    time=self._now(),
                )
            ]
        )
        return None

    def _fill_report(self, order: Resting, fill: Fill) -> Execution:
        return Execution(
            cl_ord_id=order.names[-1],
            exec_type=ExecType.FILL,
            status=self._status_of(order),
            exchange_order_id=order.exchange_order_id,
            exec_id=fill.exec_id,
            account_id=order.command.account_id,
            symbol=order.command.symbol,
            quantity=order.quantity,
            price_micros=order.price_micros,
            last_quantity=fill.quantity,
            last_price_micros=fill.price_micros,
            cumulative_quantity=order.filled,
            leaves_quantity=order.quantity - order.filled if order.status in OPEN else 0,
            time=fill.time,
        )

    def _execution(
        self,
        order: Resting,
        exec_type: ExecType,
        status: OrdStatus,
        *,
        refusal: str = "",
        names: dict[str, str] | None = None,
    ) -> Execution:
        fields = {"cl_ord_id": order.names[-1], **(names or {})}
        return Execution(
            **fields,  # type: ignore[arg-type]
            exec_type=exec_type,
            status=status,
            exchange_order_id=order.exchange_order_id,
            exec_id=f"E{next(self._numbers)}" if exec_type is not ExecType.STATUS else "0",
            account_id=order.command.account_id,
            symbol=order.command.symbol,
            quantity=order.quantity,
            price_micros=order.price_micros,
            cumulative_quantity=order.filled,
            leaves_quantity=order.quantity - order.filled if order.status in OPEN else 0,
            refusal=refusal,
            time=order.time,
        )
