"""Puts messages aside that cannot be handled: into the dead letters, and as a fact at their order."""

from exchange_gw.exchange import Clock
from exchange_gw.ports import Reports
from exchange_gw.report import dead_letter_report
from runtime import logs
from runtime.errors import Unavailable
from runtime.jetstream import Bus
from runtime.pulling import Delivery
from runtime.subjects import DEAD_LETTERS, ORDER_COMMANDS, dead_letter

logger = logs.get_logger("exchange_gw.burial")


class Burial:
    """Buries commands. The letter is stored before the message is answered, so it is in one place at least."""

    def __init__(self, bus: Bus, reports: Reports, now: Clock) -> None:
        self._bus, self._reports, self._now = bus, reports, now

    async def bury(
        self, delivery: Delivery, reason: str, detail: str, *, order_id: str = "", command_id: str = ""
    ) -> None:
        """Put a message aside, say so at its order if it is known, and let the lane go on; without a broker it comes again."""
        logger.error("dead letter", reason=reason, sequence=delivery.sequence, order_id=order_id, detail=detail)
        headers = {
            "Origin-Stream": ORDER_COMMANDS,
            "Origin-Subject": delivery.subject,
            "Origin-Sequence": str(delivery.sequence),
            "Deliveries": str(delivery.deliveries),
            "Order-Id": _in_one_line(order_id),
            "Detail": _in_one_line(detail),
        }
        try:
            await self._bus.publish(
                dead_letter(ORDER_COMMANDS, reason),
                delivery.payload,
                event_id=f"{DEAD_LETTERS}:{ORDER_COMMANDS}:{delivery.sequence}",
                headers=headers,
            )
        except Unavailable:
            await delivery.nak()
            return
        if order_id:
            await self._reports.tell(
                dead_letter_report(
                    order_id, command_id=command_id, sequence=delivery.sequence, detail=detail, now=self._now()
                )
            )
            await self._reports.until_told()
        await delivery.term()


def _in_one_line(text: str) -> str:
    """Return text that a header can carry."""
    return "".join(char if char.isascii() and char.isprintable() else " " for char in text[:200])
