"""The journal keeps its promises in a real database, over both drivers, with as few operations as can be."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from msgspec import structs
from pymongo import monitoring

from exchange_gw import wire
from exchange_gw.journal import Decision, Row
from exchange_gw.ports import Note
from exchange_gw.report import Verdict
from exchange_gw.store import MongoJournal
from exchange_gw.waiting_room import Parked, WaitingRoom
from runtime.databases import Database, open_mongo
from tests.integration.exchange_gw.venue import a_command
from tests.unit.exchange_gw.factories import World, an_execution
from tests.unit.exchange_gw.test_service import running

NOW = datetime.now(UTC).replace(microsecond=0)
FAR = NOW + timedelta(days=1)


class _Count(monitoring.CommandListener):
    """Notes what is asked of journals, by name."""

    def __init__(self) -> None:
        self.commands: list[str] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command.get(event.command_name) == "journal":
            self.commands.append(event.command_name)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        return None

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        return None


_count = _Count()
monitoring.register(_count)


@pytest.fixture(params=["motor", "pymongo"])
async def database(request: pytest.FixtureRequest, mongo_url: str, database_name: str) -> AsyncIterator[Database]:
    driver: Literal["motor", "pymongo"] = request.param
    async with open_mongo(mongo_url, database=database_name, driver=driver) as opened:
        yield opened


@pytest.fixture
async def journal(database: Database) -> MongoJournal:
    made = MongoJournal(database, wire.command_from)
    await made.prepare()
    return made


async def test_no_logon_is_written_before_its_collection_is_made(database: Database) -> None:
    journal = MongoJournal(database, wire.command_from)
    logon = asyncio.create_task(journal.next_logon("market-data", at_least=5))
    await database.ping()
    assert not logon.done()

    await journal.prepare()

    assert await logon == 5


def an_order(order_id: str, kind: str = "SUBMIT", **changes: Any):  # type: ignore[no-untyped-def]  # the wire's own type
    return wire.command_from(a_command(kind, order_id, **changes).SerializeToString())


def a_row(order_id: str, claim: str = "b1", verdict: Verdict | None = None) -> Row:
    decision = Decision.NEVER_SEND if verdict else Decision.SEND
    return Row(command=an_order(order_id), decision=decision, decide_time=NOW, claim=claim, logon=7, verdict=verdict)


async def test_the_first_row_of_an_order_holds(journal: MongoJournal) -> None:
    assert await journal.decide(Note("b1", ("o1", "o2")), 0, [a_row("o1"), a_row("o2")]) == {}

    older = await journal.decide(
        Note("b2", ("o0", "o1", "o3", "o2")), 0, [a_row(one, "b2") for one in ("o0", "o1", "o3", "o2")]
    )

    assert {order_id: row.claim for order_id, row in older.items()} == {"o1": "b1", "o2": "b1"}
    rows = await journal.find({"o0", "o1", "o2", "o3", "o4"})
    assert {order_id: row.claim for order_id, row in rows.items()} == {"o0": "b2", "o1": "b1", "o2": "b1", "o3": "b2"}


async def test_a_decision_said_again_finds_its_own_rows(journal: MongoJournal) -> None:
    for _ in range(2):
        older = await journal.decide(Note("b1", ("o1",)), 0, [a_row("o1")])

    assert older["o1"] == a_row("o1").__class__(**{**structs.asdict(a_row("o1")), "command": older["o1"].command})


async def test_notes_tell_what_was_about_to_be_done_until_they_are_forgotten(journal: MongoJournal) -> None:
    cancel = an_order("o9", "CANCEL")
    await journal.decide(Note("b1", ("o1",), (cancel,)), 0, [a_row("o1")])
    await journal.decide(Note("b2", (), (cancel,)), 1, [])

    [note] = await journal.noted(0, besides=())
    assert (note.batch, note.orders, [one.command_id for one in note.changes]) == ("b1", ("o1",), [cancel.command_id])
    assert await journal.noted(0, besides=["b1"]) == []
    await journal.forget(0, ["b1"])
    assert await journal.noted(0, besides=()) == []
    assert [note.batch for note in await journal.noted(1, besides=())] == ["b2"]


async def test_old_rows_are_removed_unless_their_order_lives(journal: MongoJournal, database: Database) -> None:
    for batch, orders in (("b1", ("o1", "o2")), ("b2", ("o3",))):
        await journal.decide(Note(batch, orders), 0, [a_row(one, batch) for one in orders])
    await journal.forget(0, ["b1"])

    assert await journal.retire(0, decided_before=NOW - timedelta(days=14), but=()) == 0
    assert await journal.retire(0, decided_before=FAR, but={"o2"}) == 1

    assert set(await journal.find({"o1", "o2", "o3"})) == {"o2", "o3"}
    # The one that lives is looked at again, the one that is not answered yet stays noted.
    await journal.retire(0, decided_before=FAR, but=())
    assert set(await journal.find({"o1", "o2", "o3"})) == {"o3"}
    assert await database.collection("journal").count_documents({}) == 2


async def test_a_batch_of_orders_costs_one_operation(journal: MongoJournal) -> None:
    world = World(journal)  # type: ignore[arg-type]  # keeps the same promises
    async with running(world):
        await world.log_on()
        orders = [an_order(f"o{number}") for number in range(100)]
        _count.commands.clear()

        await world.take(*orders)
        assert _count.commands == ["insert"]
        await world.lane.hear([an_execution(cl_ord_id=one.order_id) for one in orders])
        assert _count.commands == ["insert"]
        await world.take(*orders[:50])
        await world.lane.watch.forget()

        # However many batches are forgotten at once: one page, one deletion.
        assert [name for name in _count.commands if name != "find"][-2:] == ["insert", "delete"]
        assert await journal.noted(0, besides=()) == []


async def test_cancels_of_sent_orders_cost_one_operation_for_all(journal: MongoJournal) -> None:
    world = World(journal)  # type: ignore[arg-type]  # keeps the same promises
    async with running(world):
        await world.log_on()
        cancels = [an_order(f"o{number}", "CANCEL", exchange_order_id="X") for number in range(100)]
        _count.commands.clear()

        await world.take(*cancels)

        assert _count.commands == ["insert"]


async def test_the_sign_of_whoever_has_a_session_is_kept_beside_its_place(journal: MongoJournal) -> None:
    assert await journal.holder("ORD-0") == ""
    await journal.save_heard_until("ORD-0", NOW)
    await journal.sign("ORD-0", "me-1")
    assert (await journal.holder("ORD-0"), await journal.heard_until("ORD-0")) == ("me-1", NOW)


async def test_parked_commands_come_back_in_their_order_or_when_they_are_due(database: Database) -> None:
    room = WaitingRoom(database, wire.command_from)
    await room.prepare()
    stamped = structs.replace(an_order("o1"), commit_time=NOW)
    waiting = [Parked("1", stamped, NOW), Parked("2", an_order("o2"), None), Parked("3", an_order("o3"), FAR)]
    for _ in range(2):
        await room.park(0, waiting)
    await room.park(1, waiting[:1])

    assert [one.command.order_id for one in await room.parked(0, after="1")] == ["o2", "o3"]
    [due] = await room.due(0, NOW + timedelta(seconds=1))
    assert (due.place, due.command.commit_time) == ("1", NOW)
    await room.release(0, ["1", "2"])
    assert [one.place for one in await room.parked(0, after="")] == ["3"]


async def test_deaths_over_a_message_are_counted(database: Database) -> None:
    room = WaitingRoom(database, wire.command_from)
    for deaths in (0, 1, 2):
        assert (await room.deaths(0)).get(42, 0) == deaths
        await room.take_in_hand(0, 42)

    await room.clear(0, {})

    assert await room.deaths(0) == {}
