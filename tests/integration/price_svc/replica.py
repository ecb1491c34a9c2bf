"""A replica of price_svc as a process of its own, and somebody who reads prices from it all the time."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from gen.trading.v1 import price_pb2 as pb
from runtime.rpc import open_channel
from tests.eventually import eventually
from tests.integration.price_svc.venue import SECRET, a_stub
from tests.servers import free_port

if TYPE_CHECKING:
    from gen.trading.v1.price_pb2_grpc import PriceServiceAsyncStub


class Replica:
    """A running process; it may be killed or frozen."""

    def __init__(self, process: asyncio.subprocess.Process, stub: "PriceServiceAsyncStub") -> None:
        self._process, self.stub = process, stub

    def kill(self) -> None:
        self._process.kill()

    def freeze(self) -> None:
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self._process.pid, signal.SIGCONT)

    async def serves(self) -> bool:
        """Tell whether it answers."""
        try:
            await self.stub.GetMarketStatus(pb.GetMarketStatusRequest(), timeout=1)
        except grpc.aio.AioRpcError:
            return False
        return True


@asynccontextmanager
async def a_replica(nats_url: str, mongo_url: str, database: str, log: Path) -> AsyncIterator[Replica]:
    """Run one for the block."""
    port = free_port()
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "NATS_URL": nats_url,
        "MONGO_DRIVER": "pymongo",
        "JWT_SECRET": SECRET,
        "PRICE_SVC_PORT": str(port),
        "PRICE_SVC_MONGO_URL": mongo_url,
        "PRICE_SVC_MONGO_DATABASE": database,
        "PRICE_SVC_HISTORY_FLUSH_SECONDS": "0.5",
        "LOG_FORMAT": "json",
    }
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "price_svc"),
            env=environment,
            stdout=output,
            stderr=output,
            cwd=Path(__file__).parents[3],
        )
    try:
        async with open_channel(f"127.0.0.1:{port}") as channel:
            replica = Replica(process, a_stub(channel))
            await eventually(replica.serves, within=20)
            yield replica
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class Reader:
    """Reads a price stream, and notes when each symbol was heard and whether any ever went back."""

    def __init__(self, replica: Replica, symbols: Sequence[str]) -> None:
        self._replica, self._symbols = replica, symbols
        self.versions: dict[str, tuple[int, int]] = {}
        self.volumes: dict[str, int] = {}
        self.went_back: list[pb.Quote] = []
        self._heard: dict[str, float] = {}
        self._silences: dict[str, float] = dict.fromkeys(symbols, 0.0)

    async def run(self) -> None:
        """Read until the replica is gone."""
        call = self._replica.stub.StreamPrices(pb.StreamPricesRequest(symbols=self._symbols), timeout=60)
        try:
            while isinstance(told := await call.read(), pb.StreamPricesResponse):
                for quote in told.quotes:
                    self._take(quote)
        except grpc.aio.AioRpcError:
            return
        finally:
            call.cancel()

    def _take(self, quote: pb.Quote) -> None:
        version = quote.epoch, quote.seq
        if version < self.versions.get(quote.symbol, (0, 0)):
            self.went_back.append(quote)
        if version > self.versions.get(quote.symbol, (0, 0)):
            self._note(quote.symbol)
        self.versions[quote.symbol], self.volumes[quote.symbol] = version, quote.volume

    def _note(self, symbol: str) -> None:
        now = time.monotonic()
        self._silences[symbol] = max(self._silences[symbol], now - self._heard.get(symbol, now))
        self._heard[symbol] = now

    def longest_silence(self) -> float:
        """Return the longest time in seconds that any symbol was silent, until now."""
        for symbol in self._symbols:
            self._note(symbol)
        return max(self._silences.values())
