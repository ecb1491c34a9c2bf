"""Checks of single orders: does the venue's count of filled shares agree with the executions that it names?"""

from collections.abc import Awaitable, Callable

from msgspec import Struct, field, structs

from exchange_gw.command import Command
from exchange_gw.conversation import Conversation
from exchange_gw.drop_copy import DropCopy
from exchange_gw.exchange import ExecType, Execution, TradePart, VenueUnreachable
from exchange_gw.ports import Break
from runtime import logs

FILLS_MISMATCH = "FILLS_MISMATCH"
FILLS_UNVERIFIED = "FILLS_UNVERIFIED"
# An order that fills while it is asked about is asked about again.
ROUNDS = 3
ANSWER_SECONDS = 10.0
MOST_CHECKS = 1_000

logger = logs.get_logger("exchange_gw.order_check")


class _Check(Struct):
    """One check: two questions under one id, and what has come of their answers. `shares` is by exec id."""

    command: Command
    begun: float
    round: int = 1
    counted: int | None = None
    named_all: bool = False
    shares: dict[str, int] = field(default_factory=dict)


class OrderChecks:
    """The checks under way in one lane. `hear` takes an execution in."""

    def __init__(
        self, conversation: Conversation, drop_copy: DropCopy, hear: Callable[[Execution], Awaitable[bool]]
    ) -> None:
        self._talk, self._drop_copy, self._hear = conversation, drop_copy, hear
        self._checks: dict[str, _Check] = {}

    async def begin(self, command: Command) -> None:
        """Ask how an order stands and which executions it had. Without a session nobody is asked: who wants to know asks again."""
        now = self._talk.monotonic()
        self._checks = {key: one for key, one in self._checks.items() if now - one.begun < ANSWER_SECONDS}
        if len(self._checks) < MOST_CHECKS:
            await self._ask(_Check(command=command, begun=now))
        else:
            await self._talk.ask(command)

    async def hear_status(self, status: Execution) -> None:
        """Take note of a status, if it answers a question of ours."""
        check = self._checks.get(status.request_id) if status.request_id else None
        if check is None:
            return
        if status.is_unknown:
            self._checks.pop(status.request_id, None)
            return
        check.counted = status.cumulative_quantity
        await self._weigh(status.request_id, check)

    async def take(self, part: TradePart) -> bool:
        """Take an execution, if it answers a question of ours; return whether it does."""
        check = self._checks.get(part.request_id)
        if check is None:
            return False
        if part.refusal:
            self._checks.pop(part.request_id, None)
            if part.is_unsupported:
                self._drop_copy.stop_asking(part.refusal)
            return True
        trade = part.trade
        if trade is not None:
            if trade.exec_type is not ExecType.FILL:
                check.shares.pop(trade.exec_ref_id, None)
            if trade.exec_type is not ExecType.BUST:
                check.shares[trade.exec_id] = trade.last_quantity
            # Also what was told before: who asks may have lost it, together with the broker.
            await self._hear(structs.replace(trade, request_id=part.request_id))
        check.named_all = part.is_last
        await self._weigh(part.request_id, check)
        return True

    def break_off(self) -> None:
        """Give up what is under way: the session is over."""
        self._checks.clear()

    async def _ask(self, check: _Check) -> None:
        talk, request_id = self._talk, f"check-{self._talk.new_id()}"
        self._checks[request_id] = check
        try:
            await talk.session.ask(check.command, request_id=request_id)
            if self._drop_copy.is_supported:
                await talk.session.ask_trades_of(check.command, request_id)
        except VenueUnreachable:
            self._checks.pop(request_id, None)

    async def _weigh(self, request_id: str, check: _Check) -> None:
        if check.counted is None:
            return
        if not self._drop_copy.is_supported:
            self._checks.pop(request_id, None)
            await self._weigh_by_ear(check.command.order_id, check.counted)
            return
        if not check.named_all:
            return
        self._checks.pop(request_id, None)
        named = sum(check.shares.values())
        if named == check.counted:
            return
        if check.round < ROUNDS:
            await self._ask(_Check(command=check.command, begun=check.begun, round=check.round + 1))
            return
        order_id = check.command.order_id
        detail = f"the exchange counts {check.counted} filled shares and names executions of {named}"
        await self._record(FILLS_MISMATCH, order_id, f"{check.counted}:{named}", detail)

    async def _weigh_by_ear(self, order_id: str, counted: int) -> None:
        """Compare with what was heard, as this venue cannot be asked which executions there were."""
        heard = self._talk.filled(order_id)
        if heard is None and counted:
            detail = f"the exchange counts {counted} filled shares and cannot be asked for the executions"
            await self._record(FILLS_UNVERIFIED, order_id, str(counted), detail)
        elif heard is not None and heard != counted:
            detail = f"the exchange counts {counted} filled shares, executions of {heard} were heard"
            await self._record(FILLS_MISMATCH, order_id, f"{counted}:{heard}", detail)

    async def _record(self, kind: str, order_id: str, what: str, detail: str) -> None:
        logger.error("fills do not fit", kind=kind, order_id=order_id, detail=detail)
        found = Break(f"{kind}:{order_id}:{what}", order_id, kind, detail, self._talk.now())
        await self._talk.journal.record_breaks([found])
