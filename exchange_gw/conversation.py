"""What the parts of an order lane share while they talk with the venue: who is on the line, what is open, and one voice."""

import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from uuid import uuid4

from msgspec import structs

from exchange_gw.command import Asks, Command
from exchange_gw.exchange import Clock, Execution, OrderSession, VenueUnreachable
from exchange_gw.journal import Standpoint
from exchange_gw.ports import Journal, Reports
from exchange_gw.report import Report, submitted_report
from exchange_gw.trading import Trading
from exchange_gw.unanswered import Patience, Unanswered
from runtime import logs

# Orders of which the client's key is remembered, so that their facts carry it.
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
        owns: Callable[[str], bool],
        now: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.group, self.session, self.journal, self.reports = group, session, journal, reports
        self.trading, self.owns, self.now, self.monotonic = trading, owns, now, monotonic
        self.unanswered = Unanswered(patience)
        # Number of the session's last logon, and whether orders may be sent in it yet.
        self.logon, self.is_open = 0, False
        self.latest_time: datetime | None = None
        self._keys: OrderedDict[str, tuple[str, str]] = OrderedDict()

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

    async def tell(self, report: Report) -> None:
        """Tell a fact, with the client's key if it is known."""
        key, account = self._keys.get(report.order_id, ("", ""))
        await self.reports.tell(structs.replace(report, client_order_id=key, account_id=report.account_id or account))

    async def send(self, command: Command, *, batch: str) -> None:
        """Hand a request to the session. Whatever goes wrong, it is without an answer from now on and will be asked about."""
        self.unanswered.add(command, logon=self.logon, batch=batch, now=self.monotonic())
        if command.asks is Asks.SUBMIT:
            await self.tell(submitted_report(command.order_id, self.now()))
        try:
            await self.session.send(command)
        except VenueUnreachable:
            logger.info("session fell while sending", order_id=command.order_id, asks=command.asks.value)

    async def ask(self, command: Command, *, request_id: str = "") -> None:
        """Ask how the order of a command stands; without a session nobody is asked."""
        try:
            await self.session.ask(command, request_id=request_id)
        except VenueUnreachable:
            logger.debug("not asked, no session", order_id=command.order_id)


def new_id() -> str:
    """Return an id that nothing else has."""
    return uuid4().hex
