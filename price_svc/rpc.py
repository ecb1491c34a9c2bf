"""The gRPC door: PriceService."""

from collections.abc import AsyncIterator

from gen.trading.v1 import price_pb2 as pb
from gen.trading.v1 import price_pb2_grpc
from price_svc import wire
from price_svc.service import Prices
from price_svc.watch import Update
from runtime.auth import READ
from runtime.rpc import Context, Service

NAME = "trading.v1.PriceService"
METHODS = ("GetPrices", "StreamPrices", "SearchInstruments", "GetMarketStatus")


class PriceServicer(price_pb2_grpc.PriceServiceServicer):
    """Translates and delegates."""

    def __init__(self, prices: Prices, messages: wire.QuoteMessages) -> None:
        self._prices, self._messages = prices, messages

    async def GetPrices(self, request: pb.GetPricesRequest, context: Context) -> pb.GetPricesResponse:
        """Return latest quotes, and bars when a range of them is given."""
        prices, next_token = await self._prices.get(
            _symbols(request),
            asked=wire.asked_from(request),
            page_size=request.page_size,
            page_token=request.page_token,
        )
        message = self._messages.of
        return pb.GetPricesResponse(
            prices=[wire.priced_to(priced, message(priced.quote)) for priced in prices], next_page_token=next_token
        )

    async def StreamPrices(
        self, request: pb.StreamPricesRequest, context: Context
    ) -> AsyncIterator[pb.StreamPricesResponse]:
        """Send a snapshot, then updates as fast as the reader takes them."""
        message = wire.last_price_to if request.mode == pb.StreamPricesRequest.LTP else self._messages.of
        with self._prices.watch(_symbols(request), max_hz=request.max_hz) as watch:
            while True:
                update = await watch.next()
                if update.quotes:
                    yield pb.StreamPricesResponse(quotes=[message(quote) for quote in update.quotes])
                for quote in update.turned:
                    yield pb.StreamPricesResponse(status=wire.status_to(quote))
                if update == Update():
                    yield pb.StreamPricesResponse(heartbeat=self._heartbeat())

    async def SearchInstruments(
        self, request: pb.SearchInstrumentsRequest, context: Context
    ) -> pb.SearchInstrumentsResponse:
        """Return instruments, best match first."""
        found, next_token = self._prices.search(
            request.query, page_size=request.page_size, page_token=request.page_token
        )
        return pb.SearchInstrumentsResponse(
            instruments=[wire.instrument_to(instrument) for instrument in found], next_page_token=next_token
        )

    async def GetMarketStatus(self, request: pb.GetMarketStatusRequest, context: Context) -> pb.GetMarketStatusResponse:
        """Return whether the venue trades now."""
        return wire.market_status_to(self._prices.market_status())

    def _heartbeat(self) -> pb.Heartbeat:
        heartbeat = pb.Heartbeat(feed_age_ms=self._prices.feed_age_ms())
        heartbeat.time.GetCurrentTime()
        return heartbeat


def price_service(prices: Prices, messages: wire.QuoteMessages, *, anonymous_reads: bool) -> Service:
    """Return the service for the server: open to everybody, or to tokens with the scope `read`."""
    scope = None if anonymous_reads else READ
    return Service(
        NAME,
        price_pb2_grpc.add_PriceServiceServicer_to_server,
        PriceServicer(prices, messages),
        dict.fromkeys(METHODS, scope),
    )


def _symbols(request: pb.GetPricesRequest | pb.StreamPricesRequest) -> list[str]:
    return [*request.symbols, request.symbol] if request.symbol else list(request.symbols)
