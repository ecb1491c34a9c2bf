"""A venue's voice on the bus, and a running price_svc: what the gateway publishes, and the real service over real servers."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
from pydantic import SecretStr

from gen.trading.v1 import price_pb2 as pb
from gen.trading.v1.price_pb2_grpc import PriceServiceStub
from price_svc.app import open_app
from price_svc.settings import PriceSettings
from runtime import subjects
from runtime.jetstream import Bus, open_bus
from runtime.process import Tasks
from runtime.rpc import open_channel
from tests.eventually import eventually
from tests.servers import free_port

if TYPE_CHECKING:
    from gen.trading.v1.price_pb2_grpc import PriceServiceAsyncStub

SECRET = "a secret of 32 bytes for the tests"
LISTED = {"AAPL": "Apple Inc.", "MSFT": "Microsoft", "BRK.B": "Berkshire Hathaway", "F": "Ford Motor"}


def partition_of(symbol: str) -> int:
    return subjects.partition_of(symbol, subjects.TICK_PARTITIONS)


class Venue:
    """Publishes what the gateway would."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.epoch = int(time.time() * 1_000)
        self._seq: dict[str, int] = {}
        self._said = 0

    async def list_instruments(self) -> None:
        for partition in range(subjects.TICK_PARTITIONS):
            listed = [
                pb.Instrument(
                    symbol=symbol, name=name, exchange="XNAS", currency="USD", tick_size="0.01", lot_size=1,
                    max_quantity=1_000, tradable=True,
                )
                for symbol, name in LISTED.items()
                if partition_of(symbol) == partition
            ]  # fmt: skip
            payload = pb.InstrumentBatch(instruments=listed).SerializeToString()
            await self._publish(subjects.instruments(partition), payload)

    async def trade(self, symbol: str, price_micros: int, *, ago: float = 0.0, **more: Any) -> pb.Tick:
        """Publish a trade of 100 shares, made `ago` seconds ago."""
        self._seq[symbol] = self._seq.get(symbol, 0) + 1
        fields = {"size": 100, "epoch": self.epoch, "seq": self._seq[symbol], **more}
        tick = pb.Tick(symbol=symbol, price_micros=price_micros, **fields)
        tick.exchange_time.FromNanoseconds(time.time_ns() - int(ago * 1e9))
        await self.say(partition_of(symbol), pb.TickBatch(ticks=[tick]))
        return tick

    def trades_of(self, symbol: str) -> int:
        """Return how many trades of a symbol were published."""
        return self._seq.get(symbol, 0)

    async def phase(self, phase: str, *, symbol: str = "", reason: str = "") -> None:
        """Publish a phase of a symbol, or of the venue to every partition."""
        change = pb.TradingPhase(
            symbol=symbol, state=pb.GetMarketStatusResponse.State.Value(phase), reason=reason, epoch=self.epoch
        )
        change.exchange_time.GetCurrentTime()
        for partition in [partition_of(symbol)] if symbol else range(subjects.TICK_PARTITIONS):
            await self.say(partition, pb.TickBatch(phases=[change]))

    async def say(self, partition: int, batch: pb.TickBatch) -> None:
        await self._publish(subjects.ticks(partition), batch.SerializeToString())

    async def _publish(self, subject: str, payload: bytes) -> None:
        self._said += 1
        await self.bus.publish(subject, payload, event_id=f"{self.epoch}-{self._said}")


@asynccontextmanager
async def a_venue(nats_url: str) -> AsyncIterator[Venue]:
    """Open a venue with its instruments listed."""
    async with asyncio.TaskGroup() as group:
        tasks = Tasks(group)
        async with open_bus(nats_url, name="venue", tasks=tasks) as bus:
            venue = Venue(bus)
            await venue.list_instruments()
            yield venue
            await tasks.stop()


@asynccontextmanager
async def a_price_svc(
    nats_url: str, mongo_url: str, database: str, **changes: Any
) -> AsyncIterator["PriceServiceAsyncStub"]:
    """Run the whole service in this process; leaving the block stops it as SIGTERM does."""
    knobs: dict[str, Any] = {
        "nats_url": nats_url,
        "mongo_url": SecretStr(mongo_url),
        "mongo_database": database,
        "mongo_driver": "pymongo",
        "jwt_secret": SECRET,
        "port": free_port(),
        "live_interval_ms": 1,
        "history_flush_seconds": 0.3,
        "stop_grace_seconds": 1.0,
    }
    settings = PriceSettings(**{**knobs, **changes})
    async with asyncio.TaskGroup() as group:
        tasks = Tasks(group)
        async with open_channel(f"127.0.0.1:{settings.port}") as channel, open_app(settings, tasks):
            yield a_stub(channel)


def a_stub(channel: grpc.aio.Channel) -> "PriceServiceAsyncStub":
    """Return the client's side of the service."""
    return PriceServiceStub(channel)


async def price_of(stub: "PriceServiceAsyncStub", symbol: str) -> pb.Quote:
    """Ask for one quote."""
    response: pb.GetPricesResponse = await stub.GetPrices(pb.GetPricesRequest(symbol=symbol), timeout=5)
    return response.prices[0].quote


async def until_price(stub: "PriceServiceAsyncStub", symbol: str, price: str) -> pb.Quote:
    """Wait until the symbol costs that."""

    async def ask() -> pb.Quote | None:
        quote = await price_of(stub, symbol)
        assert quote.price == price, quote
        return quote

    quote = await eventually(ask)
    assert quote is not None
    return quote
