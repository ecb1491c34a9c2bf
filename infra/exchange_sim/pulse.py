"""What time does to the exchange: prices move, days roll, and the market is remembered on disk."""

import asyncio
import os
import time
from pathlib import Path

import msgspec

from infra.exchange_sim.lines import Lines
from infra.exchange_sim.market import Memory
from infra.exchange_sim.market_wire import session_status
from infra.exchange_sim.service import Exchange
from runtime.logs import get_logger

BEAT_SECONDS = 0.02
REMEMBER_SECONDS = 5.0
# After a pause (a sleeping machine) prices do not make up for the time lost.
MOST_MOVES = 5_000

logger = get_logger("exchange_sim.pulse")


async def beat(exchange: Exchange, lines: Lines, ticks_per_second: float) -> None:
    """Move prices and roll days for ever."""
    owed, before = 0.0, time.monotonic()
    while True:
        await asyncio.sleep(BEAT_SECONDS)
        now = time.monotonic()
        owed, before = min(owed + (now - before) * ticks_per_second, MOST_MOVES), now
        rolled = exchange.roll()
        if rolled:
            logger.info("a new trading day", day=exchange.market.day)
            lines.announce(session_status(exchange.market.day))
            lines.show(rolled)
        if owed >= 1:
            lines.show(exchange.beat(int(owed)))
            owed -= int(owed)


async def remember(exchange: Exchange, path: Path) -> None:
    """Write the market down every few seconds, for ever."""
    while True:
        await asyncio.sleep(REMEMBER_SECONDS)
        save_memory(path, exchange.market.memory())


def save_memory(path: Path, memory: Memory) -> None:
    """Write the market down, whole or not at all.

    Not fsynced, and so quick: a market that jumps back some seconds harms nobody.
    """
    draft = path.with_suffix(".draft")
    draft.write_bytes(msgspec.json.encode(memory))
    os.replace(draft, path)


def load_memory(path: Path) -> Memory | None:
    """Return the market as it was written down; None when there is none, or none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Memory)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        logger.warning("prices start afresh: their file cannot be read", path=str(path), error=str(error))
        return None
