"""The client against a scripted server: connecting, asking, coming back, and ending for good."""

import asyncio
from decimal import Decimal
from http import HTTPStatus

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from stockmesh import CannotConnect, Client, NoAnswer, Outcome, Refused, Retry, SessionClosed, UnexpectedAnswer
from tests.unit.stockmesh.scripted import (
    Close,
    Cut,
    Refuse,
    Silence,
    a_quote,
    raising,
    scripted_server,
    until,
)


async def test_it_authenticates_first_with_a_fresh_token_for_each_session() -> None:
    tokens = iter(["one", "two"])

    async def provide() -> str:
        return next(tokens)

    async with scripted_server() as server, Client(server.url, provide) as client:
        server.on("market.status", lambda params: {"state": "OPEN"})
        server.cut()
        assert (await client.market_status()).state == "OPEN"

        assert [params["token"] for params in server.asked_for("session.authenticate")] == ["one", "two"]
        assert server.asked[0][0] == "session.authenticate"


async def test_a_token_that_ends_soon_is_renewed_in_the_same_session() -> None:
    tokens = iter(["one", "two"])

    async with scripted_server() as server, Client(server.url, lambda: next(tokens)):
        await server.tell("session.expiring", expireTime="2026-09-01T12:00:00Z")
        await until(lambda: len(server.asked_for("session.authenticate")) == 2)

        assert server.asked_for("session.authenticate")[-1] == {"token": "two"}
        assert len(server.connections) == 1


async def test_prices_come_in_the_order_asked_for() -> None:
    async with scripted_server() as server, Client(server.url, "t") as client:
        server.on("prices.get", lambda params: {"prices": [{"quote": a_quote(symbol)} for symbol in params["symbols"]]})

        quotes = await client.prices(["MSFT", "AAPL"])

        assert [(quote.symbol, quote.price) for quote in quotes] == [
            ("MSFT", Decimal("190.12")),
            ("AAPL", Decimal("190.12")),
        ]


async def test_a_search_turns_pages_until_it_has_enough() -> None:
    pages = {None: ([{"symbol": "A"}, {"symbol": "B"}], "next"), "next": ([{"symbol": "C"}], "")}

    async with scripted_server() as server, Client(server.url, "t") as client:

        def respond(params: dict[str, str]) -> dict[str, object]:
            found, token = pages[params.get("pageToken")]
            return {"instruments": found, "nextPageToken": token}

        server.on("instruments.search", respond)

        assert [instrument.symbol for instrument in await client.search("x")] == ["A", "B", "C"]


async def test_a_refusal_carries_everything_that_the_server_said() -> None:
    refusal = Refuse(
        "RATE_LIMITED",
        message="too many",
        outcome="NOT_EXECUTED",
        retry="after",
        retryAfterMs=60_000,
        details={"limit": "10"},
    )

    async with scripted_server() as server, Client(server.url, "t", timeout_seconds=1) as client:
        server.on("market.status", raising(refusal))
        with pytest.raises(Refused) as caught:
            await client.market_status()

    error = caught.value
    assert (error.reason, error.message, error.outcome) == ("RATE_LIMITED", "too many", Outcome.NOT_EXECUTED)
    assert (error.retry, error.retry_after_seconds, error.details) == (Retry.AFTER, 60.0, {"limit": "10"})
    assert str(error) == "RATE_LIMITED: too many (outcome NOT_EXECUTED)"


async def test_a_passing_refusal_is_asked_again() -> None:
    async with scripted_server() as server, Client(server.url, "t") as client:
        passing = Refuse("UNAVAILABLE", retry="after", retryAfterMs=10)
        server.on("market.status", raising(passing), lambda params: {"state": "OPEN"})

        assert (await client.market_status()).state == "OPEN"


async def test_a_read_survives_a_cut() -> None:
    async with scripted_server() as server, Client(server.url, "t") as client:
        server.on("market.status", raising(Cut()), lambda params: {"state": "OPEN"})

        assert (await client.market_status()).state == "OPEN"
        assert len(server.connections) == 2


async def test_silence_ends_at_the_deadline() -> None:
    async with scripted_server() as server, Client(server.url, "t", timeout_seconds=0.1) as client:
        server.on("market.status", raising(Silence()))
        with pytest.raises(NoAnswer) as caught:
            await client.market_status()

    assert isinstance(caught.value, TimeoutError)
    assert caught.value.outcome is Outcome.NOT_EXECUTED  # nothing can have changed


