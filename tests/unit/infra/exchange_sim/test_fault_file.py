"""Tests of infra/exchange_sim/fault_file.py."""

import json
from pathlib import Path

import pytest

from infra.exchange_sim.fault_file import FaultFile, open_fault_log
from infra.exchange_sim.faults import Event, Fault, Faults, Kind, Rule, Strike
from infra.exchange_sim.injector import Struck
from infra.exchange_sim.ledger_reader import read_struck


class Follower:
    """Notes what it is told to obey."""

    def __init__(self, path: Path) -> None:
        self.obeyed: list[Faults | None] = []
        self.halted: set[str] = set()
        self.file = FaultFile(path, self.obeyed.append, lambda halts: self._halt(set(halts)))

    def _halt(self, symbols: set[str]) -> None:
        self.halted = symbols

    def seeds(self) -> list[int | None]:
        return [faults.script.seed if faults else None for faults in self.obeyed]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "faults.json"


def test_a_script_is_read_again_when_it_has_changed_and_only_then(path: Path) -> None:
    follower = Follower(path)
    for number, text in enumerate(['{"seed": 1, "rules": []}', '{"seed": 22}', '{"seed": 333}']):
        path.write_text(text)
        follower.file.look(number)
        follower.file.look(number + 0.5)

    assert follower.seeds() == [None, 22, 333]


def test_a_script_that_is_taken_away_is_no_script(path: Path) -> None:
    follower = Follower(path)
    follower.file.look(0)
    path.write_text('{"seed": 5}')
    follower.file.look(1)
    path.unlink()
    follower.file.look(2)

    assert follower.seeds() == [5, None]


def test_a_broken_script_keeps_the_old_one(path: Path) -> None:
    follower = Follower(path)
    path.write_text('{"seed": 5}')
    follower.file.look(0)
    path.write_text('{"rules": [{"fault": "nonsense"}]}')
    follower.file.look(1)

    assert follower.seeds() == [5]


def test_a_halt_begins_and_ends_by_the_clock(path: Path) -> None:
    follower = Follower(path)
    path.write_text('{"rules": [{"fault": "halt", "symbol": "AAPL", "ms": 500}]}')

    follower.file.look(10.0)
    assert follower.halted == {"AAPL"}
    follower.file.look(10.6)
    assert follower.halted == set()


def test_what_struck_is_written_beside_the_ledger(tmp_path: Path) -> None:
    rule = Rule(fault=Fault.DROP_ACK)
    event = Event(Kind.ACCEPTED, "key", "AAPL", None, "demo")
    with open_fault_log(tmp_path / "ledger.jsonl", lambda: 17) as log:
        log.note(Struck(Strike(0, rule, 3), event, "SESSION", "O1", "E1"))

    (line,) = (tmp_path / "faults.jsonl").read_text().splitlines()
    assert read_struck(tmp_path / "faults.jsonl") == [json.loads(line)]
    assert json.loads(line) == {
        "time_us": 17, "fault": "drop_ack", "rule": 0, "times": 3, "on": "accepted", "cl_ord_id": "key",
        "session": "SESSION", "order_id": "O1", "exec_id": "E1", "symbol": "AAPL", "account": "demo",
    }  # fmt: skip
