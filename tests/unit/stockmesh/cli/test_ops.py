"""Commands of operators against a gRPC server that answers as the gateway does."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from gen.trading.v1 import exchange_pb2 as pb
from gen.trading.v1.exchange_pb2_grpc import ExchangeServiceServicer, add_ExchangeServiceServicer_to_server
from runtime.auth import ADMIN, TokenVerifier, current_principal
from runtime.errors import NotFound
from runtime.rpc import Context, Service, serve_rpc
from tests.servers import free_port
from tests.unit.stockmesh.cli.conftest import Ended, Run

SECRET = "a secret of this test, long enough for HS256"
METHODS = [method.name for method in pb.DESCRIPTOR.services_by_name["ExchangeService"].methods]


class DeadLetterNotFound(NotFound):
    """There is no such letter."""

    reason = "DEAD_LETTER_NOT_FOUND"


class Gateway(ExchangeServiceServicer):
    """Answers what it was given, and notes who asked for what."""

    def __init__(self) -> None:
        self.state = pb.TradingState(state=pb.TradingState.ACTIVE)
        self.breaks = [pb.Break(break_id="b-1", order_id="o-1", kind="UNKNOWN_FILL", detail="filled, not sent")]
        command = pb.OrderCommand(kind=pb.OrderCommand.SUBMIT, order_id="o-1", symbol="AAPL")
        self.letters = {
            "l-1": pb.DeadLetter(
                dead_letter_id="l-1",
                stream="ORDER_COMMANDS",
                reason="MALFORMED",
                order_id="o-1",
                deliveries=5,
                payload=command.SerializeToString(),
            ),
            "l-2": pb.DeadLetter(
                dead_letter_id="l-2", stream="ORDER_COMMANDS", reason="MALFORMED", payload=b"\xff\xff"
            ),
        }
        self.heard: list[tuple[str, str]] = []

    async def GetVenueStatus(self, request: pb.GetVenueStatusRequest, context: Context) -> pb.GetVenueStatusResponse:
        session = pb.VenueSession(sender_comp_id="STOCKMESH-MD", target_comp_id="EXSIM", logged_on=True, logons=1)
        return pb.GetVenueStatusResponse(
            sessions=[session], trading_state=self.state, feed_age_ms=120, instruments=517, unanswered_orders=2
        )

    async def GetVenueOrder(self, request: pb.GetVenueOrderRequest, context: Context) -> pb.GetVenueOrderResponse:
        return pb.GetVenueOrderResponse()

    async def SetTradingState(self, request: pb.SetTradingStateRequest, context: Context) -> pb.SetTradingStateResponse:
        self.state = pb.TradingState(state=request.state, actor=current_principal().subject, reason=request.reason)
        return pb.SetTradingStateResponse(trading_state=self.state)

    async def Reconcile(self, request: pb.ReconcileRequest, context: Context) -> pb.ReconcileResponse:
        return pb.ReconcileResponse(compared=1200, recovered=3, breaks=self.breaks)

    async def ListBreaks(self, request: pb.ListBreaksRequest, context: Context) -> pb.ListBreaksResponse:
        return pb.ListBreaksResponse(breaks=self.breaks)

    async def ListDeadLetters(self, request: pb.ListDeadLettersRequest, context: Context) -> pb.ListDeadLettersResponse:
        return pb.ListDeadLettersResponse(dead_letters=self.letters.values())

    async def GetDeadLetter(self, request: pb.GetDeadLetterRequest, context: Context) -> pb.GetDeadLetterResponse:
        return pb.GetDeadLetterResponse(dead_letter=self.letter(request.dead_letter_id))

    async def ReplayDeadLetter(
        self, request: pb.ReplayDeadLetterRequest, context: Context
    ) -> pb.ReplayDeadLetterResponse:
        self.heard.append(("replay", request.reason))
        return pb.ReplayDeadLetterResponse(dead_letter=self.letter(request.dead_letter_id))

    async def DiscardDeadLetter(
        self, request: pb.DiscardDeadLetterRequest, context: Context
    ) -> pb.DiscardDeadLetterResponse:
        self.heard.append(("discard", request.reason))
        return pb.DiscardDeadLetterResponse(dead_letter=self.letter(request.dead_letter_id))

    def letter(self, name: str) -> pb.DeadLetter:
        if name not in self.letters:
            raise DeadLetterNotFound(f"there is no dead letter {name}")
        return self.letters[name]


def only_healthy(servicer: object, server: object) -> None:
    """Serve nothing of a service but its health."""


class Operations:
    """Everything that an operator reaches, on free ports, in a thread of its own."""

    def __init__(self) -> None:
        self.gateway, self.port, self.edge_port = Gateway(), free_port(), free_port()

    async def open(self, stack: AsyncExitStack) -> None:
        """Serve gRPC and the edge's health page."""
        services = [
            Service(
                "trading.v1.ExchangeService",
                add_ExchangeServiceServicer_to_server,
                self.gateway,
                dict.fromkeys(METHODS, ADMIN),
            ),
            Service("trading.v1.PriceService", only_healthy, None, {}),
            Service("trading.v1.OrderService", only_healthy, None, {}),
        ]
        verifier = TokenVerifier(secret=SECRET, issuer="stockmesh", audience="stockmesh")
        await stack.enter_async_context(
            serve_rpc(host="127.0.0.1", port=self.port, services=services, verifier=verifier, grace_seconds=0.1)
        )
        page = await asyncio.start_server(self.answer, "127.0.0.1", self.edge_port)
        stack.push_async_callback(page.wait_closed)
        stack.callback(page.close)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


