"""Tests of infra/local/child.py: the words for an exit, and logs that stay small."""

from pathlib import Path

import pytest

from infra.local import child


@pytest.mark.parametrize(("status", "words"), [(0, "status 0"), (2, "status 2"), (-9, "SIGKILL"), (-64, "SIGRTMAX")])
def test_an_exit_has_a_name(status: int, words: str) -> None:
    assert child.describe(status) == words


def test_the_end_of_a_log_is_its_last_lines_that_say_something(tmp_path: Path) -> None:
    log = tmp_path / "edge.log"
    log.write_bytes(b"one\ntwo\n\n\xffthree\n\n")

    assert child.tail(log, 2) == ["two", "\ufffdthree"]
    assert child.tail(log, 2, start=8) == ["\ufffdthree"]
    assert child.tail(tmp_path / "nobody.log", 2) == []


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('{"event": "stopped", "level": "info"}', "stopped"),
        (
            '{"event": "died", "exception": [{"exc_type": "OSError", "exc_value": "full"}]}',
            "died | OSError: full",
        ),
        ('{"event": 1}', '{"event": 1}'),
        ("[1]", "[1]"),
        ("x" * 600, "x" * 500),
    ],
)
def test_a_line_of_a_log_is_shown_without_its_machinery(line: str, shown: str) -> None:
    assert child.readable(line) == shown


def test_a_long_log_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "LOG_BYTES", 10)
    log = tmp_path / "edge.log"
    log.write_text("0123456789")

    child.bound(log)

    assert (log.read_text(), (tmp_path / "edge.log.1").read_text()) == ("", "0123456789")
