"""The whole system, every process real, once for all tests; each test has an account of its own."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from infra.local.running import System, running_system
from tests.eventually import eventually
from tests.socket_client import Socket, connected


@pytest.fixture(scope="session")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """A running system in which AAPL has a price."""
    async with running_system(tmp_path_factory.mktemp("system")) as running:
        yield running


@pytest.fixture
def account() -> str:
    """An account that no other test uses."""
    return f"e2e-{uuid4().hex[:8]}"


@pytest.fixture
async def socket(system: System, account: str) -> AsyncIterator[Socket]:
    """An authenticated socket through the public gateway."""
    async with connected(system.where.websocket, system.token(account)) as opened:

        async def priced() -> bool:
            prices = (await opened.ask("prices.get", symbols=["AAPL"]))["prices"]
            return bool(prices[0]["quote"]["state"] == "LIVE")

        await eventually(priced, within=30)
        yield opened
