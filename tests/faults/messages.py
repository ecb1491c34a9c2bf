"""F20, F29, F30: messages on the bus come again, come twice, or cannot be read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from nats.aio.msg import Msg
from nats.js import JetStreamContext

from gen.trading.v1 import exchange_pb2
from runtime.subjects import DEAD_LETTERS, ORDER_COMMANDS, order_command, order_report
from tests.faults.case import Case, Scene
from tests.faults.gather import read_stream

UNKNOWN_KIND = 99
NOT_PROTOBUF = b"\xff\xff\xff this is no message"
LETTER_SECONDS = 30.0
LOOK_SECONDS = 0.2


def cases() -> list[Case]:
    """Return the cases."""
    return [
        Case(name="F20", words="the broker is killed, and every command is published again", damage=_publish_again),
        Case(name="F29", words="every command and report comes twice", damage=_echo),
        Case(name="F30", words="messages that nobody can read, in every lane", damage=_poison),
    ]


@asynccontextmanager
async def _stream(scene: Scene) -> AsyncIterator[JetStreamContext]:
    async with scene.rig.broker() as broker:
        yield broker.jetstream(timeout=5)


async def _publish_again(scene: Scene) -> None:
    """Publish what the stream of commands holds once more, with and without its ids."""
    await scene.load.until(0.4)
    await scene.rig.system.kill("nats")
    await scene.rig.system.until_ready("nats")
    async with _stream(scene) as jetstream:
        mine = {order_command(account) for account in scene.accounts}
        for message in await read_stream(jetstream, ORDER_COMMANDS):
            if message.subject not in mine:
                continue
            await jetstream.publish(message.subject, message.data, headers=dict(message.headers or {}))
            await jetstream.publish(message.subject, message.data, headers=_without_id(message))
    scene.note("every command was published again")


async def _echo(scene: Scene) -> None:
    """Say every command and report once more as soon as it is heard, as another message."""
    echoes = 0

    async with scene.rig.broker() as broker:
        jetstream = broker.jetstream(timeout=5)

        async def again(message: Msg) -> None:
            nonlocal echoes
            if "Echo" not in (message.headers or {}):
                echoes += 1
                await jetstream.publish(message.subject, message.data, headers=_without_id(message) | {"Echo": "1"})

        for subject in ("orders.commands.*.*", "orders.reports.*"):
            await broker.subscribe(subject, cb=again)
        await scene.load.until(1.0)
        await asyncio.sleep(1.0)
    if not echoes:
        scene.problems.append("nothing was heard that could be said again")


async def _poison(scene: Scene) -> None:
    """Publish bytes that are no message, and a command and a report of a kind that nobody knows."""
    await scene.load.until(0.3)
    order_id = next(
        event.value["order"]["order_id"]
        for event in scene.history.events
        if event.what == "place" and event.value.get("order")
    )
    account = scene.accounts[0]
    command = exchange_pb2.OrderCommand(command_id="poison", order_id=order_id, account_id=account)
    report = exchange_pb2.ExecutionReport(report_id="poison", order_id=order_id)
    # Open enums: the number travels although the name is not known.
    poison = [
        (order_command(account), NOT_PROTOBUF),
        (order_command(account), _of_unknown_kind(command, field=2)),
        (order_report(order_id), NOT_PROTOBUF),
        (order_report(order_id), _of_unknown_kind(report, field=2)),
    ]
    async with _stream(scene) as jetstream:
        before = await _letters(jetstream)
        for subject, payload in poison:
            await jetstream.publish(subject, payload)
        scene.letters = len(poison)
        scene.note(f"{len(poison)} messages that nobody can read")
        try:
            async with asyncio.timeout(LETTER_SECONDS):
                while await _letters(jetstream) < before + len(poison):  # noqa: ASYNC110 - the broker tells a number
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            scene.problems.append(f"not all poison was put aside within {LETTER_SECONDS:g} s")


async def _letters(jetstream: JetStreamContext) -> int:
    return (await jetstream.stream_info(DEAD_LETTERS)).state.messages


def _of_unknown_kind(message: Any, *, field: int) -> bytes:
    return bytes(message.SerializeToString()) + bytes([field << 3, UNKNOWN_KIND])


def _without_id(message: Msg) -> dict[str, str]:
    return {name: text for name, text in (message.headers or {}).items() if not name.startswith("Nats-")}
