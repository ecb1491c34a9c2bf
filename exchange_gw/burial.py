"""Puts messages aside that cannot be handled: into the dead letters, and as a fact at their order."""

from collections.abc import Callable

from exchange_gw.exchange import Clock
from exchange_gw.ports import Reports
from exchange_gw.report import dead_letter_report
from runtime import dead_letters, logs
from runtime.dead_letters import Undeliverable
from runtime.errors import Unavailable
from runtime.jetstream import Bus
from runtime.pulling import Delivery
from runtime.subjects import ORDER_COMMANDS

logger = logs.get_logger("exchange_gw.burial")


class Burial:
    """Buries commands; `count` hears of each with its stream and reason.

    The letter is stored before the message is answered, so it is in one place at least.
    """

    def __init__(self, bus: Bus, reports: Reports, now: Clock, count: Callable[[str, str], None]) -> None:
        self._bus, self._reports, self._now, self._count = bus, reports, now, count

    async def bury(
        self, delivery: Delivery, reason: str, detail: str, *, order_id: str = "", command_id: str = ""
    ) -> None:
        """Put a message aside, say so at its order if it is known, and let the lane go on; without a broker it comes again."""
        try:
            await self.lay_down(delivery, reason, detail, order_id=order_id, command_id=command_id)
        except Unavailable:
            await delivery.nak()
            return
        await delivery.term()

    async def lay_down(
        self, message: Undeliverable, reason: str, detail: str, *, order_id: str = "", command_id: str = ""
    ) -> None:
        """Store the letter and say so at its order. Raises BusUnavailable; then nothing is settled."""
        logger.error("dead letter", reason=reason, sequence=message.sequence, order_id=order_id, detail=detail)
        await dead_letters.bury(
            self._bus, message, stream=ORDER_COMMANDS, reason=reason, detail=detail, order_id=order_id
        )
        self._count(ORDER_COMMANDS, reason)
        if order_id:
            await self._reports.tell(
                dead_letter_report(
                    order_id, command_id=command_id, sequence=message.sequence, detail=detail, now=self._now()
                )
            )
            await self._reports.until_told()
