"""A token that is revoked anywhere is refused everywhere, what it opened ends, and who starts later knows of it."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import jwt
import pytest
from pydantic import SecretStr

from gen.trading.v1 import order_pb2, order_pb2_grpc
from runtime.auth import TokenExpired, TokenRevoked, TokenVerifier, make_token
from runtime.identity import open_verifier
from runtime.jetstream import Bus, open_bus
from runtime.process import Tasks
from runtime.revocation import revoke
from runtime.rpc import Context, Service, open_channel, serve_rpc
from runtime.rpc_errors import error_from
from runtime.settings import Settings
from tests.eventually import eventually
from tests.integration.order_svc.conftest import loops
from tests.integration.runtime.test_rpc import failure_of
from tests.servers import Server, free_port

SECRET = "a secret that is only for tests, 32 bytes"
SETTINGS = Settings.model_validate({"jwt_secret": SecretStr(SECRET), "jwt_leeway_seconds": 0.0})


@pytest.fixture
async def running(nats_url: str) -> AsyncIterator[tuple[Tasks, Bus]]:
    async with loops() as tasks, open_bus(nats_url, name="test", tasks=tasks) as bus:
        yield tasks, bus
        await tasks.stop()


def a_token(seconds: float = 60) -> tuple[str, str]:
    """Return a token and its id."""
    token = make_token(secret=SECRET, subject="u", accounts=["demo"], scopes=["read"], lifetime_seconds=seconds)
    return token, str(jwt.decode(token, options={"verify_signature": False})["jti"])


async def refused(verifier: TokenVerifier, token: str) -> bool:
    try:
        verifier.verify(token)
    except TokenRevoked:
        return True
    return False


async def test_a_token_revoked_anywhere_is_refused_everywhere_and_by_who_starts_later(
    running: tuple[Tasks, Bus],
) -> None:
    tasks, bus = running
    (token, token_id), (other, _) = a_token(), a_token()
    async with (
        open_verifier(SETTINGS, bus=bus, tasks=tasks) as here,
        open_verifier(SETTINGS, bus=bus, tasks=tasks) as there,
    ):
        assert here.verify(token) == there.verify(token)

        await revoke(bus, token_id, expires_at=time.time() + 60)

        for verifier in (here, there):
            await eventually(partial(refused, verifier, token), within=2)
            assert verifier.verify(other).subject == "u"
    async with open_verifier(SETTINGS, bus=bus, tasks=tasks) as later:
        assert await refused(later, token)


async def test_a_revocation_is_forgotten_by_the_broker_some_time_after_its_token(nats_server: Server) -> None:
    async with loops() as tasks, open_bus(nats_server.url, name="test", tasks=tasks) as bus:
        await revoke(bus, "short", expires_at=time.time() + 7)
        message = await bus.client.jetstream().get_last_msg("REVOCATIONS", "auth.revoked.short")
        await tasks.stop()

    assert message.headers is not None
    assert 120 < int(message.headers["Nats-TTL"].rstrip("s")) <= 127


class Endless(order_pb2_grpc.OrderServiceServicer):
    """Sends one message and then waits for ever."""

    async def StreamOrderUpdates(
        self, request: order_pb2.StreamOrderUpdatesRequest, context: Context
    ) -> AsyncIterator[order_pb2.StreamOrderUpdatesResponse]:
        yield order_pb2.StreamOrderUpdatesResponse(position="1-1")
        await asyncio.Event().wait()


@pytest.mark.parametrize("ends_by", ["revocation", "expiry"])
async def test_a_stream_ends_when_its_token_does(running: tuple[Tasks, Bus], ends_by: str) -> None:
    tasks, bus = running
    port, endless = free_port(), Endless()  # type: ignore[abstract]  # the other methods are not asked for
    add: Any = order_pb2_grpc.add_OrderServiceServicer_to_server
    service = Service("trading.v1.OrderService", add, endless, {"StreamOrderUpdates": "read"})
    token, token_id = a_token(60 if ends_by == "revocation" else 2)
    async with (
        open_verifier(SETTINGS, bus=bus, tasks=tasks) as verifier,
        serve_rpc(host="127.0.0.1", port=port, services=[service], verifier=verifier),
        open_channel(f"127.0.0.1:{port}") as channel,
    ):
        call = order_pb2_grpc.OrderServiceStub(channel).StreamOrderUpdates(
            order_pb2.StreamOrderUpdatesRequest(), metadata=[("authorization", f"Bearer {token}")], timeout=30
        )
        stream = aiter(call)
        assert (await anext(stream)).position == "1-1"
        if ends_by == "revocation":
            await revoke(bus, token_id, expires_at=time.time() + 60)

        reason = error_from(await failure_of(anext(stream))).reason

    assert reason == (TokenRevoked.reason if ends_by == "revocation" else TokenExpired.reason)
