"""runtime/health.py through a real door: what is told of services and dependencies, also while the server stops."""

import asyncio
from typing import Any

from grpc_health.v1 import health_pb2, health_pb2_grpc

from gen.trading.v1 import order_pb2_grpc
from runtime.auth import TokenVerifier
from runtime.rpc import Service, open_channel, serve_rpc
from tests.eventually import eventually
from tests.servers import free_port

NAME = "trading.v1.OrderService"
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


class Away:
    """A dependency that a test can take away."""

    def __init__(self) -> None:
        self.problem: Exception | None = None

    async def ask(self) -> None:
        if self.problem:
            raise self.problem


async def test_dependencies_have_names_of_their_own_and_a_stop_is_told_first() -> None:
    port, database = free_port(), Away()
    add: Any = order_pb2_grpc.add_OrderServiceServicer_to_server
    service = Service(NAME, add, order_pb2_grpc.OrderServiceServicer(), {})  # type: ignore[abstract]
    verifier = TokenVerifier(secret="x" * 32, issuer="stockmesh", audience="stockmesh")
    async with open_channel(f"127.0.0.1:{port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)

        async def state(name: str) -> int:
            return int((await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)).status)

        async with serve_rpc(
            host="127.0.0.1", port=port, services=[service], verifier=verifier, grace_seconds=0.1
        ) as health:
            watch = asyncio.create_task(health.watch({"mongo": database.ask}, every_seconds=0.02))

            async def told(wanted: int) -> bool:
                return await state("mongo") == wanted

            await asyncio.sleep(0.1)
            assert await told(SERVING)
            database.problem = OSError("gone")
            await eventually(lambda: told(NOT_SERVING), within=2)
            # The service itself goes on.
            assert await state(NAME) == SERVING
            heard = aiter(stub.Watch(health_pb2.HealthCheckRequest(service=NAME), timeout=10))
            assert (await anext(heard)).status == SERVING
            closing = asyncio.create_task(until_not_serving(heard))
        assert await closing
        watch.cancel()


async def until_not_serving(heard: Any) -> bool:
    """Tell whether the last word before the end is that nobody is served any more."""
    return bool((await anext(heard)).status == NOT_SERVING)
