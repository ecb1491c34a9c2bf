"""Real questions that tell whether a server serves: each returns a check that raises until the answer is right."""

import asyncio
import json
from contextlib import suppress
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure, PyMongoError

from gen.trading.v1 import price_pb2, price_pb2_grpc
from infra.local.broker_users import OPERATOR
from infra.local.part import NotReady, ReadyCheck

POLL_SECONDS = 0.03
ANSWER_SECONDS = 2.0
NOT_YET_INITIALIZED = 94
HTTP_FAILURE = 500


def tcp(host: str, port: int) -> ReadyCheck:
    """Someone listens."""

    async def check() -> None:
        await _close((await asyncio.open_connection(host, port))[1])

    return check


def nats(host: str, port: int, *, password: str = "") -> ReadyCheck:
    """JetStream answers what it holds; where it has users, the operator is asked for."""
    login = {"verbose": False} | ({"user": OPERATOR, "pass": password} if password else {})
    ask = f"CONNECT {json.dumps(login)}\r\nSUB _INBOX.ready 1\r\nPUB $JS.API.INFO _INBOX.ready 0\r\n\r\n".encode()

    async def check() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(ask)
            while not (line := await reader.readline()).startswith(b"MSG"):
                if not line or line.startswith((b"-ERR", b"HMSG")):
                    raise NotReady("JetStream does not answer")
        finally:
            await _close(writer)

    return check


def redis(host: str, port: int) -> ReadyCheck:
    """PING is answered, also after the data was loaded."""

    async def check() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(b"PING\r\n")
            answer = await reader.readline()
            if not answer.startswith(b"+PONG"):
                raise NotReady(answer.decode("utf-8", "replace").strip())
        finally:
            await _close(writer)

    return check


def mongo(host: str, port: int) -> ReadyCheck:
    """The server is a writable primary. A replica set that nobody has made yet is made, with this one member."""

    async def check() -> None:
        await tcp(host, port)()
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            host, port, directConnection=True, serverSelectionTimeoutMS=1000
        )
        try:
            hello = await client.admin.command("hello")
            if not hello.get("isWritablePrimary"):
                await _initiate(client, f"{host}:{port}")
                raise NotReady("no primary yet")
        except PyMongoError as error:
            raise NotReady(str(error)) from None
        finally:
            await client.close()

    return check


async def _initiate(client: AsyncMongoClient[dict[str, Any]], member: str) -> None:
    try:
        await client.admin.command("replSetGetStatus")
    except OperationFailure as error:
        if error.code != NOT_YET_INITIALIZED:
            raise
        await client.admin.command({"replSetInitiate": {"_id": "stockmesh", "members": [{"_id": 0, "host": member}]}})


def rpc(host: str, port: int, *services: str) -> ReadyCheck:
    """Each gRPC service says of itself that it is serving (`grpc.health.v1`)."""

    async def check() -> None:
        await tcp(host, port)()
        async with grpc.aio.insecure_channel(f"{host}:{port}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            for service in services:
                try:
                    answer = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=1.0)
                except grpc.aio.AioRpcError as error:
                    raise NotReady(f"{service}: {error.code().name}") from None
                if answer.status != health_pb2.HealthCheckResponse.SERVING:
                    raise NotReady(f"{service} is not serving")

    return check


def prices(host: str, port: int, token: str) -> ReadyCheck:
    """The venue was heard: at least one instrument has a price, or trading is known to rest."""

    async def check() -> None:
        async with grpc.aio.insecure_channel(f"{host}:{port}") as channel:
            try:
                status = await price_pb2_grpc.PriceServiceStub(channel).GetMarketStatus(
                    price_pb2.GetMarketStatusRequest(), metadata=(("authorization", f"Bearer {token}"),), timeout=1.0
                )
            except grpc.aio.AioRpcError as error:
                raise NotReady(f"price_svc: {error.code().name}") from None
        resting = status.state in {price_pb2.GetMarketStatusResponse.CLOSED, price_pb2.GetMarketStatusResponse.HALTED}
        if not status.priced_instruments and not resting:
            raise NotReady("the venue has sent no prices yet")

    return check


def http(host: str, port: int, path: str) -> ReadyCheck:
    """A GET is answered by someone who is not in trouble (any status below 500)."""

    async def check() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\n\r\n".encode())
            line = (await reader.readline()).decode("latin-1").split(" ", 2)
            if len(line) < 2 or not line[1].isdigit() or int(line[1]) >= HTTP_FAILURE:  # noqa: PLR2004 - "HTTP/1.1 200"
                raise NotReady(f"GET {path}: {' '.join(line).strip() or 'no answer'}")
        finally:
            await _close(writer)

    return check


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def wait_for(check: ReadyCheck, seconds: float) -> None:
    """Ask until the check passes. Raises NotReady with its last complaint after so many seconds."""
    problem: Exception = NotReady("no answer")
    try:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    async with asyncio.timeout(ANSWER_SECONDS):
                        return await check()
                except (NotReady, OSError, EOFError) as error:  # a TimeoutError is an OSError
                    problem = error
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise NotReady(f"not ready after {seconds:g} s: {str(problem) or type(problem).__name__}") from None
