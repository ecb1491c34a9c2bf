"""order_svc whole: what a client, the gateway and the stream see of an order."""

import asyncio
from uuid import uuid4

import grpc
import pytest

from gen.trading.v1 import exchange_pb2, order_pb2, price_pb2
from runtime.rpc_errors import error_from
from runtime.subjects import ORDER_COMMANDS, ORDER_UPDATES, instruments, order_update
from tests.eventually import eventually
from tests.integration.order_svc.conftest import World

Order = order_pb2.Order


async def commands(world: World) -> list[exchange_pb2.OrderCommand]:
    heard = [one async for one in world.bus.history(ORDER_COMMANDS, "orders.commands.>", after=0)]
    return [exchange_pb2.OrderCommand.FromString(one.payload) for one in heard]


async def updates(world: World, account: str = "demo") -> list[order_pb2.OrderUpdate]:
    heard = [one async for one in world.bus.history(ORDER_UPDATES, order_update(account), after=0)]
    return [order_pb2.OrderUpdate.FromString(one.payload) for one in heard]


async def test_an_order_is_stored_sent_filled_and_told(world: World) -> None:
    placed = await world.place(client_order_id="k1")
    assert placed.order.state == Order.PENDING
    assert not placed.replayed

    sent = await eventually(lambda: commands(world))
    assert [(one.order_id, one.quantity, one.limit_price_micros) for one in sent] == [
        (placed.order.order_id, 10, 190_000_000)
    ]

    key = placed.order.order_id
    await world.report(key, "f2", "FILL", exec_id="x2", last_quantity=6, last_price_micros=190_000_000)
    await world.report(key, "a1", "PLACED", exchange_order_id="E7")
    await world.report(key, "f1", "FILL", exec_id="x1", last_quantity=4, last_price_micros=189_500_000)
    await world.report(key, "f1-again", "FILL", exec_id="x1", last_quantity=4, last_price_micros=189_500_000)

    filled = await world.until(key, "FILLED")
    assert (filled.filled_quantity, filled.average_price, filled.exchange_order_id) == (10, "189.80", "E7")

    async def told() -> bool:
        seen = await updates(world)
        return seen[0].event.kind == order_pb2.OrderEvent.CREATED and seen[-1].order == filled

    await eventually(told)


async def test_what_is_listed_while_the_service_runs_is_known_at_once(world: World) -> None:
    zts = price_pb2.Instrument(symbol="ZTS", tick_size="0.01", lot_size=1, max_quantity=10, tradable=True)
    batch = price_pb2.InstrumentBatch(instruments=[zts])
    await world.bus.publish(instruments(1), batch.SerializeToString(), event_id=uuid4().hex)

    async def known() -> bool:
        try:
            await world.place(symbol="ZTS")
        except grpc.aio.AioRpcError as refused:
            # It has no price yet.
            return error_from(refused).reason != "UNKNOWN_SYMBOL"
        return True

    await eventually(known, within=5)


async def test_the_same_key_and_body_answer_with_the_same_order(world: World) -> None:
    first = await world.place(client_order_id="k1")
    again = await asyncio.gather(*(world.place(client_order_id="k1") for _ in range(20)))

    assert {one.order.order_id for one in again} == {first.order.order_id}
    assert all(one.replayed for one in again)
    assert len(await eventually(lambda: commands(world))) == 1


async def test_twenty_callers_with_one_key_at_once_make_one_order(world: World) -> None:
    answers = await asyncio.gather(*(world.place(client_order_id="same") for _ in range(20)))

    assert len({one.order.order_id for one in answers}) == 1
    assert sum(not one.replayed for one in answers) == 1


async def test_the_same_key_with_another_body_is_an_error_that_says_so(world: World) -> None:
    await world.place(client_order_id="k1")

    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await world.place(client_order_id="k1", quantity=11)

    error = error_from(failure.value)
    assert (error.reason, error.outcome.value) == ("IDEMPOTENCY_MISMATCH", "NOT_EXECUTED")


async def test_a_refused_order_leaves_no_row_and_the_key_free(world: World) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await world.place(client_order_id="k1", limit_price="190.001")
    assert error_from(failure.value).reason == "PRICE_OFF_TICK"

    assert not (await world.place(client_order_id="k1")).replayed


