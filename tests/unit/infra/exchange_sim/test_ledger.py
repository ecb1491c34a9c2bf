"""Tests of infra/exchange_sim/ledger.py, and of the book that is rebuilt from it."""

import json
from pathlib import Path

import pytest

from infra.exchange_sim.book import Book
from infra.exchange_sim.facts import TimeInForce
from infra.exchange_sim.ledger import LedgerUnusable, open_ledger
from tests.unit.infra.exchange_sim.factories import Floor


def a_busy_floor() -> Floor:
    """Return a floor on which everything has happened once."""
    floor = Floor()
    floor.place("filled", quantity=1000)
    floor.place("resting", price="189.00")
    floor.place("canceled", price="190.01", quantity=500)
    floor.cancel("canceled")
    floor.place("replaced", price="189.00")
    floor.replace(70, "189.10", orig="replaced", cl_ord_id="replaced-1")
    floor.place("day", price="188.00", time_in_force=TimeInForce.DAY)
    floor.changes += floor.matching.expire_day_orders(floor.now_us + 1, floor.now_us + 1)
    floor.place("rejected", quantity=0)
    floor.place("filled")
    return floor


async def test_a_book_is_rebuilt_from_the_ledger(tmp_path: Path) -> None:
    floor = a_busy_floor()
    async with open_ledger(tmp_path / "ledger.jsonl", now_us=1) as ledger:
        await ledger.append([change.fact for change in floor.changes])

    async with open_ledger(tmp_path / "ledger.jsonl", now_us=2) as again:
        book = Book(again.facts)

    assert again.birth == ledger.birth
    assert book.seq == floor.book.seq
    assert book.orders_of("STOCKMESH") == floor.book.orders_of("STOCKMESH")
    assert list(book.open_orders()) == list(floor.book.open_orders())
    for key in ("replaced-1", "cancel"):
        assert book.find("STOCKMESH", key) == floor.order(key)


async def test_a_line_says_who_what_and_how_much(tmp_path: Path) -> None:
    floor = Floor()
    floor.place("filled", quantity=100)
    path = tmp_path / "deep" / "ledger.jsonl"
    async with open_ledger(path, now_us=1) as ledger:
        await ledger.append([change.fact for change in floor.changes])

    opened, accepted, fill = [json.loads(line) for line in path.read_text().splitlines()]

    assert opened["fact"] == "opened"
    assert [accepted["fact"], fill["fact"]] == ["accepted", "fill"]
    common = {"cl_ord_id": "filled", "account": "demo", "symbol": "AAPL", "side": "buy", "quantity": 100}
    assert accepted.items() >= common.items()
    assert fill.items() >= (common | {"last_quantity": 100, "last_price_micros": 190_010_000}).items()


async def test_a_line_without_an_end_is_cut_off(tmp_path: Path) -> None:
    floor, path = a_busy_floor(), tmp_path / "ledger.jsonl"
    facts = [change.fact for change in floor.changes]
    async with open_ledger(path, now_us=1) as ledger:
        await ledger.append(facts)
    with path.open("ab") as file:
        file.write(b'{"fact":"fill","seq":')

    async with open_ledger(path, now_us=2) as again:
        assert again.facts == facts
    assert path.read_bytes().endswith(b"}\n")


@pytest.mark.parametrize("spoil", [b"{}\n", b"nonsense\n"])
async def test_a_spoilt_ledger_is_refused(tmp_path: Path, spoil: bytes) -> None:
    path = tmp_path / "ledger.jsonl"
    async with open_ledger(path, now_us=1):
        pass
    with path.open("ab") as file:
        file.write(spoil)

    with pytest.raises(LedgerUnusable):
        async with open_ledger(path, now_us=2):
            pass


async def test_a_ledger_with_a_gap_is_refused(tmp_path: Path) -> None:
    floor, path = a_busy_floor(), tmp_path / "ledger.jsonl"
    async with open_ledger(path, now_us=1) as ledger:
        await ledger.append([change.fact for change in floor.changes if change.fact.seq != 2])

    with pytest.raises(LedgerUnusable, match="gap"):
        async with open_ledger(path, now_us=2):
            pass


async def test_a_ledger_is_one_process_s(tmp_path: Path) -> None:
    async with open_ledger(tmp_path / "ledger.jsonl", now_us=1):
        with pytest.raises(LedgerUnusable, match="in use"):
            async with open_ledger(tmp_path / "ledger.jsonl", now_us=2):
                pass


async def test_ledgers_begun_apart_give_different_ids(tmp_path: Path) -> None:
    async with open_ledger(tmp_path / "a.jsonl", now_us=1_000_000) as one:
        pass
    async with open_ledger(tmp_path / "b.jsonl", now_us=2_000_000) as other:
        assert one.birth != other.birth
