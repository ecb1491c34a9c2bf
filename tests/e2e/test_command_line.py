"""The command line against the whole system, as its own process."""

import asyncio
import json
import os
import sys
from typing import Any

import pytest

from infra.local.running import System
from tests.socket_client import Socket


class Shell:
    """Runs `stockmesh …` for one account."""

    def __init__(self, system: System, account: str) -> None:
        self._environment = {
            **os.environ,
            "STOCKMESH_URL": system.where.websocket,
            "STOCKMESH_TOKEN": system.token(account),
            "NO_COLOR": "1",
        }

    async def __call__(self, *words: str) -> tuple[int, str, str]:
        """Return exit code, output and errors."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "import sys; from stockmesh.cli import main; sys.argv[0] = 'stockmesh'; main()",
            *words,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(40):
            out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def data(self, *words: str) -> Any:
        """Return the last line of JSON that a command prints."""
        code, out, err = await self(*words, "--json")
        assert code == 0, err
        return json.loads(out.splitlines()[-1])


@pytest.fixture
def shell(system: System, socket: Socket, account: str) -> Shell:
    return Shell(system, account)


async def test_buy_follows_the_order_to_its_end(shell: Shell) -> None:
    order = await shell.data("buy", "AAPL", "10")

    assert (order["state"], order["filledQuantity"]) == ("FILLED", "10")


async def test_a_resting_order_is_shown_and_canceled(shell: Shell) -> None:
    order = await shell.data("buy", "AAPL", "10", "--limit", "1.00")
    assert order["state"] == "PLACED"

    code, out, _ = await shell("orders")
    assert code == 0
    assert order["orderId"] in out

    assert (await shell("cancel", order["orderId"]))[0] == 0


async def test_watch_prints_what_moves_and_ends_by_itself(shell: Shell) -> None:
    code, out, err = await shell("watch", "AAPL", "MSFT", "--count", "4")

    assert code == 0, err
    assert {"AAPL", "MSFT"} <= set(out.split())


async def test_history_is_asked_for_by_the_length_of_its_bars(shell: Shell) -> None:
    code, out, err = await shell("history", "AAPL", "--range", "1d", "--interval", "1min", "--json")

    assert code == 0, err
    assert json.loads(out.splitlines()[-1])["final"] is False


async def test_a_refusal_is_one_clear_line_and_exit_1(shell: Shell) -> None:
    code, out, err = await shell("buy", "NOSUCH", "10")

    assert (code, out) == (1, "")
    assert "UNKNOWN_SYMBOL" in err
    assert "Traceback" not in err
