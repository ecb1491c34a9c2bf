"""An account's changes as a stream with positions, read from the bus; what partners follow over gRPC."""

from collections.abc import AsyncIterator

from gen.trading.v1 import order_pb2
from runtime.jetstream import Bus, Heard
from runtime.positions import Position, follow, sequence_at
from runtime.subjects import ORDER_UPDATES, order_update


class AccountUpdates:
    """Follows ORDER_UPDATES for one account at a time."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def follow(self, account_id: str, from_position: str) -> AsyncIterator[order_pb2.StreamOrderUpdatesResponse]:
        """Return every change from a position on, without a gap; an empty position means from now on.

        Raises PositionNotRecoverable and ReaderTooSlow.
        """
        subject = order_update(account_id)
        born, _, _ = await self._bus.stream_created(ORDER_UPDATES)
        if from_position:
            seen = await sequence_at(self._bus, ORDER_UPDATES, from_position)
        else:
            seen = await self._bus.last_on(ORDER_UPDATES, subject)
        yield order_pb2.StreamOrderUpdatesResponse(position=str(Position(born, seen)))
        async for heard in follow(self._bus, ORDER_UPDATES, subject, after=seen):
            if heard is not None:
                previous, seen = seen, heard.sequence
                yield _response(heard, born, previous)
            else:
                yield order_pb2.StreamOrderUpdatesResponse(position=str(Position(born, seen)))


def _response(heard: Heard, born: int, previous: int) -> order_pb2.StreamOrderUpdatesResponse:
    update = order_pb2.OrderUpdate.FromString(heard.payload)
    update.position = str(Position(born, heard.sequence))
    update.previous = str(Position(born, previous))
    return order_pb2.StreamOrderUpdatesResponse(update=update, position=update.position)