async def test_nobody_listening_is_told_at_once() -> None:
    async with scripted_server() as server:
        url = server.url
    with pytest.raises(CannotConnect, match="connection refused"):
        async with asyncio.timeout(2):
            await Client(url, "t").__aenter__()


async def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises(SessionClosed, match="not a WebSocket address"):
        await Client("http://127.0.0.1", "t").__aenter__()


async def test_a_refused_token_ends_the_start() -> None:
    async with scripted_server() as server:
        server.on("session.authenticate", raising(Refuse("TOKEN_EXPIRED", message="get a new one")))
        with pytest.raises(Refused, match="TOKEN_EXPIRED"):
            await Client(server.url, "t").__aenter__()
        assert len(server.connections) == 1


async def test_a_token_provider_that_fails_is_told() -> None:
    def provide() -> str:
        raise RuntimeError("identity provider is down")

    async with scripted_server() as server:
        with pytest.raises(CannotConnect, match="identity provider is down") as caught:
            await Client(server.url, provide).__aenter__()
    assert caught.value.reason == "NO_TOKEN"


@pytest.mark.parametrize("code", [1001, 1006, 1011, 1012, 4001, 4499])
async def test_close_codes_below_4500_are_survived(code: int) -> None:
    async with scripted_server() as server, Client(server.url, "t") as client:
        server.on("market.status", raising(Close(code) if code != 1006 else Cut()), lambda params: {"state": "OPEN"})

        assert (await client.market_status()).state == "OPEN"


@pytest.mark.parametrize("code", [4500, 4503, 4999])
async def test_close_codes_from_4500_end_for_good(code: int) -> None:
    async with scripted_server() as server, Client(server.url, "t") as client:
        server.on("market.status", raising(Close(code, "token revoked")))
        watch = client.watch(["AAPL"])
        server.on("prices.subscribe", lambda params: {"quotes": [], "refused": []})
        waiting = asyncio.ensure_future(anext(aiter(watch)))

        for _ in range(2):  # the second is refused without asking
            with pytest.raises(SessionClosed, match="token revoked") as caught:
                await client.market_status()
            assert caught.value.code == code
        with pytest.raises(SessionClosed):
            await waiting
        assert len(server.connections) == 1
        assert not client.connected


async def test_a_frame_that_is_none_costs_the_session_only() -> None:
    async with scripted_server() as server, Client(server.url, "t") as client:
        server.on("market.status", lambda params: {"state": "OPEN"})
        await server.connections[-1].send("{]")
        await until(lambda: len(server.connections) == 2)

        assert (await client.market_status()).state == "OPEN"


async def test_an_answer_of_another_shape_is_told() -> None:
    async with scripted_server() as server, Client(server.url, "t") as client:
        server.on("prices.get", lambda params: {"prices": "none"})
        with pytest.raises(UnexpectedAnswer):
            await client.prices(["AAPL"])


async def test_a_closed_client_says_so() -> None:
    async with scripted_server() as server:
        async with Client(server.url, "t") as client:
            pass
        with pytest.raises(SessionClosed, match="closed"):
            await client.market_status()


async def test_a_shutdown_says_how_long_to_stay_away() -> None:
    async with scripted_server() as server, Client(server.url, "t") as client:
        server.on("market.status", lambda params: {"state": "OPEN"})
        await server.tell("session.shutdown", reconnectAfterMs=300)
        await client.market_status()
        began = asyncio.get_running_loop().time()
        await server.connections[-1].close(1012)
        await until(lambda: len(server.connections) == 2)

        assert asyncio.get_running_loop().time() - began >= 0.3


@pytest.mark.parametrize(("status", "error"), [(403, SessionClosed), (404, SessionClosed), (503, CannotConnect)])
async def test_a_door_that_is_shut_is_told_by_its_status(status: int, error: type[Exception]) -> None:
    def answer(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(HTTPStatus(status), "no\n")

    async def nobody(connection: ServerConnection) -> None: ...

    async with serve(nobody, "127.0.0.1", 0, process_request=answer) as listening:
        port = listening.sockets[0].getsockname()[1]
        with pytest.raises(error, match=f"HTTP {status}"):
            await Client(f"ws://127.0.0.1:{port}/ws", "t").__aenter__()


async def test_a_host_that_is_not_there_is_told() -> None:
    with pytest.raises(CannotConnect, match="no such host"):
        await Client("ws://nowhere.invalid/ws", "t").__aenter__()
