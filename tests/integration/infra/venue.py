"""The exchange simulator for tests: the real process, its ledger, and a few words to trade with it."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from infra.exchange_sim.ledger_reader import read_struck
from infra.local import ready
from infra.local.part import Part, Port
from tests.integration.infra.fix_member import Member
from tests.servers import Server, free_port

ORDERS = "STOCKMESH-ORD-0"


class Exchange:
    """The running process and its ledger."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.port, self.ledger_path = free_port(), folder / "ledger.jsonl"
        part = Part(
            name="exchange_sim",
            command=(sys.executable, "-m", "infra.exchange_sim"),
            environment={
                "EXCHANGE_SIM_PORT": str(self.port),
                "EXCHANGE_SIM_LEDGER_PATH": str(self.ledger_path),
                **{f"EXCHANGE_SIM_{name.upper()}": value for name, value in settings.items()},
            },
            ready=ready.tcp("127.0.0.1", self.port),
            ports=(Port(number=self.port, setting="EXCHANGE_SIM_PORT"),),
        )
        self.server = Server(part, "", folder / "exchange_sim.log")

    def ledger(self) -> list[dict[str, Any]]:
        """Return the facts in the ledger."""
        return [json.loads(line) for line in self.ledger_path.read_text().splitlines()][1:]

    def struck(self) -> list[dict[str, Any]]:
        """Return what the fault script has done."""
        return read_struck(self.ledger_path.with_name("faults.jsonl"))

    async def restart_after_kill(self) -> None:
        """Kill it with SIGKILL and start it again."""
        await self.server.kill()
        await self.server.start()


@asynccontextmanager
async def running(folder: Path, **settings: str) -> AsyncIterator[Exchange]:
    exchange = Exchange(folder, **settings)
    await exchange.server.start()
    try:
        yield exchange
    finally:
        await exchange.server.stop()


async def place(member: Member, key: str, **fields: str) -> None:
    """Send an order for AAPL: by default one that rests, as it bids a cent."""
    order = {"t1": "demo", "t54": "1", "t38": "100", "t40": "2", "t44": "0.01", "t59": "1"} | fields
    await member.send("D", t11=key, t55="AAPL", t60="20250101-00:00:00.000", **order)


async def replace(member: Member, orig: str, key: str, quantity: str, price: str) -> None:
    """Ask for another quantity and price of an order for AAPL."""
    await member.send("G", t11=key, t41=orig, t55="AAPL", t54="1", t38=quantity, t40="2", t44=price)


async def cancel(member: Member, orig: str, key: str) -> None:
    """Ask for the end of an order for AAPL."""
    await member.send("F", t11=key, t41=orig, t55="AAPL", t54="1")
