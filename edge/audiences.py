"""All audiences of this process: clients that want the same sit together, and the last one to leave ends it."""

from edge.audience import Audience, Clock, Outlet, Seat, Wish
from edge.tally import Tally
from edge.topic import Topic

# More clients become another audience with a beat of its own: one audience is served in one turn of the loop.
SEATS_PER_AUDIENCE = 128


class Audiences:
    """All audiences of this process; the last client to leave one ends it."""

    def __init__(self, clock: Clock, tally: Tally | None = None) -> None:
        self._clock, self._tally = clock, tally
        self._rooms: dict[tuple[Wish, frozenset[Topic]], list[Audience]] = {}

    def join(self, outlet: Outlet, wish: Wish, told: dict[Topic, int]) -> Seat:
        """Seat a client that wants these symbols so, and has these changes of them."""
        rooms = self._rooms.setdefault((wish, frozenset(told)), [])
        for room in rooms:
            if len(room.seats) < SEATS_PER_AUDIENCE:
                return room.join(outlet, told)
        rooms.append(Audience(told, wish, self._clock, tally=self._tally))
        return rooms[-1].join(outlet, told)

    def leave(self, seat: Seat) -> None:
        """Give a seat up."""
        room = seat.audience
        room.leave(seat)
        if not room.seats:
            key = (room.wish, room.topics)
            room.end()
            self._rooms[key].remove(room)
            if not self._rooms[key]:
                del self._rooms[key]