async def test_a_refusal_does_not_touch_its_neighbours(world: World) -> None:
    wishes = [world.place(client_order_id=f"k{number}", quantity=number) for number in range(20)]
    answers = await asyncio.gather(*wishes, return_exceptions=True)

    refused = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert [error_from(one).reason for one in refused] == ["INVALID_QUANTITY"]
    assert len(answers) - len(refused) == 19


async def test_another_account_sees_nothing(world: World) -> None:
    placed = await world.place(client_order_id="k1")

    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await world.get(placed.order.order_id, account="eve")
    assert error_from(failure.value).reason == "ORDER_NOT_FOUND"

    listed = await world.orders.ListOrders(order_pb2.ListOrdersRequest(), metadata=world.bearer("eve"), timeout=5)
    assert not listed.orders


async def test_a_cancel_is_asked_for_once_and_decided_by_the_exchange(world: World) -> None:
    placed = await world.place(client_order_id="k1")
    ask = order_pb2.CancelOrderRequest(order_id=placed.order.order_id)

    first = await world.orders.CancelOrder(ask, metadata=world.bearer("demo"), timeout=5)
    again = await world.orders.CancelOrder(ask, metadata=world.bearer("demo"), timeout=5)
    assert first.order.pending_action == again.order.pending_action == Order.CANCEL
    assert first.order.state == Order.PENDING

    async def asked() -> bool:
        kinds = [exchange_pb2.OrderCommand.Kind.Name(one.kind) for one in await commands(world)]
        return kinds == ["SUBMIT", "CANCEL"]

    await eventually(asked)
    await world.report(placed.order.order_id, "c1", "CANCELED")
    await world.until(placed.order.order_id, "CANCELED")

    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await world.orders.CancelOrder(ask, metadata=world.bearer("demo"), timeout=5)
    assert error_from(failure.value).reason == "ORDER_CLOSED"


async def test_orders_are_listed_newest_first_page_by_page(world: World) -> None:
    for number in range(5):
        await world.place(client_order_id=f"k{number}")

    seen: list[str] = []
    token = ""
    while True:
        request = order_pb2.ListOrdersRequest(page_size=2, page_token=token, symbol="AAPL")
        page = await world.orders.ListOrders(request, metadata=world.bearer("demo"), timeout=5)
        seen += [order.client_order_id for order in page.orders]
        token = page.next_page_token
        if not token:
            break

    assert seen == ["k4", "k3", "k2", "k1", "k0"]


async def test_a_stream_resumes_from_a_position_without_gap_or_repetition(world: World) -> None:
    placed = await world.place(client_order_id="k1")
    await eventually(lambda: updates(world))

    async def read(position: str, count: int) -> list[order_pb2.OrderUpdate]:
        call = world.orders.StreamOrderUpdates(
            order_pb2.StreamOrderUpdatesRequest(from_position=position), metadata=world.bearer("demo"), timeout=20
        )
        seen: list[order_pb2.OrderUpdate] = []
        try:
            async for response in call:
                if response.HasField("update"):
                    seen.append(response.update)
                if len(seen) == count:
                    return seen
        finally:
            call.cancel()
        raise AssertionError("the stream ended")

    begin = (await world.bus.stream_created(ORDER_UPDATES))[0]
    first = await read(f"{begin}-0", 1)
    waiting = asyncio.create_task(read(first[0].position, 2))
    await world.report(placed.order.order_id, "a1", "PLACED")
    await world.until(placed.order.order_id, "PLACED")
    await world.report(placed.order.order_id, "c1", "CANCELED")

    later = await waiting
    assert [one.previous for one in later] == [first[0].position, later[0].position]
    assert later[-1].order.state == Order.CANCELED


async def test_a_position_of_another_stream_is_not_resumed(world: World) -> None:
    call = world.orders.StreamOrderUpdates(
        order_pb2.StreamOrderUpdatesRequest(from_position="1-1"), metadata=world.bearer("demo"), timeout=5
    )
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call.read()
    assert error_from(failure.value).reason == "POSITION_NOT_RECOVERABLE"


async def test_a_call_without_or_with_a_bad_token_is_refused(world: World) -> None:
    for metadata in ([], [("authorization", "Bearer nonsense")]):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await world.orders.ListOrders(order_pb2.ListOrdersRequest(), metadata=metadata, timeout=5)
        assert failure.value.code() is grpc.StatusCode.UNAUTHENTICATED
