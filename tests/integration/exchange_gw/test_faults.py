"""Whatever dies: no order is accepted twice, none is lost, and nothing is called certain that is not."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gen.trading.v1 import exchange_pb2
from runtime.rpc import open_channel
from tests.integration.exchange_gw.venue import World, a_command, a_gateway, a_moment, a_world, an_operator, status_of
from tests.integration.infra.fix_member import logged_on
from tests.servers import Server, running


async def test_while_the_venue_is_away_a_cancel_of_an_unsent_order_works_at_once(dark_world: World) -> None:
    command = a_command()
    await dark_world.say(command)
    await a_moment()

    await dark_world.say(a_command("CANCEL", command.order_id))
    await dark_world.until(command.order_id, "CANCELED", within=3)
    await dark_world.venue.start()
    await dark_world.until_status(logged_on=True)
    await a_moment()

    assert dark_world.kinds(command.order_id) == ["CANCELED"]
    assert dark_world.ledger(command.order_id) == []


async def test_an_order_waits_for_the_venue_and_no_longer_than_it_may(dark_world: World) -> None:
    patient = a_command()
    hasty = a_command(submit_by=datetime.now(UTC) + timedelta(seconds=1))
    await dark_world.say(patient)
    await dark_world.say(hasty)

    await dark_world.until(hasty.order_id, "EXPIRED", within=5)
    assert dark_world.kinds(patient.order_id) == []
    await dark_world.venue.start()
    await dark_world.until(patient.order_id, "PLACED")

    assert dark_world.ledger(hasty.order_id) == []
    assert dark_world.ledger(patient.order_id) == ["accepted"]


async def test_orders_survive_kills_of_the_gateway_without_a_double(world: World) -> None:
    commands = [a_command() for _ in range(150)]

    async def send_all() -> None:
        for command in commands:
            await world.say(command)

    sending = asyncio.create_task(send_all())
    for _ in range(3):
        await asyncio.sleep(0.12)
        await world.gateway.kill()
        await world.gateway.start()
    await sending

    for command in commands:
        await world.until(command.order_id, "PLACED", within=30)
    doubles = {command.order_id: world.ledger(command.order_id) for command in commands}
    assert set(map(tuple, doubles.values())) == {("accepted",)}


async def test_a_deaf_venue_makes_an_order_uncertain_until_it_speaks_again(world: World) -> None:
    before, command = a_command(), a_command()
    await world.say(before)
    await world.until(before.order_id, "PLACED")
    world.freeze(world.venue)
    await world.say(command)

    await world.until(command.order_id, "SUBMITTED", "UNCERTAIN", within=8)
    await world.until_status(logged_on=False)
    assert world.report(command.order_id, "UNCERTAIN").reason.code == "VENUE_SILENT"
    world.thaw(world.venue)
    await world.until(command.order_id, "PLACED", within=20)

    assert world.ledger(command.order_id) == ["accepted"]


async def test_orders_survive_kills_of_the_venue_without_a_double(world: World) -> None:
    commands = [a_command() for _ in range(100)]

    async def send_all() -> None:
        for command in commands:
            await world.say(command)

    sending = asyncio.create_task(send_all())
    for _ in range(2):
        await asyncio.sleep(0.15)
        await world.venue.kill()
        await world.venue.start()
        await world.until_status(logged_on=True)
    await sending

    for command in commands:
        await world.until(command.order_id, "PLACED", within=30)
    assert {tuple(world.ledger(command.order_id)) for command in commands} == {("accepted",)}


async def test_a_cancel_that_the_venue_never_got_is_sent_again(world: World) -> None:
    command = a_command()
    await world.say(command)
    await world.until(command.order_id, "PLACED")

    await world.venue.kill()
    cancel = a_command("CANCEL", command.order_id, exchange_order_id="X")
    await world.say(cancel)
    await a_moment()
    await world.venue.start()

    await world.until(command.order_id, "CANCELED", within=20)
    assert world.ledger(command.order_id) == ["accepted", "canceled"]


async def test_facts_wait_for_the_broker(world: World, nats_server: Server) -> None:
    commands = [a_command() for _ in range(20)]
    for command in commands:
        await world.say(command)
    for command in commands:
        await world.until(command.order_id, "PLACED")

    await nats_server.kill()
    # The firm's other desk cancels them; the venue tells the session that sent them, once.
    async with logged_on(world.venue.part.ports[0].number, "STOCKMESH-DESK") as desk:
        for command in commands:
            order_id = command.order_id
            await desk.send("F", t11=f"{order_id}-desk", t41=order_id, t55="AAPL", t54="1", t38="10")
    await a_moment()
    await nats_server.start()

    for command in commands:
        await world.until(command.order_id, "CANCELED", within=20)


async def test_a_second_gateway_stands_by_and_takes_over(
    world: World, tmp_path: Path, nats_server: Server, mongo_url: str, database_name: str
) -> None:
    fix_port = world.venue.part.ports[0].number
    second = a_gateway(tmp_path, nats=nats_server.url, mongo=mongo_url, database=database_name, fix_port=fix_port)
    async with running(second):
        commands = [a_command() for _ in range(120)]

        async def send_all() -> None:
            for command in commands:
                await world.say(command)
                await asyncio.sleep(0.01)

        sending = asyncio.create_task(send_all())
        await asyncio.sleep(0.5)
        # A gateway that only sleeps may wake up in the middle of what it was doing.
        world.freeze(world.gateway)
        async with open_channel(second.url) as channel:
            await status_of(an_operator(channel), logged_on=True)
        world.thaw(world.gateway)
        await sending

        for command in commands:
            await world.until(command.order_id, "PLACED", within=30)
        await a_moment()
        assert {tuple(world.ledger(command.order_id)) for command in commands} == {("accepted",)}


async def test_orders_survive_the_death_of_the_database(
    tmp_path: Path, nats_server: Server, mongo_server: Server, database_name: str
) -> None:
    async with a_world(tmp_path, nats=nats_server, mongo=mongo_server.url, database=database_name) as world:
        commands = [a_command() for _ in range(60)]

        async def send_all() -> None:
            for command in commands:
                await world.say(command)

        sending = asyncio.create_task(send_all())
        await asyncio.sleep(0.05)
        await mongo_server.kill()
        await sending
        await a_moment()
        await mongo_server.start()

        for command in commands:
            await world.until(command.order_id, "PLACED", within=30)
        assert {tuple(world.ledger(command.order_id)) for command in commands} == {("accepted",)}


async def test_poison_goes_to_the_dead_letters_and_the_lane_goes_on(world: World) -> None:
    poison, healthy = a_command(quantity=-5), a_command()
    await world.bus.publish("orders.commands.0.demo", b"\xff\xff not a command", event_id="garbage")
    await world.say(poison)
    await world.say(healthy)

    await world.until(healthy.order_id, "PLACED")
    await world.until(poison.order_id, "UNCERTAIN")
    listed = await world.admin.ListDeadLetters(exchange_pb2.ListDeadLettersRequest())

    assert world.report(poison.order_id, "UNCERTAIN").reason.code == "DEAD_LETTERED"
    assert [letter.order_id for letter in listed.dead_letters] == [poison.order_id, ""]
    assert {letter.reason for letter in listed.dead_letters} == {"MALFORMED"}
    assert listed.dead_letters[0].HasField("create_time")
