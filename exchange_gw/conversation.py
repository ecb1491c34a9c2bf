"""What the parts of an order lane share while they talk with the venue: who is on the line, what is open, and one voice."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import datetime
from itertools import count
from uuid import uuid4

from msgspec import structs

from exchange_gw.command import Asks, Command
from exchange_gw.exchange import Clock, Execution, OrderSession, VenueUnreachable
from exchange_gw.figures import Figures
from exchange_gw.journal import Standpoint
from exchange_gw.ports import Journal, Reports
from exchange_gw.report import Hops, Kind, Report, submitted_report
from exchange_gw.trading import Trading
from exchange_gw.unanswered import Open, Patience, Unanswered
from runtime import logs
from runtime.crash_points import reach

# Orders of which the client's key is remembered, so that their facts carry it; and executions.
_REMEMBERED = 100_000

logger = logs.get_logger("exchange_gw.conversation")


class Conversation:
    """One lane's session, journal, voice and open questions. `owns` tells by the account whose orders are the lane's."""

    def __init__(
        self,
        *,
        group: int,
        session: OrderSession,
        journal: Journal,
        reports: Reports,
        trading: Trading,
        patience: Patience,
        figures: Figures,
        owns: Callable[[str], bool],
        now: Clock,
        monotonic: Callable[[], float] = time.monotonic,
        moment: Clock | None = None,
    ) -> None:
        self.group, self.session, self.journal, self.reports = group, session, journal, reports
        self.trading, self.owns, self.now, self.monotonic = trading, owns, now, monotonic
        self._figures = figures
        # Ids are counted: true randomness costs a call to the system each.
        self._life, self._numbers = uuid4().hex[:16], count(1)
        # As exact as the clock goes, for hop times.
        self.moment = moment or now
        self.unanswered = Unanswered(patience)
        # Number of the session's last logon, and whether orders may be sent in it yet.
        self.logon, self.is_open = 0, False
        # By the venue's clock: the latest that was heard, and up to where its drop copy has been read to the end.
        self.latest_time: datetime | None = None
        self.read_until: datetime | None = None
        self._keys: OrderedDict[str, tuple[str, str]] = OrderedDict()
        # Executions that were told, so that a drop copy does not tell them again.
        self._executions: OrderedDict[str, None] = OrderedDict()
        # Shares by order and execution, of orders sent since counting began; None while nobody has to count.
        self._filled: OrderedDict[str, dict[str, int]] | None = None
        # Submissions handed over of which nothing is told yet: when to tell that, and the hops they have behind them.
        self.silent: deque[tuple[float, Open]] = deque()
        self._hops: dict[str, Hops] = {}

    def new_id(self) -> str:
        """Return an id that nothing else has."""
        return f"{self._life}-{next(self._numbers):x}"

    def standpoint(self) -> Standpoint:
        """Return what is true now."""
        return Standpoint(self.now(), self.logon, self.is_open)

    def is_ours(self, execution: Execution) -> bool:
        """Tell whether a report of the venue is about an order of this lane."""
        return self.owns(execution.account_id)

    def remember(self, command: Command) -> None:
        """Know whose order it is when the venue speaks of it."""
        self._keys[command.order_id] = command.client_order_id, command.account_id
        if len(self._keys) > _REMEMBERED:
            self._keys.popitem(last=False)

    def knows(self, order_id: str) -> bool:
        """Tell whether it is remembered whose order it is."""
        return order_id in self._keys

    def has_told(self, exec_id: str) -> bool:
        """Tell whether an execution was told before, as far as is remembered."""
        return exec_id in self._executions

    def count_fills(self) -> None:
        """Count the shares of the orders sent from now on: this venue cannot be asked for its executions."""
        self._filled = self._filled if self._filled is not None else OrderedDict()

    def filled(self, order_id: str) -> int | None:
        """Return how many shares of an order were heard to be filled; None when not all of its life was heard."""
        shares = self._filled.get(order_id) if self._filled else None
        return None if shares is None else sum(shares.values())

    async def tell(self, report: Report) -> None:
        """Tell a fact, with the client's key if it is known, and the first after a submission with its hops."""
        key, account = self._keys.get(report.order_id, ("", ""))
        hops = self._hops.pop(report.order_id, None) if self._hops else None
        await self.reports.tell(
            structs.replace(report, client_order_id=key, account_id=report.account_id or account, hops=hops)
        )
        if hops is not None:
            self._figures.told(report, hops, self.moment())
        if report.exec_id:
            # Not before: a fact that was given up is to be told when a drop copy names it.
            self._executions[report.exec_id] = None
            if len(self._executions) > _REMEMBERED:
                self._executions.popitem(last=False)
            self._count(report)

    def _count(self, report: Report) -> None:
        shares = self._filled.get(report.order_id) if self._filled else None
        if shares is not None:
            shares.pop(report.exec_ref_id, None)
            if report.kind is not Kind.BUST:
                shares[report.exec_id] = report.last_quantity

    async def send(self, command: Command, *, batch: str, intent_time: datetime | None = None) -> None:
        """Hand a request to the session. Whatever goes wrong, it is without an answer from now on and will be asked about.

        That an order was submitted is told only if the venue says nothing for a moment: its answer proves as much.
        """
        now = self.monotonic()
        entry = self.unanswered.add(command, logon=self.logon, batch=batch, now=now)
        hops = Hops(command.commit_time, command.publish_time, intent_time)
        if command.asks is Asks.SUBMIT:
            self._hops[command.order_id] = hops
            if self._filled is not None:
                self._filled[command.order_id] = {}
                if len(self._filled) > _REMEMBERED:
                    self._filled.popitem(last=False)
            self.silent.append((now + self.unanswered.patience.submitted_after, entry))
        try:
            await self.session.send(command)
            hops.send_time = self.moment()
            if command.asks is Asks.SUBMIT:
                self._figures.sent(hops)
            reach("K10")
        except VenueUnreachable:
            logger.info("session fell while sending", order_id=command.order_id, asks=command.asks.value)

    async def announce(self, entry: Open) -> None:
        """Tell that an order was submitted, unless that or more is told."""
        if not entry.announced and entry.command.asks is Asks.SUBMIT:
            entry.announced = True
            await self.tell(submitted_report(entry.command.order_id, self.now()))

    async def ask(self, command: Command) -> None:
        """Ask how the order of a command stands; without a session nobody is asked."""
        try:
            await self.session.ask(command)
        except VenueUnreachable:
            logger.debug("not asked, no session", order_id=command.order_id)
