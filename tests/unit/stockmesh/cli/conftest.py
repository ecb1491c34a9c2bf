"""The command line as a user calls it, against a scripted server that runs beside it."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from typer.testing import CliRunner

from stockmesh.cli.app import app
from tests.unit.stockmesh.scripted import ScriptedServer, scripted_server


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A server in a thread of its own, as a command has a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    context = scripted_server()
    try:
        yield asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(5)
    finally:
        asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No system on this machine, no settings of whoever runs the tests."""
    for name in ("STOCKMESH_URL", "STOCKMESH_TOKEN", "STOCKMESH_ADMIN_TOKEN", "STOCKMESH_GATEWAY", "JWT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STOCKMESH_STATE", str(tmp_path_factory.mktemp("state")))
    monkeypatch.setenv("TZ", "UTC")
    # Tables drop columns in a narrow terminal.
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture
def run(alone: None) -> Run:
    """Call a command of nobody's machine."""

    def call(*words: str) -> Ended:
        result = CliRunner().invoke(app, list(words))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)

    return call


@pytest.fixture
def stockmesh(run: Run, server: ScriptedServer) -> Run:
    """Call a command against the scripted server."""

    def call(*words: str) -> Ended:
        return run(*words, "--url", server.url, "--token", "t")

    return call
