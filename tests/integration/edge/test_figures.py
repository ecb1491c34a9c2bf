"""What the edge measures is what happened; and a token that is revoked closes its sockets."""

import asyncio

from prometheus_client import CollectorRegistry

from gen.trading.v1 import order_pb2
from runtime.revocation import revoke
from tests.integration.edge.client import a_client, a_token, eventually
from tests.integration.edge.neighbours import VERIFIER, a_quote, say_quotes
from tests.integration.edge.running import an_edge


async def test_figures_count_what_happened(nats_url: str) -> None:
    registry = CollectorRegistry()

    def value(name: str, **labels: str) -> float:
        return registry.get_sample_value(name, labels) or 0.0

    async with an_edge(nats_url, registry=registry) as edge:
        async with a_client(edge.url, token=a_token("measured")) as client:
            await client.call("ping")
            await client.refused("orders.get", clientOrderId="x")
            await client.refused("no.such.method")
            await client.call("prices.subscribe", symbols=["AAPL", "MSFT"], maxHz=50)
            assert value("edge_sockets") == 1
            assert value("edge_subscriptions") == 2
            # More than are sent: within a beat newer ones replace older ones.
            for seq in range(2, 152):
                quote = a_quote("AAPL", seq=seq)
                quote.quote_time.GetCurrentTime()
                await say_quotes(edge.bus, quote)
                await asyncio.sleep(0.002)
            await asyncio.sleep(0.2)
            sent, conflated = value("edge_updates_sent_total"), value("edge_updates_conflated_total")
            assert 5 <= sent < 100
            assert sent + conflated == 150

            await client.call("orders.subscribe")
            placed = await client.call(
                "orders.place", clientOrderId="k", symbol="AAPL", side="BUY", type="MARKET", quantity=1
            )
            await client.told("orders.update")
            order = edge.orders.orders["measured", placed["order"]["clientOrderId"]]
            order.update_time.GetCurrentTime()
            await edge.orders.change(order, order_pb2.OrderEvent.FILL)
            await client.told("orders.update")
            assert value("order_report_to_pushed_seconds_count") == 1
            assert value("order_report_to_pushed_seconds_sum") < 1

            assert value("edge_requests_total", method="ping", code="0") == 1
            assert value("edge_requests_total", method="orders.get", code="-32000") == 1
            assert value("edge_requests_total", method="unknown", code="-32601") == 1
            assert value("edge_request_seconds_count", method="prices.subscribe") == 1
        await eventually(lambda: value("edge_sockets") == 0)
        assert value("edge_sockets_closed_total", code="1000") == 1
        assert value("edge_subscriptions") == 0


async def test_a_revoked_token_closes_its_sockets_and_opens_no_other(nats_url: str) -> None:
    stolen, good = a_token("victim"), a_token("victim")
    async with (
        an_edge(nats_url) as edge,
        a_client(edge.url, token=stolen) as by_frame,
        a_client(edge.url, additional_headers={"Authorization": f"Bearer {stolen}"}) as by_header,
        a_client(edge.url, token=good) as other,
    ):
        await by_header.call("ping")
        await revoke(edge.bus, VERIFIER.verify(stolen).token_id)
        async with asyncio.timeout(1):
            assert await by_frame.closed() == 4503
            assert await by_header.closed() == 4503
        await other.call("ping")
        async with a_client(edge.url) as again:
            assert (await again.refused("session.authenticate", token=stolen))["data"]["reason"] == "TOKEN_REVOKED"
