"""An account's changes as a stream with positions, read from the bus; what partners follow over gRPC."""

from collections.abc import AsyncIterator, Mapping

from nats.js import api

from gen.trading.v1 import order_pb2
from order_svc.event import change_named
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
        async for heard in follow(self._bus, ORDER_UPDATES, subject, after=Position(born, seen)):
            if heard is not None:
                previous, seen = seen, heard.sequence
                yield _response(heard, born, previous)
            else:
                yield order_pb2.StreamOrderUpdatesResponse(position=str(Position(born, seen)))


class ToldUpdates:
    """What ORDER_UPDATES has, for who must not tell it again (order_svc.told)."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def born(self) -> int:
        """Return when the stream was made, in ms since 1970. Raises BusUnavailable."""
        return (await self._bus.stream_created(ORDER_UPDATES))[0]

    async def told(self, subject: str) -> Mapping[str, int]:
        """Return the newest revision of each order that the stream has on a subject. Raises BusUnavailable."""
        newest: dict[str, int] = {}
        async for heard in self._bus.history(ORDER_UPDATES, subject, after=0):
            order_id, revision = change_named(heard.headers.get(api.Header.MSG_ID, ":0"))
            newest[order_id] = max(newest.get(order_id, 0), revision)
        return newest


def _response(heard: Heard, born: int, previous: int) -> order_pb2.StreamOrderUpdatesResponse:
    update = order_pb2.OrderUpdate.FromString(heard.payload)
    update.position = str(Position(born, heard.sequence))
    update.previous = str(Position(born, previous))
    return order_pb2.StreamOrderUpdatesResponse(update=update, position=update.position)
