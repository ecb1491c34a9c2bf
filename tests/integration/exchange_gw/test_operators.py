"""What operators see and do, through the gRPC door."""

import grpc
import pytest

from gen.trading.v1 import exchange_pb2, exchange_pb2_grpc
from runtime.auth import make_token
from runtime.rpc import open_channel
from runtime.subjects import TRADING_STATE, trading_state
from tests.integration.exchange_gw.venue import SECRET, State, World, a_command, a_moment, market
from tests.integration.infra.fix_member import logged_on


async def test_the_status_tells_sessions_feed_and_permission(steady_world: World) -> None:
    status = await steady_world.until_status(logged_on=True)

    assert {session.sender_comp_id for session in status.sessions} == {"STOCKMESH-ORD-0", "STOCKMESH-MD"}
    assert status.trading_state.state == State.ACTIVE
    assert status.unanswered_orders == 0


async def test_a_token_without_the_scope_is_refused(steady_world: World) -> None:
    token = make_token(secret=SECRET, subject="eve", accounts=["demo"])
    async with open_channel(steady_world.gateway.url) as channel:
        stub = exchange_pb2_grpc.ExchangeServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await stub.GetVenueStatus(
                exchange_pb2.GetVenueStatusRequest(), timeout=5, metadata=(("authorization", f"Bearer {token}"),)
            )
    assert refusal.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_the_venue_tells_of_an_order(steady_world: World) -> None:
    command = market()
    await steady_world.say(command)
    await steady_world.until(command.order_id, "FILL")

    found = await steady_world.admin.GetVenueOrder(exchange_pb2.GetVenueOrderRequest(order_id=command.order_id))

    assert (found.ord_status, found.filled_quantity, found.leaves_quantity) == ("2", 10, 0)
    assert found.journal.decision == exchange_pb2.JournalEntry.SEND
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await steady_world.admin.GetVenueOrder(exchange_pb2.GetVenueOrderRequest(order_id="nosuchorder"))
    assert refusal.value.code() is grpc.StatusCode.NOT_FOUND


async def test_nobody_answers_for_a_venue_that_is_away(dark_world: World) -> None:
    for request in ("GetVenueOrder", "Reconcile"):
        message = getattr(exchange_pb2, f"{request}Request")()
        if request == "Reconcile":
            message.reason = "a test"
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await getattr(dark_world.admin, request)(message)
        assert refusal.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_halted_lets_cancels_through_and_nothing_else(world: World) -> None:
    resting, waiting = a_command(), a_command()
    await world.say(resting)
    await world.until(resting.order_id, "PLACED")

    answer = await world.admin.SetTradingState(exchange_pb2.SetTradingStateRequest(state=State.HALTED, reason="a test"))
    await world.say(waiting)
    await world.say(a_command("CANCEL", resting.order_id))
    await world.until(resting.order_id, "CANCELED")
    await a_moment()

    assert (answer.trading_state.state, answer.trading_state.actor) == (State.HALTED, "olga")
    assert world.kinds(waiting.order_id) == []
    async for heard in world.bus.last_values(TRADING_STATE, trading_state()):
        assert State.FromString(heard.payload).state == State.HALTED
    await world.admin.SetTradingState(exchange_pb2.SetTradingStateRequest(state=State.ACTIVE, reason="over"))
    await world.until(waiting.order_id, "PLACED")


async def test_reducing_lets_sells_through(world: World) -> None:
    await world.admin.SetTradingState(exchange_pb2.SetTradingStateRequest(state=State.REDUCING, reason="a test"))
    buy, sell = a_command(), a_command(side="SELL", limit_price_micros=900_000_000_000)

    await world.say(buy)
    await world.say(sell)
    await world.until(sell.order_id, "PLACED")

    assert world.kinds(buy.order_id) == []


async def test_the_trading_state_outlives_the_gateway(world: World) -> None:
    await world.admin.SetTradingState(exchange_pb2.SetTradingStateRequest(state=State.HALTED, reason="a test"))

    await world.gateway.kill()
    await world.gateway.start()

    status = await world.until_status(logged_on=True)
    assert (status.trading_state.state, status.trading_state.reason) == (State.HALTED, "a test")


async def test_an_act_needs_a_reason(steady_world: World) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await steady_world.admin.SetTradingState(exchange_pb2.SetTradingStateRequest(state=State.HALTED))
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_dead_letters_are_replayed_and_discarded(world: World) -> None:
    poison = a_command(quantity=-5)
    await world.say(poison)
    await world.until(poison.order_id, "UNCERTAIN")
    [letter] = (await world.admin.ListDeadLetters(exchange_pb2.ListDeadLettersRequest())).dead_letters
    found = await world.admin.GetDeadLetter(exchange_pb2.GetDeadLetterRequest(dead_letter_id=letter.dead_letter_id))
    assert exchange_pb2.OrderCommand.FromString(found.dead_letter.payload) == poison
    assert not letter.payload

    await world.admin.ReplayDeadLetter(
        exchange_pb2.ReplayDeadLetterRequest(dead_letter_id=letter.dead_letter_id, reason="try again")
    )
    await a_moment()
    [again] = (await world.admin.ListDeadLetters(exchange_pb2.ListDeadLettersRequest())).dead_letters
    assert again.dead_letter_id != letter.dead_letter_id

    await world.admin.DiscardDeadLetter(
        exchange_pb2.DiscardDeadLetterRequest(dead_letter_id=again.dead_letter_id, reason="hopeless")
    )
    assert not (await world.admin.ListDeadLetters(exchange_pb2.ListDeadLettersRequest())).dead_letters
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await world.admin.GetDeadLetter(exchange_pb2.GetDeadLetterRequest(dead_letter_id=again.dead_letter_id))
    assert refusal.value.code() is grpc.StatusCode.NOT_FOUND


async def test_an_order_that_nobody_here_sent_is_a_break(world: World) -> None:
    port = world.venue.part.ports[0].number
    mine = a_command()
    await world.say(mine)
    await world.until(mine.order_id, "PLACED")
    async with logged_on(port, "STOCKMESH-OTHER") as stranger:
        await stranger.send("D", t11="stranger", t1="demo", t55="AAPL", t54="1", t38="1", t40="2", t44="1.00", t59="0")
        await stranger.expect("8", t150="0")

    found = await world.admin.Reconcile(exchange_pb2.ReconcileRequest(reason="a test"))
    listed = await world.admin.ListBreaks(exchange_pb2.ListBreaksRequest(page_size=1))

    assert found.compared == 2
    assert [(one.kind, one.order_id) for one in found.breaks] == [("VENUE_ORDER_WITHOUT_JOURNAL", "stranger")]
    assert list(listed.breaks) == list(found.breaks)
    assert not listed.next_page_token
    assert world.kinds("stranger") == []
