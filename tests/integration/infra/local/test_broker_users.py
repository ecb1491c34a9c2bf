"""Users of the message broker: each service says and hears what is its own, and nothing else."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import nats
import pytest
from nats.aio.client import Client

from infra.local import broker_users, servers
from infra.local.broker_users import OPERATOR
from runtime.connecting import inbox_of
from runtime.jetstream import open_bus
from runtime.leases import Lease
from runtime.receipts import open_receipts
from runtime.streams import ensure_streams
from runtime.subjects import ORDER_COMMANDS, QUOTES, STREAMS, order_command, order_report, order_update
from tests.eventually import eventually
from tests.integration.order_svc.conftest import loops
from tests.servers import Server, free_port, running

PASSWORDS = {user.name: f"{user.name}-0123456789abcdef" for user in broker_users.users()}
SERVICES = [name for name in PASSWORDS if name != OPERATOR]


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker with users."""

    port: int

    def url(self, user: str) -> str:
        return f"nats://{user}:{PASSWORDS[user]}@127.0.0.1:{self.port}"


@pytest.fixture(scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Broker]:
    """A broker with users and all streams."""
    folder, port = tmp_path_factory.mktemp("nats"), free_port()
    part = servers.nats(port=port, monitor_port=free_port(), folder=folder / "nats", passwords=PASSWORDS)
    async with running(Server(part, "", folder / "nats.log")):
        found = Broker(port)
        async with operator(found) as client:
            await ensure_streams(client.jetstream())
        yield found


class Intruder:
    """A service that has fallen into other hands: its user, and whatever it wants to say. Speaks the protocol itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def is_taken(self, *lines: str) -> bool:
        """Send lines and return whether the broker complained about none of them."""
        self._writer.write("".join(f"{line}\r\n" for line in (*lines, "PING")).encode())
        complaints = 0
        async with asyncio.timeout(5):
            while (answer := await self._reader.readline()) != b"PONG\r\n":
                assert answer, "the broker has hung up"
                complaints += answer.startswith(b"-ERR")
        return complaints == 0

    async def may_say(self, subject: str) -> bool:
        """Say something and return whether the broker took it."""
        return await self.is_taken(f"PUB {subject} _INBOX_nobody.1 6", "forged")

    async def may_hear(self, subject: str) -> bool:
        """Listen for a moment and return whether the broker lets us."""
        return await self.is_taken(f"SUB {subject} 1", "UNSUB 1")


@asynccontextmanager
async def intruding(broker: Broker, user: str) -> AsyncIterator[Intruder]:
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
    try:
        assert (await reader.readline()).startswith(b"INFO")
        intruder = Intruder(reader, writer)
        login = {"user": user, "pass": PASSWORDS[user], "verbose": False, "headers": True}
        assert await intruder.is_taken(f"CONNECT {json.dumps(login)}")
        yield intruder
    finally:
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def operator(broker: Broker) -> AsyncIterator[Client]:
    client = await nats.connect(broker.url(OPERATOR))
    try:
        yield client
    finally:
        await client.close()


@pytest.mark.parametrize("login", [{}, {"user": "price_svc", "pass": "wrong"}, {"user": "price_svc"}])
async def test_who_has_no_password_is_not_let_in(broker: Broker, login: dict[str, str]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
    try:
        writer.write(f"CONNECT {json.dumps(login)}\r\nPING\r\n".encode())
        async with asyncio.timeout(5):
            said = await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()

    assert b"Authorization Violation" in said
    assert b"PONG" not in said


@pytest.mark.parametrize("user", ["price_svc", "edge"])
@pytest.mark.parametrize(
    "subject",
    [
        order_command("demo"),
        order_report("o1"),
        order_update("demo"),
        "live.orders.updates.demo",
        "ticks.0",
        "trading.state",
        "auth.revoked.someone",
        f"$JS.API.STREAM.UPDATE.{ORDER_COMMANDS}",
        f"$JS.API.STREAM.PURGE.{ORDER_COMMANDS}",
        f"$JS.API.STREAM.DELETE.{ORDER_COMMANDS}",
        "$JS.API.STREAM.CREATE.MINE",
        f"$JS.API.CONSUMER.CREATE.{ORDER_COMMANDS}",
        f"$JS.API.CONSUMER.CREATE.{QUOTES}",
        f"$JS.ACK.{ORDER_COMMANDS}.exchange_gw-commands-0.1.1.1.1.0",
        "$KV.LEASES.relay.order_5fsvc",
        f"{inbox_of('order_svc')}.forged",
    ],
)
async def test_what_belongs_to_orders_cannot_be_said_by_others(broker: Broker, user: str, subject: str) -> None:
    async with intruding(broker, user) as intruder, operator(broker) as watching:
        before = (await watching.jetstream().stream_info(ORDER_COMMANDS)).state.messages

        assert not await intruder.may_say(subject)

        assert (await watching.jetstream().stream_info(ORDER_COMMANDS)).state.messages == before


async def test_only_the_gateway_reports_and_only_the_order_service_commands(broker: Broker) -> None:
    said = {}
    for user in SERVICES:
        async with intruding(broker, user) as intruder:
            said[user] = (
                await intruder.may_say("orders.reports.7"),
                await intruder.may_say("orders.updates.nobody"),
                await intruder.may_say("orders.commands.7.nobody"),
            )

    # The gateway puts dead letters back when an operator asks for it, so it may say commands; it alone carries them out.
    assert said == {
        "order_svc": (False, True, True),
        "exchange_gw": (True, False, True),
        "price_svc": (False, False, False),
        "edge": (False, False, False),
    }


@pytest.mark.parametrize("user", SERVICES)
async def test_nobody_hears_another_ones_answers_or_everything(broker: Broker, user: str) -> None:
    others = [inbox_of(name) + ".>" for name in SERVICES if name != user]
    async with intruding(broker, user) as intruder:
        for subject in (*others, ">", "_INBOX.>", "orders.commands.>", "$JS.API.>", "$KV.>"):
            assert not await intruder.may_hear(subject), subject


@pytest.mark.parametrize("user", SERVICES)
def test_who_writes_a_stream_cannot_have_the_broker_say_its_messages_elsewhere(user: str) -> None:
    """A consumer may name any subject for its messages. Where that is allowed on a stream of one's own, the note says why."""
    row = next(one for one in broker_users.users() if one.name == user)
    written = {name for name, stream in STREAMS.items() if set(stream.subjects) & set(row.says)}
    made = {name for name in written if any(say.startswith(f"$JS.API.CONSUMER.CREATE.{name}") for say in row.says)}

    # Both are trusted with orders anyway, and read only what they themselves decide about.
    allowed = {"order_svc": {"ORDER_UPDATES"}, "exchange_gw": {"ORDER_COMMANDS", "DEAD_LETTERS"}}
    assert made == allowed.get(user, set())


