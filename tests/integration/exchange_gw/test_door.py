"""Commands that wait, commands that kill, and a database that is not there: the lane goes on for all others."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gen.trading.v1 import exchange_pb2
from runtime.databases import open_mongo
from runtime.subjects import ORDER_COMMANDS, ORDER_PARTITIONS, order_commands_of
from tests.eventually import eventually
from tests.integration.exchange_gw.venue import State, World, a_command, a_moment, a_world
from tests.servers import Server

MANY = 2_300


async def say_all(world: World, commands: list[exchange_pb2.OrderCommand]) -> None:
    for start in range(0, len(commands), 100):
        await asyncio.gather(*(world.say(command) for command in commands[start : start + 100]))


async def test_a_cancel_does_not_stand_behind_orders_that_wait(
    world: World, mongo_url: str, database_name: str
) -> None:
    resting = a_command()
    await world.say(resting)
    await world.until(resting.order_id, "PLACED")
    await world.admin.SetTradingState(exchange_pb2.SetTradingStateRequest(state=State.HALTED, reason="a test"))
    hasty = a_command(submit_by=datetime.now(UTC) + timedelta(seconds=12))
    waiting = [a_command() for _ in range(MANY)]

    await say_all(world, [hasty, *waiting])
    await world.say(a_command("CANCEL", resting.order_id, exchange_order_id="X"))
    await world.say(a_command("CANCEL", waiting[0].order_id))
    await world.until(resting.order_id, "CANCELED")
    await world.until(waiting[0].order_id, "CANCELED")
    await world.until(hasty.order_id, "EXPIRED", within=20)
    assert {kind for one in waiting[1:] for kind in world.kinds(one.order_id)} == set()

    # What waits outlives the gateway.
    await world.gateway.kill()
    await world.gateway.start()
    await world.until_status(logged_on=True)
    await world.admin.SetTradingState(exchange_pb2.SetTradingStateRequest(state=State.ACTIVE, reason="over"))
    for command in waiting[1:]:
        await world.until(command.order_id, "PLACED", within=40)

    assert {tuple(world.ledger(one.order_id)) for one in waiting[1::97]} == {("accepted",)}
    assert world.ledger(waiting[0].order_id) == []
    async with open_mongo(mongo_url, database=database_name, driver="pymongo") as database:

        async def released() -> bool:
            return not await database.collection("parked").count_documents({})

        await eventually(released)


async def test_a_message_that_has_ended_the_gateway_again_and_again_is_put_aside(
    world: World, mongo_url: str, database_name: str
) -> None:
    await world.gateway.kill()
    deadly, healthy = a_command(), a_command()
    await world.say(deadly)
    await world.say(healthy)
    subjects = [order_commands_of(number) for number in range(ORDER_PARTITIONS)]
    pulled = world.bus.pull(ORDER_COMMANDS, durable="exchange_gw-commands-0", subjects=subjects, max_batch=10)
    async for deliveries in pulled:
        again = max(delivery.deliveries for delivery in deliveries) < 4
        sequence = next(one.sequence for one in deliveries if deadly.order_id in one.headers.get("Order-Id", ""))
        for delivery in deliveries:
            await delivery.nak(0.05)
        if not again:
            break
    await pulled.aclose()  # type: ignore[attr-defined]  # an async generator behind its iterator type
    async with open_mongo(mongo_url, database=database_name, driver="pymongo") as database:
        mark = {"_id": "commands-0", "in_hand": sequence, "deaths": {str(sequence): 1}}
        await database.collection("sessions").insert_one(mark)

    await world.gateway.start()
    await world.until(healthy.order_id, "PLACED")
    await world.until(deadly.order_id, "UNCERTAIN")

    [letter] = (await world.admin.ListDeadLetters(exchange_pb2.ListDeadLettersRequest())).dead_letters
    assert (letter.reason, letter.order_id) == ("CRASHED", deadly.order_id)
    assert letter.deliveries > 3
    assert world.ledger(deadly.order_id) == []
    # An operator may try it again: it passes the journal like any command.
    await world.admin.ReplayDeadLetter(
        exchange_pb2.ReplayDeadLetterRequest(dead_letter_id=letter.dead_letter_id, reason="repaired")
    )
    await world.until(deadly.order_id, "PLACED")
    assert world.ledger(deadly.order_id) == ["accepted"]


async def test_an_order_older_than_the_journal_goes_back_is_put_aside(world: World) -> None:
    ancient = a_command(submit_by=datetime.now(UTC) + timedelta(seconds=60))
    ancient.create_time.FromDatetime(datetime.now(UTC) - timedelta(days=20))
    await world.say(ancient)

    await world.until(ancient.order_id, "UNCERTAIN")

    assert world.report(ancient.order_id, "UNCERTAIN").reason.code == "DEAD_LETTERED"
    assert world.ledger(ancient.order_id) == []


async def test_prices_flow_and_orders_wait_while_there_is_no_database(
    tmp_path: Path, nats_server: Server, mongo_server: Server, database_name: str
) -> None:
    await mongo_server.kill()
    async with a_world(
        tmp_path, nats=nats_server, mongo=mongo_server.url, database=database_name, whole=False
    ) as world:

        async def ticking() -> bool:
            return len(world.ticks) > 100

        await eventually(ticking)
        command = a_command()
        await world.say(command)
        await a_moment()
        assert world.kinds(command.order_id) == []

        await mongo_server.start()
        await world.until(command.order_id, "PLACED", within=30)


async def test_operators_acts_are_in_the_audit_with_who_and_why(
    world: World, mongo_url: str, database_name: str
) -> None:
    poison = a_command(quantity=-5)
    await world.say(poison)
    await world.until(poison.order_id, "UNCERTAIN")
    [letter] = (await world.admin.ListDeadLetters(exchange_pb2.ListDeadLettersRequest())).dead_letters
    await world.admin.DiscardDeadLetter(
        exchange_pb2.DiscardDeadLetterRequest(dead_letter_id=letter.dead_letter_id, reason="hopeless")
    )
    await world.admin.SetTradingState(exchange_pb2.SetTradingStateRequest(state=State.REDUCING, reason="nervous"))
    await world.admin.Reconcile(exchange_pb2.ReconcileRequest(reason="to be sure"))

    async with open_mongo(mongo_url, database=database_name, driver="pymongo") as database:
        acts = await database.collection("audit").find({}).sort("time", 1).to_list(length=10)

    assert [(act["actor"], act["action"], act["reason"]) for act in acts] == [
        ("olga", "DISCARD_DEAD_LETTER", "hopeless"),
        ("olga", "SET_TRADING_STATE", "nervous"),
        ("olga", "RECONCILE", "to be sure"),
    ]
    assert acts[0]["detail"]["order_id"] == poison.order_id
    assert acts[1]["detail"] == {"before": "ACTIVE", "after": "REDUCING"}
