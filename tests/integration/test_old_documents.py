"""What the first version has written is read and folded by today's code. `tests/data/v1` is never written anew."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bson.json_util import CANONICAL_JSON_OPTIONS, loads

from exchange_gw import wire as gateway_wire
from exchange_gw.command import Asks
from exchange_gw.journal import Decision
from exchange_gw.report import Verdict
from exchange_gw.store import MongoJournal, MongoOperations
from exchange_gw.trading import TradingState
from exchange_gw.waiting_room import WaitingRoom
from gen.trading.v1 import order_pb2
from order_svc.fact import Source
from order_svc.identity import order_id_of
from order_svc.order import Certainty, Order, State
from order_svc.outbox import MongoOutbox
from order_svc.service import OrderFilter
from order_svc.store import MongoOrderStore
from order_svc.wire import fact_from, message_of
from price_svc import blocks, documents, shelf
from runtime.databases import Database, open_mongo
from tests.factories import NOON, at

FOLDER = Path(__file__).parents[1] / "data" / "v1"


def stored(name: str) -> list[dict[str, Any]]:
    """Return what the first version wrote."""
    read: list[dict[str, Any]] = loads((FOLDER / f"{name}.json").read_text(), json_options=CANONICAL_JSON_OPTIONS)
    return read


@pytest.fixture
async def database(mongo_url: str, database_name: str) -> AsyncIterator[Database]:
    async with open_mongo(mongo_url, database=database_name, driver="pymongo") as opened:
        yield opened


async def put(database: Database, *names: str) -> None:
    await database.ensure_collections(*names)
    for name in names:
        await database.read(database.collection(name).insert_many(stored(name)))


async def test_orders_are_read_and_their_reports_folded(database: Database) -> None:
    await put(database, "orders")
    store = MongoOrderStore(database, message_of)
    await store.ensure_indexes()
    ids = {key: order_id_of("demo", key) for key in ("pending", "filled", "rejected", "uncertain")}

    found = await store.find(list(ids.values()))

    filled, rejected = found[ids["filled"]], found[ids["rejected"]]
    assert (filled.state, filled.filled_quantity, filled.exchange_order_id) == (State.FILLED, 10, "X1")
    assert filled.average_price_micros == 190_006_000
    assert rejected.reason is not None
    assert (rejected.state, rejected.reason.source) == (State.REJECTED, Source.EXCHANGE)
    assert found[ids["uncertain"]].certainty is not Certainty.CONFIRMED
    canceled = folded(found[ids["pending"]])
    assert (canceled.state, canceled.filled_quantity, canceled.exchange_order_id) == (State.CANCELED, 4, "X9")
    page, _ = await store.page("demo", OrderFilter(), size=10, token="")
    assert {order.order_id for order in page} == set(ids.values())


def folded(order: Order) -> Order:
    """Fold into an order the reports that wait for it in the stream."""
    facts = [fact_from(bytes(one["payload"]), now=at(9)) for one in stored("reports")]
    assert {order_id for order_id, _ in facts} == {order.order_id}
    return order.with_facts([fact for _, fact in facts], now=at(9))


async def test_the_outbox_is_relayed_and_its_messages_are_understood(database: Database) -> None:
    await put(database, "outbox", "relay_tokens")
    outbox = MongoOutbox(database)

    entries = await outbox.old(older_than=timedelta(0), after=None, limit=10)
    (entry,) = await outbox.load([entry_id for entry_id, _ in entries])

    said, asked = entry.messages
    pending = order_id_of("demo", "pending")
    assert entry.pending_orders == (pending,)
    update = order_pb2.OrderUpdate.FromString(said.payload)
    assert (update.order.order_id, update.order.state, update.order.limit_price) == (
        pending,
        order_pb2.Order.PENDING,
        "190.12",
    )
    command = gateway_wire.command_from(asked.payload)
    assert (command.asks, command.order_id, command.quantity) == (Asks.SUBMIT, pending, 10)
    reign = await outbox.take_over()
    assert (reign.epoch, reign.token, reign.born) == (2, {"_data": "8269A5"}, 7)


async def test_the_journal_still_forbids_what_it_forbade(database: Database) -> None:
    await put(database, "journal", "sessions", "parked", "breaks", "settings")
    journal = MongoJournal(database, gateway_wire.command_from)
    room = WaitingRoom(database, gateway_wire.command_from)
    await journal.prepare()
    await room.prepare()

    rows = await journal.find(["sent", "never"])
    assert (rows["sent"].decision, rows["sent"].logon) == (Decision.SEND, 5)
    assert (rows["never"].decision, rows["never"].verdict) == (Decision.NEVER_SEND, Verdict.CANCELED_UNSENT)
    (note,) = await journal.noted(0, besides=())
    assert (note.batch, note.orders, [one.order_id for one in note.changes]) == ("batch2", ("never",), ["never"])
    assert await journal.heard_until("STOCKMESH-ORD-0") == NOON
    assert await journal.next_logon("STOCKMESH-ORD-0", at_least=1) == 6
    assert await journal.retire(0, decided_before=at(10**9), but=()) == 1
    assert set(await journal.find(["sent", "never"])) == {"never"}
    (waiting,) = await room.due(0, NOON)
    assert waiting.command.order_id == "parked"
    assert await room.deaths(0) == {7: 2}
    operations = MongoOperations(database)
    assert (await operations.permission()).state is TradingState.REDUCING
    assert [found.break_id for found in await operations.breaks(before=None, most=9)] == ["b1"]


def test_prices_are_read() -> None:
    (bar,) = map(documents.bar_from, stored("bars"))
    assert (bar.symbol, bar.interval, bar.close_micros, bar.volume) == ("AAPL", 60, 190_500_000, 1200)
    ((day,),) = [list(blocks.block_from(block)) for block in stored("past_bars")]
    assert (day.interval, day.high_micros) == (86_400, 191_000_000)
    (left,) = map(shelf.unfinished_from, stored("unfinished_bars"))
    assert (list(left.bars), left.versions, left.position) == ([bar], {"AAPL": (3, 2)}, 17)
    (instrument,) = map(documents.instrument_from, stored("instruments"))
    assert (instrument.symbol, instrument.tick_size_micros) == ("AAPL", 10_000)