async def test_a_service_does_with_its_user_what_it_has_to(broker: Broker) -> None:
    async with loops() as tasks, AsyncExitStack() as stack:
        orders = await stack.enter_async_context(open_bus(broker.url("order_svc"), name="order_svc", tasks=tasks))
        gateway = await stack.enter_async_context(open_bus(broker.url("exchange_gw"), name="exchange_gw", tasks=tasks))
        prices = await stack.enter_async_context(open_bus(broker.url("price_svc"), name="price_svc", tasks=tasks))
        edge = await stack.enter_async_context(open_bus(broker.url("edge"), name="edge", tasks=tasks))
        stack.push_async_callback(tasks.stop)
        receipts = await stack.enter_async_context(open_receipts(orders))

        receipt = await (await receipts.post(order_command("demo"), b"buy", event_id="c1"))
        assert receipt.sequence > 0
        async for commands in gateway.pull(
            ORDER_COMMANDS, durable="exchange_gw-commands-0", subjects=["orders.commands.*.*"]
        ):
            heard = [command.payload for command in commands]
            for command in commands:
                await command.ack()
            if b"buy" in heard:
                break

        ruled = asyncio.Event()

        async def reign() -> None:
            ruled.set()
            await asyncio.Event().wait()

        for bus, name in ((orders, "relay.order_5fsvc"), (prices, "price_svc.ticks.0")):
            ruled.clear()
            tasks.spawn(Lease(bus, name).rule(reign), name=name)
            async with asyncio.timeout(5):
                await ruled.wait()

        await prices.publish_live("quotes.last.AAPL", b"1")

        async def kept() -> bool:
            return [one.payload async for one in orders.last_values(QUOTES, "quotes.last.*")] == [b"1"]

        await eventually(kept, within=5)
        await orders.publish(order_update("demo"), b"changed", event_id="u1")
        assert [one.payload async for one in edge.history("ORDER_UPDATES", order_update("demo"), after=0)] == [
            b"changed"
        ]
        assert await edge.last_on("ORDER_UPDATES", order_update("demo")) > 0


def test_the_configuration_holds_no_password() -> None:
    text = broker_users.configuration(broker_users.users())

    assert all(f"${broker_users.password_variable(user)}" in text for user in PASSWORDS)
    assert not any(password in text for password in PASSWORDS.values())
