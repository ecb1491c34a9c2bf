"""Where the prices of the fan-out benchmark come from: live quotes on the bus as a price service says them, and their snapshots."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import nats

from gen.trading.v1 import price_pb2, price_pb2_grpc
from runtime import subjects
from runtime.auth import TokenVerifier
from runtime.rpc import Context, Service, serve_rpc


class Generator(price_pb2_grpc.PriceServiceServicer):
    """Quotes of some symbols; every one of them moves in every round."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self._quotes = {
            symbol: price_pb2.Quote(
                symbol=symbol,
                price="190.12",
                bid="190.11",
                ask="190.13",
                open="188.00",
                high="191.50",
                low="187.25",
                previous_close="188.40",
                volume=1_000_000,
                epoch=1,
                seq=1,
                state=price_pb2.Quote.LIVE,
            )
            for symbol in symbols
        }
        self._round = 1

    async def GetPrices(  # noqa: N802 - gRPC's name
        self, request: price_pb2.GetPricesRequest, context: Context
    ) -> price_pb2.GetPricesResponse:
        """Answer like the price service."""
        return price_pb2.GetPricesResponse(
            prices=[price_pb2.StockPrice(quote=self._quotes[symbol]) for symbol in request.symbols]
        )

    def batch(self) -> bytes:
        """Move every price, and return what is said of that."""
        self._round += 1
        now = time.time_ns() // 1000 * 1000
        for quote in self._quotes.values():
            quote.seq = self._round
            quote.price = f"{190 + self._round % 100 / 100:.2f}"
            quote.volume += 100
            quote.quote_time.FromNanoseconds(now)
        return price_pb2.QuoteBatch(quotes=self._quotes.values(), ticks_sequence=self._round).SerializeToString()

    @asynccontextmanager
    async def saying(self, nats_url: str, rounds_a_second: float) -> AsyncIterator[None]:
        """Say a batch at each beat inside the block; late ones are left out."""
        saying = asyncio.create_task(self._say(nats_url, rounds_a_second))
        try:
            yield
        finally:
            saying.cancel()
            await asyncio.gather(saying, return_exceptions=True)

    async def _say(self, nats_url: str, rounds_a_second: float) -> None:
        client = await nats.connect(nats_url)
        try:
            due = time.perf_counter()
            while True:
                await client.publish(subjects.quotes_live(0), self.batch())
                due = max(due + 1.0 / rounds_a_second, time.perf_counter())
                await asyncio.sleep(due - time.perf_counter())
        finally:
            await client.close()


@asynccontextmanager
async def a_generator(symbols: Sequence[str], *, port: int, secret: str) -> AsyncIterator[Generator]:
    """Answer for snapshots on a port inside the block."""
    # What nobody asks here is left to gRPC's own "unimplemented".
    generator = Generator(symbols)  # type: ignore[abstract]
    service = Service(
        "trading.v1.PriceService",
        price_pb2_grpc.add_PriceServiceServicer_to_server,
        generator,
        {"GetPrices": None},
    )
    verifier = TokenVerifier(secret=secret, issuer="stockmesh", audience="stockmesh")
    async with serve_rpc(host="127.0.0.1", port=port, services=[service], verifier=verifier, grace_seconds=0.1):
        yield generator
