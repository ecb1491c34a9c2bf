"""Tests of infra/exchange_sim/faults.py."""

import json
from typing import Any

import pytest

from infra.exchange_sim.facts import Side
from infra.exchange_sim.faults import Event, Fault, Faults, Kind, read_script


def faults(*rules: dict[str, Any], seed: int = 7) -> Faults:
    return Faults(read_script(json.dumps({"seed": seed, "rules": rules}).encode()))


def an_event(kind: Kind = Kind.ACCEPTED, key: str = "key", **changes: Any) -> Event:
    values: dict[str, Any] = {"symbol": "AAPL", "side": Side.BUY, "account": "demo"}
    return Event(kind, key, **(values | changes))


def struck(decider: Faults, keys: list[str]) -> list[str]:
    """Return those of the keys that are struck, shown in this order."""
    return [key for key in keys if decider.strike(an_event(key=key))]


def test_a_rule_strikes_no_more_than_most() -> None:
    decider = faults({"fault": "delay", "ms": 5, "most": 2})

    assert struck(decider, ["a", "b", "c"]) == ["a", "b"]


def test_a_rule_spares_the_first_matches() -> None:
    decider = faults({"fault": "delay", "ms": 5, "skip": 2, "most": 1})

    assert struck(decider, ["a", "b", "c", "d"]) == ["c"]


def test_a_rule_strikes_one_key_no_more_than_each() -> None:
    decider = faults({"fault": "delay", "ms": 5, "each": 1})

    assert struck(decider, ["a", "b", "a", "b", "c"]) == ["a", "b", "c"]


@pytest.mark.parametrize("narrow", [{"symbol": "MSFT"}, {"side": "sell"}, {"account": "other"}, {"on": ["fill"]}])
def test_a_rule_is_only_for_whom_it_names(narrow: dict[str, Any]) -> None:
    decider = faults({"fault": "drop_report"} | narrow)

    assert decider.strike(an_event()) is None
    assert decider.strike(an_event(Kind.FILL, symbol="MSFT", side=Side.SELL, account="other"))


def test_what_is_spared_by_its_name_does_not_count_as_skipped() -> None:
    decider = faults({"fault": "drop_ack", "symbol": "AAPL", "skip": 1})

    decider.strike(an_event(symbol="MSFT"))

    assert struck(decider, ["a", "b"]) == ["b"]


def test_the_first_rule_that_strikes_holds() -> None:
    decider = faults({"fault": "drop_ack", "most": 1}, {"fault": "duplicate"})

    strikes = [decider.strike(an_event(key=key)) for key in ("a", "b")]

    assert [strike and (strike.number, strike.rule.fault, strike.times) for strike in strikes] == [
        (0, Fault.DROP_ACK, 1), (1, Fault.DUPLICATE, 1),
    ]  # fmt: skip


def test_chance_depends_on_seed_and_key_and_not_on_the_order_of_what_passes() -> None:
    keys = [f"k{number}" for number in range(1000)]
    rule = {"fault": "drop_ack", "share": 0.3}

    forward, backward = struck(faults(rule), keys), struck(faults(rule), keys[::-1])

    assert set(forward) == set(backward)
    assert 240 < len(forward) < 360
    assert forward != struck(faults(rule, seed=8), keys)


def test_a_key_that_is_spared_once_may_be_struck_later() -> None:
    decider = faults({"fault": "drop_report", "share": 0.5})

    assert 0 < len(struck(decider, ["same"] * 20)) < 20


def test_an_order_is_denied_once_unless_the_rule_says_otherwise() -> None:
    question = an_event(Kind.STATUS)
    once, thrice = faults({"fault": "unknown"}), faults({"fault": "unknown", "each": 3})

    assert [bool(once.strike(question)) for _ in range(4)] == [True, False, False, False]
    assert [bool(thrice.strike(question)) for _ in range(4)] == [True, True, True, False]


def test_a_halt_ends_with_its_time() -> None:
    decider = faults({"fault": "halt", "symbol": "AAPL", "ms": 100}, {"fault": "halt", "symbol": "MSFT"})

    assert set(decider.halts(99)) == {"AAPL", "MSFT"}
    assert set(decider.halts(100)) == {"MSFT"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"rules": [{"fault": "nonsense"}]}', "nonsense"),
        ('{"rules": [{"fault": "cut", "typo": 1}]}', "typo"),
        ('{"rules": [{"fault": "cut", "share": 2}]}', "share"),
        ('{"rules": [{"fault": "delay"}]}', "needs ms"),
        ('{"rules": [{"fault": "halt"}]}', "needs a symbol"),
        ('{"rules": [{"fault": "cut", "on": ["fill"]}]}', "cannot strike fill"),
        ('{"rules": [', "truncated"),
        ("", "truncated"),
    ],
)
def test_a_script_that_is_wrong_says_where(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        read_script(text.encode())
