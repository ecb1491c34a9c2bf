"""Where commands go, as whom, and how they fail on the way."""

import json
import os
from pathlib import Path

import jwt
import pytest

from tests.unit.stockmesh.cli.conftest import Run
from tests.unit.stockmesh.scripted import Close, Refuse, ScriptedServer, raising

COMMANDS = [
    "price",
    "watch",
    "history",
    "search",
    "market",
    "buy",
    "sell",
    "cancel",
    "replace",
    "orders",
    "order",
    "token",
    "ops",
]
SECRET = "a secret of this test, long enough for HS256"


def claims(token: str) -> dict[str, object]:
    found: dict[str, object] = jwt.decode(token, SECRET, algorithms=["HS256"], audience="stockmesh")
    return found


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: ScriptedServer) -> Path:
    """A system that runs on this machine, announced in a folder above the working one."""
    state = tmp_path / ".stockmesh"
    state.mkdir()
    (state / "jwt_secret").write_text(SECRET)
    facts = {"pid": os.getpid(), "jwt_secret_file": str(state / "jwt_secret"), "websocket": server.url, "rest": None}
    (state / "local.json").write_text(json.dumps(facts))
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    return state


def test_a_token_is_printed_and_nothing_else(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", SECRET)

    ended = run("token")

    assert ended.err == ""
    assert ended.out.count("\n") == 1
    told = claims(ended.out.strip())
    assert (told["sub"], told["accounts"], told["scope"]) == ("demo", ["demo"], "read trade")


def test_a_token_is_made_to_measure(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", SECRET)

    made = run("token", "--account", "a", "--account", "b", "--scope", "read,admin", "--ttl", "30m", "--json")

    told = json.loads(made.out)
    found = claims(told["token"])
    assert (found["accounts"], found["scope"]) == (["a", "b"], "read admin")
    assert int(str(found["exp"])) - int(str(found["iat"])) == 1800


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--ttl", "soon"), "is no duration"),
        (("--ttl", "0h"), "is no duration"),
        (("--scope", "fly"), "is no scope"),
    ],
)
def test_a_token_that_cannot_be_is_wrong_usage(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], problem: str
) -> None:
    monkeypatch.setenv("JWT_SECRET", SECRET)

    ended = run("token", *words)

    assert (ended.code, problem in ended.err) == (2, True)


def test_a_short_secret_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", "short")

    ended = run("token")

    assert ended.code == 2
    assert "at least 32 bytes" in ended.err


def test_on_the_machine_of_the_system_no_option_is_needed(
    run: Run, local: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STOCKMESH_STATE")
    server.on("market.status", lambda params: {"state": "OPEN", "pricedInstruments": 1})

    ended = run("market")

    assert ended.code == 0
    (asked,) = server.asked_for("session.authenticate")
    assert claims(asked["token"])["accounts"] == ["demo"]


def test_without_any_token_the_way_to_one_is_told(run: Run, server: ScriptedServer) -> None:
    ended = run("market", "--url", server.url)

    assert ended.code == 2
    assert ended.err.startswith("TOKEN_MISSING  There is no token: give --token or STOCKMESH_TOKEN.")


def test_nobody_there_is_exit_code_3(run: Run) -> None:
    ended = run("market", "--url", "ws://127.0.0.1:9/ws", "--token", "t")

    assert ended.code == 3
    assert ended.err == (
        "CANNOT_CONNECT  Cannot connect to ws://127.0.0.1:9/ws: connection refused. Nothing was executed. "
        "Is the system running? Start it with `make run`, or say where it is with --url.\n"
    )


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nonsense", "ws://"])
def test_an_address_that_is_none_is_told(run: Run, url: str) -> None:
    ended = run("market", "--url", url, "--token", "t")

    assert ended.code == 3
    assert "WebSocket address" in ended.err


def test_a_bad_token_is_told(stockmesh: Run, server: ScriptedServer) -> None:
    server.on("session.authenticate", raising(Refuse("TOKEN_EXPIRED", message="the token has expired, get a new one")))

    ended = stockmesh("market")

    assert ended.code == 1
    assert ended.err.startswith("TOKEN_EXPIRED  The token has expired, get a new one. Nothing was executed. Get a new")


def test_a_session_closed_for_good_is_told(stockmesh: Run, server: ScriptedServer) -> None:
    server.on("market.status", raising(Close(4503, "the token is revoked")))

    ended = stockmesh("market")

    assert (ended.code, ended.err) == (1, "SESSION_CLOSED  The token is revoked. Nothing was executed.\n")


def test_help_is_there_for_every_command(run: Run) -> None:
    top = run("--help")
    assert top.code == 0
    for name in COMMANDS:
        ended = run(name, "--help")
        assert (name in top.out, ended.code) == (True, 0), name
        assert name == "ops" or "--json" in ended.out, name


def test_the_version_is_told(run: Run) -> None:
    assert run("--version").out.strip()


def test_a_misspelt_command_gets_a_suggestion(run: Run) -> None:
    ended = run("wach")

    assert (ended.code, "watch" in ended.err) == (2, True)
