"""Who gets in, who stays, and what a frame that breaks the rules does to the others."""

from tests.integration.edge.client import a_client, a_token
from tests.integration.edge.running import an_edge


async def test_a_ping_is_answered(nats_url: str) -> None:
    async with an_edge(nats_url) as edge, a_client(edge.url, token=a_token()) as client:
        assert "time" in await client.call("ping")
