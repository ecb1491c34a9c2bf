"""What every test can ask for: real NATS, Mongo and Redis, each started once, and names of its own in them."""

import sys
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import structlog

from tests import servers
from tests.servers import Server

# Half a minute, and every process twice: `python -m pytest tests/replicas` runs it. Floods want the machine for themselves:
# `python -m pytest tests/abuse`.
collect_ignore = ["abuse", "replicas"]


def pytest_configure() -> None:
    """Send logs of rooms that run in a test's own process to the process's standard error: never among what a command prints."""
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.__stderr__))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark a test by the folder that it lies in, so that `-m integration` and the folder say the same."""
    for item in items:
        kind = next((part for part in ("integration", "e2e", "faults") if part in item.path.parts), None)
        if kind:
            item.add_marker(kind)


@pytest.fixture(scope="session")
async def nats_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A broker that all tests share: streams are kept, so use names of your own, or take `nats_server`."""
    async with servers.running(servers.a_nats_server(tmp_path_factory.mktemp("nats"))) as server:
        yield server.url


@pytest.fixture
async def nats_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A broker of this test alone, with empty streams; it may be killed and started again."""
    async with servers.running(servers.a_nats_server(tmp_path_factory.mktemp("nats"))) as server:
        yield server


@pytest.fixture(scope="session")
async def redis_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A Redis server that all tests share."""
    async with servers.running(servers.a_redis_server(tmp_path_factory.mktemp("redis"))) as server:
        yield server.url


@pytest.fixture
async def redis_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A Redis server of this test alone; it may be killed and started again."""
    async with servers.running(servers.a_redis_server(tmp_path_factory.mktemp("redis"))) as server:
        yield server


@pytest.fixture(scope="session")
async def mongo_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A database server that all tests share; take `database_name` for a database of your own."""
    given = servers.mongo_url_given()
    if given:
        yield given
        return
    async with servers.running(servers.a_mongo_server(tmp_path_factory.mktemp("mongo"))) as server:
        yield server.url


@pytest.fixture
async def mongo_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A database server of this test alone; it may be killed and started again."""
    async with servers.running(servers.a_mongo_server(tmp_path_factory.mktemp("mongo"))) as server:
        yield server


@pytest.fixture
def database_name() -> str:
    """A name for a database that no other test uses."""
    return f"test_{uuid4().hex[:12]}"
