"""Tests of infra/exchange_sim/ledger_reader.py."""

from pathlib import Path

import pytest

from infra.exchange_sim.ledger import LedgerUnusable, open_ledger
from infra.exchange_sim.ledger_reader import read_facts, read_struck
from tests.unit.infra.exchange_sim.factories import Floor


async def test_facts_are_read_while_the_exchange_runs_and_a_torn_line_is_left_out(tmp_path: Path) -> None:
    floor, path = Floor(), tmp_path / "ledger.jsonl"
    floor.place()
    facts = [change.fact for change in floor.changes]
    async with open_ledger(path, now_us=1) as ledger:
        await ledger.append(facts)
        with path.open("ab") as file:
            file.write(b'{"fact":"fill","seq":')

        assert read_facts(path) == facts


async def test_a_spoilt_line_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    async with open_ledger(path, now_us=1):
        pass
    with path.open("ab") as file:
        file.write(b"nonsense\n")

    with pytest.raises(LedgerUnusable):
        read_facts(path)


def test_what_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read_facts(tmp_path / "none") == []
    assert read_struck(tmp_path / "none") == []
