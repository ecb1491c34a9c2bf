import grpc
import pytest

from gen.trading.v1 import price_pb2 as pb
from runtime.auth import make_token
from runtime.jetstream import Heard
from runtime.rpc import open_channel
from runtime.rpc_errors import error_from
from tests.eventually import eventually
from tests.integration.price_svc.venue import SECRET, a_price_svc, a_stub, a_venue, partition_of, price_of, until_price
from tests.servers import Server, free_port


async def test_a_tick_becomes_a_price(nats_server: Server, mongo_url: str, database_name: str) -> None:
    async with a_venue(nats_server.url) as venue, a_price_svc(nats_server.url, mongo_url, database_name) as stub:
        assert (await price_of(stub, "BRK.B")) == pb.Quote(symbol="BRK.B", state=pb.Quote.STALE)
        await venue.trade("BRK.B", 400_000_000)
        await venue.trade("BRK.B", 401_500_000, bid_micros=401_490_000, ask_micros=401_510_000)

        quote = await until_price(stub, "BRK.B", "401.50")

        assert (quote.bid, quote.ask, quote.open, quote.high, quote.low) == (
            "401.49",
            "401.51",
            "400.00",
            "401.50",
            "400.00",
        )
        assert (quote.volume, quote.epoch, quote.seq, quote.state) == (200, venue.epoch, 2, pb.Quote.LIVE)


async def test_old_and_repeated_ticks_change_nothing(nats_server: Server, mongo_url: str, database_name: str) -> None:
    async with a_venue(nats_server.url) as venue, a_price_svc(nats_server.url, mongo_url, database_name) as stub:
        first = await venue.trade("AAPL", 190_000_000)
        await venue.trade("AAPL", 191_000_000)
        await until_price(stub, "AAPL", "191.00")

        await venue.say(partition_of("AAPL"), pb.TickBatch(ticks=[first, first]))
        await venue.say(
            partition_of("AAPL"), pb.TickBatch(ticks=[pb.Tick(symbol="AAPL", price_micros=-5, epoch=1 << 60)])
        )
        await venue.trade("F", 11_000_000)

        await until_price(stub, "F", "11.00")
        quote = await price_of(stub, "AAPL")
        assert (quote.price, quote.volume, quote.seq) == ("191.00", 200, 2)


async def test_a_message_that_is_no_ticks_does_not_stop_its_partition(
    nats_server: Server, mongo_url: str, database_name: str
) -> None:
    async with a_venue(nats_server.url) as venue, a_price_svc(nats_server.url, mongo_url, database_name) as stub:
        await venue.bus.publish(f"ticks.{partition_of('AAPL')}", b"\xff\xff\xff", event_id="garbage")
        await venue.trade("AAPL", 190_000_000)

        await until_price(stub, "AAPL", "190.00")


async def test_others_hear_quotes_live_and_again(nats_server: Server, mongo_url: str, database_name: str) -> None:
    heard: list[pb.QuoteBatch] = []

    async def hear(message: Heard) -> None:
        batch = pb.QuoteBatch.FromString(message.payload)
        if any(quote.symbol == "AAPL" for quote in batch.quotes):
            assert message.subject == f"quotes.live.{partition_of('AAPL')}"
            heard.append(batch)

    async def twice() -> bool:
        return len(heard) > 1

    async with (
        a_venue(nats_server.url) as venue,
        venue.bus.listen("quotes.live.*", hear),
        a_price_svc(nats_server.url, mongo_url, database_name),
    ):
        await venue.phase("OPEN")
        await venue.trade("AAPL", 190_000_000)
        await eventually(twice, within=5)
    assert {batch.quotes[0].price for batch in heard} == {"190.00"}
    assert heard[0].ticks_sequence > 0
    assert heard[-1].market == pb.GetMarketStatusResponse.OPEN


async def told(
    call: "grpc.aio.UnaryStreamCall[pb.StreamPricesRequest, pb.StreamPricesResponse]",
) -> pb.StreamPricesResponse:
    """Return the next message of a stream."""
    message = await call.read()
    assert isinstance(message, pb.StreamPricesResponse)
    return message


async def test_a_stream_sends_a_snapshot_then_updates_and_states(
    nats_server: Server, mongo_url: str, database_name: str
) -> None:
    async with a_venue(nats_server.url) as venue, a_price_svc(nats_server.url, mongo_url, database_name) as stub:
        await venue.trade("AAPL", 190_000_000)
        await until_price(stub, "AAPL", "190.00")
        call = stub.StreamPrices(
            pb.StreamPricesRequest(symbols=["AAPL", "F"], mode=pb.StreamPricesRequest.LTP), timeout=20
        )
        try:
            snapshot = await told(call)
            assert [(quote.symbol, quote.price) for quote in snapshot.quotes] == [("AAPL", "190.00"), ("F", "")]
            assert not snapshot.quotes[0].high
            assert (await told(call)).status.symbol == "F"

            await venue.trade("AAPL", 191_000_000)
            assert [quote.price for quote in (await told(call)).quotes] == ["191.00"]

            await venue.phase("HALTED", symbol="AAPL", reason="news pending")
            assert (await told(call)).quotes[0].state == pb.Quote.HALTED
            status = (await told(call)).status
            assert (status.symbol, status.state, status.reason) == ("AAPL", pb.Quote.HALTED, "news pending")
        finally:
            call.cancel()