@pytest.fixture(scope="module")
def operations() -> Iterator[Operations]:
    loop, stack, found = asyncio.new_event_loop(), AsyncExitStack(), Operations()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(found.open(stack), loop).result(10)
        yield found
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


@pytest.fixture
def ops(run: Run, operations: Operations, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """Call `ops` as an operator of this machine."""
    monkeypatch.setenv("JWT_SECRET", SECRET)
    monkeypatch.setenv("STOCKMESH_GATEWAY", f"127.0.0.1:{operations.port}")
    monkeypatch.setattr("getpass.getuser", lambda: "olga")
    operations.gateway.__init__()  # type: ignore[misc]
    return lambda *words: run("ops", *words)


def where(operations: Operations) -> list[str]:
    rpc = f"127.0.0.1:{operations.port}"
    return ["--price-svc", rpc, "--order-svc", rpc, "--edge", f"127.0.0.1:{operations.edge_port}"]


def test_status_is_fine_when_everything_is(ops: Run, operations: Operations) -> None:
    ended = ops("status", *where(operations))

    assert ended.code == 0, ended.out
    assert ended.out.count("● SERVING") == 4
    for word in ("STOCKMESH-MD", "● logged on", "● ACTIVE", "517 instruments", "2 orders unanswered"):
        assert word in ended.out


def test_status_is_not_fine_when_a_part_is_away(ops: Run, operations: Operations) -> None:
    ended = ops("status", *where(operations)[:-1], "127.0.0.1:9", "--json")

    told = json.loads(ended.out)
    states = {each["service"]: each["state"] for each in told["services"]}
    assert (ended.code, told["ok"], states["edge"], states["order_svc"]) == (1, False, "no answer", "SERVING")
    assert told["venue"]["tradingState"]["state"] == "ACTIVE"


def test_trading_is_halted_reduced_and_resumed_in_the_operators_name(ops: Run, operations: Operations) -> None:
    for command, state in (("halt", "HALTED"), ("reduce", "REDUCING"), ("resume", "ACTIVE")):
        ended = ops(command, "--reason", "drill")

        assert ended.code == 0, ended.err
        assert f"{state}  set by olga: drill" in ended.out
    assert operations.gateway.state.state == pb.TradingState.ACTIVE


def test_a_halt_shows_in_the_status(ops: Run, operations: Operations) -> None:
    ops("halt", "--reason", "drill")

    ended = ops("status", *where(operations))

    assert (ended.code, "■ HALTED" in ended.out, "by olga: drill" in ended.out) == (1, True, True)


def test_a_halt_needs_a_reason(ops: Run) -> None:
    ended = ops("halt")

    assert (ended.code, "--reason" in ended.err) == (2, True)


def test_breaks_and_comparisons_are_listed(ops: Run, operations: Operations) -> None:
    listed, compared = ops("breaks"), ops("reconcile", "--reason", "drill")

    assert (listed.code, compared.code) == (0, 1)
    assert "1,200 orders compared, 3 missing facts recovered, 1 breaks." in compared.out
    assert all("UNKNOWN_FILL" in ended.out for ended in (listed, compared))
    operations.gateway.breaks = []
    assert ops("breaks").out == "Nothing is broken.\n"
    assert ops("reconcile", "--reason", "drill").code == 0


def test_dead_letters_are_listed_and_shown(ops: Run) -> None:
    listed = ops("dlq", "list")
    shown, unreadable = ops("dlq", "show", "l-1"), ops("dlq", "show", "l-2")

    assert all(word in listed.out for word in ("l-1", "l-2", "MALFORMED", "ORDER_COMMANDS"))
    assert '"kind": "SUBMIT"' in shown.out
    assert "2 bytes that say nothing readable" in unreadable.out
    assert json.loads(ops("dlq", "show", "l-1", "--json").out)["says"]["symbol"] == "AAPL"


def test_dead_letters_are_put_back_and_dropped(ops: Run, operations: Operations) -> None:
    assert ops("dlq", "replay", "l-1", "--reason", "fixed").out == "Dead letter l-1 is put back.\n"
    assert ops("dlq", "discard", "l-2", "--reason", "noise").out == "Dead letter l-2 is dropped.\n"
    assert operations.gateway.heard == [("replay", "fixed"), ("discard", "noise")]


def test_a_letter_that_is_not_there_is_told(ops: Run) -> None:
    ended = ops("dlq", "show", "l-9")

    assert ended.code == 1
    assert ended.err == "DEAD_LETTER_NOT_FOUND  There is no dead letter l-9. Nothing was executed.\n"


def test_a_token_without_admin_is_refused(ops: Run, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCKMESH_ADMIN_TOKEN", run("token").out.strip())

    ended = ops("breaks")

    assert (ended.code, ended.err.split()[0]) == (1, "SCOPE_MISSING")


def test_no_gateway_is_exit_code_3(ops: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCKMESH_GATEWAY", "127.0.0.1:9")

    ended = ops("breaks")

    assert ended.code == 3
    assert ended.err.startswith("CANNOT_CONNECT  The exchange gateway does not answer at 127.0.0.1:9.")


def test_json_is_what_the_api_says(ops: Run) -> None:
    found: list[dict[str, Any]] = [json.loads(line) for line in ops("breaks", "--json").out.splitlines()]

    assert found == [{"breakId": "b-1", "orderId": "o-1", "kind": "UNKNOWN_FILL", "detail": "filled, not sent"}]
