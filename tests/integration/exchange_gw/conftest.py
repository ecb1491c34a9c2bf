"""Running gateways for tests, with streams, ledger and database of their own."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests import servers
from tests.integration.exchange_gw.venue import World, a_world
from tests.servers import Server


@pytest.fixture(scope="module")
async def steady_world(mongo_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Everything up and logged on, for all tests of a file: they use orders of their own and leave the rest as it is."""
    folder = tmp_path_factory.mktemp("world")
    async with (
        servers.running(servers.a_nats_server(folder)) as nats,
        a_world(folder, nats=nats, mongo=mongo_url, database=f"test_{uuid4().hex[:12]}") as running,
    ):
        yield running


@pytest.fixture
async def world(tmp_path: Path, nats_server: Server, mongo_url: str, database_name: str) -> AsyncIterator[World]:
    """Everything up and logged on, for a test that changes or breaks it."""
    async with a_world(tmp_path, nats=nats_server, mongo=mongo_url, database=database_name) as running:
        yield running


@pytest.fixture
async def dark_world(tmp_path: Path, nats_server: Server, mongo_url: str, database_name: str) -> AsyncIterator[World]:
    """Everything up but the venue."""
    async with a_world(tmp_path, nats=nats_server, mongo=mongo_url, database=database_name, venue_up=False) as running:
        yield running