async def test_a_stream_ends_when_the_service_stops(nats_server: Server, mongo_url: str, database_name: str) -> None:
    port = free_port()
    async with open_channel(f"127.0.0.1:{port}") as channel:
        async with (
            a_venue(nats_server.url),
            a_price_svc(nats_server.url, mongo_url, database_name, port=port, stop_grace_seconds=30.0),
        ):
            call = a_stub(channel).StreamPrices(pb.StreamPricesRequest(symbol="AAPL"), timeout=20)
            assert (await told(call)).quotes
            assert (await told(call)).status.symbol == "AAPL"

        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await told(call)
    assert error_from(failure.value).reason == "SHUTTING_DOWN"


async def test_refusals_reach_the_client_with_reason_and_metadata(
    nats_server: Server, mongo_url: str, database_name: str
) -> None:
    async with (
        a_venue(nats_server.url),
        a_price_svc(nats_server.url, mongo_url, database_name, max_streams=1) as stub,
    ):
        await price_of(stub, "AAPL")
        for request, reason in (
            (pb.GetPricesRequest(symbols=["AAPL", "NOPE"]), "UNKNOWN_SYMBOL"),
            (pb.GetPricesRequest(symbols=[f"S{number}" for number in range(501)]), "TOO_MANY_SYMBOLS"),
            (pb.GetPricesRequest(symbol="AAPL", timerange="2d"), "INVALID_TIMERANGE"),
            (pb.GetPricesRequest(symbol="AAPL", interval="1m"), "INVALID_INTERVAL"),
            (pb.GetPricesRequest(page_token="nonsense"), "INVALID_PAGE_TOKEN"),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await stub.GetPrices(request, timeout=5)
            assert error_from(failure.value).reason == reason
        held = stub.StreamPrices(pb.StreamPricesRequest(symbol="AAPL"), timeout=20)
        await held.read()
        one_too_many = stub.StreamPrices(pb.StreamPricesRequest(symbol="AAPL"), timeout=20)
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await one_too_many.read()
        held.cancel()
        assert error_from(failure.value).reason == "TOO_MANY_STREAMS"


async def test_tokens_are_asked_for_where_reads_are_not_public(
    nats_server: Server, mongo_url: str, database_name: str
) -> None:
    async with (
        a_venue(nats_server.url),
        a_price_svc(nats_server.url, mongo_url, database_name, anonymous_reads=False) as stub,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await stub.GetMarketStatus(pb.GetMarketStatusRequest(), timeout=5)
        assert failure.value.code() is grpc.StatusCode.UNAUTHENTICATED

        token = make_token(secret=SECRET, subject="me", accounts=["demo"])
        metadata = (("authorization", f"Bearer {token}"),)
        status = await stub.GetMarketStatus(pb.GetMarketStatusRequest(), metadata=metadata, timeout=5)
        assert status.state == pb.GetMarketStatusResponse.UNKNOWN


async def test_instruments_are_found_and_new_ones_are_heard(
    nats_server: Server, mongo_url: str, database_name: str
) -> None:
    async with a_venue(nats_server.url) as venue, a_price_svc(nats_server.url, mongo_url, database_name) as stub:
        found = await stub.SearchInstruments(pb.SearchInstrumentsRequest(query="berk"), timeout=5)
        assert [(item.symbol, item.tick_size) for item in found.instruments] == [("BRK.B", "0.01")]

        listed = pb.InstrumentBatch(instruments=[pb.Instrument(symbol="NEW", name="New Things", tick_size="0.05")])
        await venue.bus.publish(f"instruments.{partition_of('NEW')}", listed.SerializeToString(), event_id="new")

        async def is_there() -> bool:
            found = await stub.SearchInstruments(pb.SearchInstrumentsRequest(query="things"), timeout=5)
            return [item.symbol for item in found.instruments] == ["NEW"]

        await eventually(is_there)


async def test_the_market_tells_its_phase(nats_server: Server, mongo_url: str, database_name: str) -> None:
    async with a_venue(nats_server.url) as venue, a_price_svc(nats_server.url, mongo_url, database_name) as stub:
        status = await stub.GetMarketStatus(pb.GetMarketStatusRequest(), timeout=5)
        assert (status.state, status.feed_age_ms) == (pb.GetMarketStatusResponse.UNKNOWN, -1)

        await venue.phase("OPEN")
        await venue.trade("AAPL", 190_000_000)

        async def is_open() -> bool:
            status = await stub.GetMarketStatus(pb.GetMarketStatusRequest(), timeout=5)
            return status.state == pb.GetMarketStatusResponse.OPEN and 0 <= status.feed_age_ms < 5_000

        await eventually(is_open)


async def test_without_the_venue_all_prices_are_stale_and_say_why(
    nats_server: Server, mongo_url: str, database_name: str
) -> None:
    async with a_venue(nats_server.url) as venue, a_price_svc(nats_server.url, mongo_url, database_name) as stub:
        await venue.phase("OPEN")
        await venue.trade("AAPL", 190_000_000)
        await until_price(stub, "AAPL", "190.00")
        call = stub.StreamPrices(pb.StreamPricesRequest(symbol="AAPL"), timeout=20)
        try:
            assert (await told(call)).quotes[0].state == pb.Quote.LIVE

            await venue.phase("UNKNOWN")

            assert (await told(call)).quotes[0].state == pb.Quote.STALE
            status = (await told(call)).status
            assert (status.state, status.reason) == (pb.Quote.STALE, "the feed is lost")
            await venue.trade("AAPL", 191_000_000, epoch=venue.epoch + 1)
            assert (await told(call)).quotes[0].state == pb.Quote.LIVE
        finally:
            call.cancel()
