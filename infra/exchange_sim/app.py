"""Wiring of the exchange simulator: memory, rules, loops, and the door last."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from infra.exchange_sim.book import Book
from infra.exchange_sim.desk import Desk
from infra.exchange_sim.fix import FixDoor, open_door
from infra.exchange_sim.instruments import read_instruments
from infra.exchange_sim.ledger import open_ledger
from infra.exchange_sim.lines import Lines
from infra.exchange_sim.market import Market
from infra.exchange_sim.matching import Matching
from infra.exchange_sim.pulse import beat, load_memory, remember, save_memory
from infra.exchange_sim.service import DAY_US, Exchange
from infra.exchange_sim.settings import ExchangeSimSettings
from runtime.logs import get_logger
from runtime.process import Tasks

logger = get_logger("exchange_sim.app")


def wall_clock() -> int:
    """Return the time in micros since 1970."""
    return time.time_ns() // 1000


@asynccontextmanager
async def open_app(settings: ExchangeSimSettings, tasks: Tasks) -> AsyncIterator[None]:
    """Run the exchange for the block."""
    async with AsyncExitStack() as stack:
        instruments = read_instruments(settings.instruments_path)
        ledger = await stack.enter_async_context(open_ledger(settings.ledger_path, now_us=wall_clock()))
        book = Book(ledger.facts)
        logger.info("book rebuilt", ledger=str(settings.ledger_path), facts=book.seq, instruments=len(instruments))

        market_path = settings.ledger_path.with_suffix(".market.json")
        market = Market(
            instruments,
            seed=settings.seed,
            day=wall_clock() // DAY_US,
            ticks_per_second=settings.ticks_per_second,
            memory=load_memory(market_path),
        )
        stack.callback(lambda: save_memory(market_path, market.memory()))

        lines = Lines()
        desk = Desk(ledger.append, lines.tell)
        matching = Matching(
            instruments,
            market.quotes,
            market.halted,
            book,
            birth=ledger.birth,
            duplicate_detection=settings.duplicate_detection,
        )
        exchange = Exchange(market, matching, book, desk, wall_clock)
        exchange.recover()

        tasks.spawn(desk.run(), name="desk")
        tasks.spawn(beat(exchange, lines, settings.ticks_per_second), name="beat")
        tasks.spawn(remember(exchange, market_path), name="remember")
        door = FixDoor(exchange, lines, instruments, clock=wall_clock, tasks=tasks)
        await stack.enter_async_context(
            open_door(door, host=settings.host, port=settings.port, comp_id=settings.comp_id, tasks=tasks)
        )
        logger.info("accepting", host=settings.host, port=settings.port, comp_id=settings.comp_id)
        yield
