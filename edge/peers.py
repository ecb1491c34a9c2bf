"""Whether the edge can serve: both services answer and the bus stands. Asked in the background: to be asked costs nothing."""

import asyncio
from collections.abc import Mapping

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from runtime.jetstream import Bus

ASK_EVERY_SECONDS = 1.0
ASK_SECONDS = 1.0


class Peers:
    """What is known of the neighbours."""

    def __init__(self, bus: Bus, channels: Mapping[str, grpc.aio.Channel]) -> None:
        self._bus, self._channels = bus, channels
        self._serving = dict.fromkeys(channels, False)

    def state(self) -> dict[str, bool]:
        """Return for each neighbour whether it is usable."""
        return {**self._serving, "bus": self._bus.is_connected}

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            await asyncio.gather(*(self._ask(name, channel) for name, channel in self._channels.items()))
            await asyncio.sleep(ASK_EVERY_SECONDS)

    async def _ask(self, name: str, channel: grpc.aio.Channel) -> None:
        call = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=ASK_SECONDS)
        try:
            answer = await call
            self._serving[name] = answer.status == health_pb2.HealthCheckResponse.SERVING
        except grpc.aio.AioRpcError as failure:
            # A server that lives and does not know the question is as good.
            self._serving[name] = failure.code() is grpc.StatusCode.UNIMPLEMENTED
        finally:
            call.cancel()
