"""Single questions about orders whose answer somebody waits for."""

import asyncio

from exchange_gw.conversation import Conversation
from exchange_gw.exchange import Execution, VenueUnreachable
from exchange_gw.journal import Row
from runtime.errors import NotFound

LOOK_UP_SECONDS = 2.0


class VenueOrderUnknown(NotFound):
    """The exchange says that it knows no such order."""

    reason = "VENUE_ORDER_UNKNOWN"


class LookUps:
    """The questions under way in one lane."""

    def __init__(self, conversation: Conversation) -> None:
        self._talk = conversation
        self._waiting: dict[str, asyncio.Future[Execution]] = {}

    async def ask(self, order_id: str) -> tuple[Execution, Row | None]:
        """Ask the venue how an order stands; return that and our row. Raises VenueUnreachable and VenueOrderUnknown."""
        request_id = self._talk.new_id()
        answer = self._waiting[request_id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                row = (await self._talk.journal.find([order_id])).get(order_id)
                if row is not None:
                    await self._talk.session.ask(row.command, request_id=request_id)
                else:
                    await self._talk.session.ask_about(order_id, request_id=request_id)
                execution = await answer
        except TimeoutError:
            raise VenueUnreachable("the exchange has not answered in time", retry_after_seconds=1.0) from None
        finally:
            del self._waiting[request_id]
        if execution.is_unknown:
            raise VenueOrderUnknown("the exchange knows no such order", order_id=order_id)
        return execution, row

    def hear(self, execution: Execution) -> None:
        """Give an answer to who waits for it, if anybody does."""
        answer = self._waiting.get(execution.request_id)
        if answer is not None and not answer.done():
            answer.set_result(execution)
