from gen.trading.v1 import price_pb2 as pb
from runtime.databases import open_mongo
from tests.eventually import eventually
from tests.integration.price_svc.venue import a_price_svc, a_venue, price_of, until_price
from tests.servers import Server, free_port

NOWHERE = "mongodb://127.0.0.1:{}/?directConnection=true&serverSelectionTimeoutMS=300"


async def test_a_cold_start_answers_from_what_the_broker_keeps(
    nats_server: Server, mongo_url: str, database_name: str
) -> None:
    async with a_venue(nats_server.url) as venue:
        async with a_price_svc(nats_server.url, mongo_url, database_name) as stub:
            await venue.phase("OPEN")
            await venue.trade("AAPL", 190_000_000)
            await venue.phase("HALTED", symbol="F", reason="news pending")
            await venue.trade("F", 11_000_000)
            await until_price(stub, "AAPL", "190.00")
            await until_price(stub, "F", "11.00")

        # The gateway is silent and the database is away: what is left is the broker.
        async with a_price_svc(nats_server.url, NOWHERE.format(free_port()), database_name) as stub:
            apple, ford = await price_of(stub, "AAPL"), await price_of(stub, "F")
            assert (apple.price, apple.volume, apple.seq) == ("190.00", 100, 1)
            assert ford.state == pb.Quote.HALTED
            status = await stub.GetMarketStatus(pb.GetMarketStatusRequest(), timeout=5)
            assert status.state == pb.GetMarketStatusResponse.OPEN

            await venue.trade("AAPL", 191_000_000)
            assert (await until_price(stub, "AAPL", "191.00")).volume == 200


async def test_ticks_said_while_the_service_was_away_are_heard_after_its_start(
    nats_server: Server, mongo_url: str, database_name: str
) -> None:
    async with a_venue(nats_server.url) as venue:
        async with a_price_svc(nats_server.url, mongo_url, database_name) as stub:
            await venue.trade("AAPL", 190_000_000)
            await until_price(stub, "AAPL", "190.00")
        for step in range(1, 20):
            await venue.trade("AAPL", 190_000_000 + step * 10_000)

        async with a_price_svc(nats_server.url, mongo_url, database_name) as stub:
            assert (await until_price(stub, "AAPL", "190.19")).volume == 2_000


async def test_a_bar_goes_on_over_a_restart(nats_server: Server, mongo_url: str, database_name: str) -> None:
    request = pb.GetPricesRequest(symbol="AAPL", timerange="1m")
    async with a_venue(nats_server.url) as venue:
        for price_micros in (190_000_000, 195_000_000, 185_000_000):
            async with a_price_svc(nats_server.url, mongo_url, database_name) as stub:
                tick = await venue.trade("AAPL", price_micros)
                await until_price(stub, "AAPL", f"{price_micros / 1e6:.2f}")
                answer = await stub.GetPrices(request, timeout=5)
        bars = answer.prices[0].bars
        # Two, if an hour began meanwhile.
        assert sum(bar.volume for bar in bars) == 300
        assert bars[-1].close == "185.00"
        assert bars[0].open == "190.00"
        assert bars[-1].start_time.seconds <= tick.exchange_time.seconds


async def test_a_dead_database_costs_history_and_no_price(
    nats_server: Server, mongo_server: Server, database_name: str
) -> None:
    async with (
        a_venue(nats_server.url) as venue,
        a_price_svc(nats_server.url, mongo_server.url, database_name, history_timeout_seconds=0.5) as stub,
    ):
        await venue.trade("AAPL", 190_000_000, ago=70)
        await until_price(stub, "AAPL", "190.00")

        async def has_history() -> bool:
            answer = await stub.GetPrices(pb.GetPricesRequest(symbol="AAPL", timerange="1d"), timeout=5)
            return len(answer.prices[0].bars) > 0

        await eventually(has_history)
        # Not killed: SecantusDB cannot start again when that meets the creation of one of its tables.
        await mongo_server.stop()

        await venue.trade("AAPL", 191_000_000)
        await until_price(stub, "AAPL", "191.00")
        await venue.trade("AAPL", 192_000_000)
        await until_price(stub, "AAPL", "192.00")

        await mongo_server.start()
        async with open_mongo(mongo_server.url, database=database_name, driver="pymongo") as database:

            async def ticks_are_there() -> bool:
                found = await database.collection("ticks").find({"symbol": "AAPL"}).to_list(None)
                return sorted(seq for document in found for seq in document["seq"]) == [1, 2, 3]

            await eventually(ticks_are_there, within=20)
        await eventually(has_history, within=20)
