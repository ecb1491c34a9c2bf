"""A running system for a benchmark, with knobs turned."""

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from infra.local.running import System, running_system

# A crowd comes from one address, and much of it for one account.
NO_LIMITS = {
    "EDGE_MAX_SOCKETS": "0",
    "EDGE_MAX_HANDSHAKES": "0",
    "EDGE_MAX_ADDRESS_SOCKETS": "0",
    "EDGE_MAX_ACCOUNT_SOCKETS": "0",
    "EDGE_MAX_ACCOUNT_SUBSCRIPTIONS": "0",
    "EDGE_MESSAGES_PER_SECOND": "0",
    "EDGE_ORDERS_PER_SECOND": "0",
    "EDGE_SUBSCRIPTIONS_PER_SECOND": "0",
}


@asynccontextmanager
async def a_system(**environment: str) -> AsyncIterator[System]:
    """Run the whole system in a folder of its own for the block; its services see the given variables."""
    turned = {**NO_LIMITS, **environment}
    before = {name: os.environ.get(name) for name in turned}
    # The parts inherit the environment of whoever starts them.
    os.environ.update(turned)
    try:
        with tempfile.TemporaryDirectory() as folder:
            async with running_system(Path(folder)) as system:
                yield system
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def metrics_url(system: System) -> str:
    """Return where order_svc of a running system tells its figures."""
    return f"http://{system.where.metrics['order_svc'][0]}/metrics"
