"""A model of the gateway's waiting room: commands that wait in the database, and marks that outlive a gateway's death."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from exchange_gw.waiting_room import CHUNK, Parked
from runtime.databases import OPERATION_SECONDS
from tests.simulation.gateway_database import GatewayDatabase
from tests.simulation.network import Network, Server
from tests.simulation.orders_database import away


class ModelWaitingRoom:
    """One gateway's way to it; there is one group."""

    def __init__(self, database: GatewayDatabase, network: Network) -> None:
        self._database, self._network = database, network

    async def _ask(self, effect: Callable[[], Any], what: str) -> Any:
        return await self._network.call(
            Server.GATEWAY_DATABASE, effect, seconds=OPERATION_SECONDS, away=away, what=what
        )

    async def park(self, group: int, waiting: Sequence[Parked]) -> None:
        """Keep commands; one that is kept already stays."""

        def write() -> None:
            for one in waiting:
                self._database.parked.setdefault(one.place, one)

        await self._ask(write, f"park {len(waiting)}")

    async def parked(self, group: int, *, after: str) -> list[Parked]:
        """Return the commands behind a place."""
        kept = self._database.parked
        found: list[Parked] = await self._ask(
            lambda: [kept[place] for place in sorted(kept) if place > after][:CHUNK], "parked?"
        )
        return found

    async def due(self, group: int, now: datetime) -> list[Parked]:
        """Return commands whose time has come."""
        kept = self._database.parked
        found: list[Parked] = await self._ask(
            lambda: [one for _, one in sorted(kept.items()) if one.until and one.until <= now][:CHUNK], "due?"
        )
        return found

    async def release(self, group: int, places: Collection[str]) -> None:
        """Let commands go."""
        gone = sorted(places)
        await self._ask(lambda: [self._database.parked.pop(place, None) for place in gone], f"release {len(gone)}")

    async def deaths(self, group: int) -> dict[int, int]:
        """Return how often a gateway died over a message."""
        database = self._database
        deaths, in_hand = await self._ask(lambda: (dict(database.deaths), database.in_hand), "deaths?")
        if in_hand:
            deaths[in_hand] = deaths.get(in_hand, 0) + 1
            await self.clear(group, deaths)
        found: dict[int, int] = deaths
        return found

    async def take_in_hand(self, group: int, sequence: int) -> None:
        """Note which message is about to be handled."""
        await self._ask(lambda: setattr(self._database, "in_hand", sequence), f"in hand {sequence}")

    async def clear(self, group: int, deaths: dict[int, int]) -> None:
        """Note that nothing is in hand."""
        kept = dict(deaths)

        def write() -> None:
            self._database.in_hand, self._database.deaths = 0, kept

        await self._ask(write, "nothing in hand")
