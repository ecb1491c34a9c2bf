"""A relay in a process of its own, which a test can freeze; arguments: NATS, MongoDB, the database and the lease's seconds."""

import asyncio
import sys

from prometheus_client import CollectorRegistry

from order_svc.figures import Figures
from order_svc.outbox import MongoOutbox
from order_svc.relay import Relay
from order_svc.updates import ToldUpdates
from runtime.databases import open_mongo
from runtime.jetstream import open_bus
from runtime.leases import Lease
from runtime.process import Tasks
from runtime.receipts import open_receipts


async def relay(nats_url: str, mongo_url: str, database_name: str, ttl_seconds: float) -> None:
    """Relay for ever."""
    async with asyncio.TaskGroup() as group:
        tasks = Tasks(group)
        async with (
            open_mongo(mongo_url, database=database_name, driver="pymongo") as database,
            open_bus(nats_url, name="frozen", tasks=tasks) as bus,
            open_receipts(bus) as receipts,
        ):
            lease = Lease(bus, f"relay.{database_name}", ttl_seconds=ttl_seconds)
            running = Relay(
                MongoOutbox(database), receipts, ToldUpdates(bus), lease, figures=Figures(CollectorRegistry())
            )
            tasks.spawn(running.run(), name="relay")
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(relay(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])))
