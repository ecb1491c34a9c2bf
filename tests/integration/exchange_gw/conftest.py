"""A running gateway for each test, with streams, ledger and database of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.exchange_gw.venue import World, a_world
from tests.servers import Server


@pytest.fixture
async def world(tmp_path: Path, nats_server: Server, mongo_url: str, database_name: str) -> AsyncIterator[World]:
    """Everything up and logged on."""
    async with a_world(tmp_path, nats=nats_server, mongo=mongo_url, database=database_name) as running:
        yield running


@pytest.fixture
async def dark_world(tmp_path: Path, nats_server: Server, mongo_url: str, database_name: str) -> AsyncIterator[World]:
    """Everything up but the venue."""
    async with a_world(
        tmp_path, nats=nats_server, mongo=mongo_url, database=database_name, venue_up=False
    ) as running:
        yield running
