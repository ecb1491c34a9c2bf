"""What `grpc.health.v1` tells: of the services of a server together, and of each thing that they depend on by its name."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from grpc_health.v1 import health, health_pb2

from runtime import logs

LOOK_SECONDS = 5.0
ANSWER_SECONDS = 2.0

Check: TypeAlias = Callable[[], Awaitable[object]]
"""Returns when a dependency answers; False or an exception says that it does not."""

logger = logs.get_logger("runtime.health")


class Health:
    """The servicer's answers. Once the server stops, all of them are NOT_SERVING."""

    def __init__(self, servicer: health.aio.HealthServicer, names: Sequence[str]) -> None:
        self._servicer, self._names = servicer, tuple(names)

    async def set_serving(self, serving: bool) -> None:
        """Tell that every service of this server is, or is not, ready."""
        for name in (*self._names, ""):
            await self._set(name, serving)

    async def watch(self, dependencies: Mapping[str, Check], *, every_seconds: float = LOOK_SECONDS) -> None:
        """Look after what the services depend on, for ever, and tell it under its own name: `nats`, `mongo`, `redis`, `venue`.

        It changes nothing about the services themselves: with a part away they still do what they can.
        """
        known: dict[str, bool] = {}
        while True:
            for name, check in dependencies.items():
                is_well = await _is_well(check)
                if known.get(name) is not is_well:
                    known[name] = is_well
                    logger.log(20 if is_well else 30, "dependency", name=name, answers=is_well)
                    await self._set(name, is_well)
            await asyncio.sleep(every_seconds)

    async def _set(self, name: str, serving: bool) -> None:
        state = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        await self._servicer.set(name, state)


async def _is_well(check: Check) -> bool:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await check() is not False
    except Exception as error:
        # Whatever it raises, it was no answer.
        logger.debug("no answer", error=repr(error))
        return False
