"""Wiring of the exchange simulator: memory, rules, loops, and the door last."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from infra.exchange_sim.book import DAY_US, Book
from infra.exchange_sim.desk import Desk
from infra.exchange_sim.fault_file import FaultFile, Trouble, open_fault_log
from infra.exchange_sim.fix import FixDoor, open_door
from infra.exchange_sim.injector import Injector
from infra.exchange_sim.instruments import read_instruments
from infra.exchange_sim.ledger import open_ledger
from infra.exchange_sim.lines import Lines
from infra.exchange_sim.market import Market
from infra.exchange_sim.matching import Matching
from infra.exchange_sim.pulse import beat, load_memory, remember, save_memory
from infra.exchange_sim.service import Exchange
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
    offset_us = int(settings.clock_offset_seconds * 1_000_000)

    def clock() -> int:
        return wall_clock() + offset_us

    async with AsyncExitStack() as stack:
        instruments = read_instruments(settings.instruments_path)
        ledger = await stack.enter_async_context(open_ledger(settings.ledger_path, now_us=clock()))
        book = Book(ledger.facts)
        logger.info("book rebuilt", ledger=str(settings.ledger_path), facts=book.seq, instruments=len(instruments))

        market_path = settings.ledger_path.with_suffix(".market.json")
        market = Market(
            instruments,
            seed=settings.seed,
            day=clock() // DAY_US,
            ticks_per_second=settings.ticks_per_second,
            memory=load_memory(market_path),
            now=clock() // 1_000_000,
        )
        stack.callback(lambda: save_memory(market_path, market.memory()))

        lines = Lines()
        fault_log = stack.enter_context(open_fault_log(settings.ledger_path, clock))
        injector = Injector(
            deliver=lines.tell, cut=lines.cut, note=fault_log.note, clock=asyncio.get_running_loop().time
        )
        desk = Desk(ledger.append, injector.take)
        matching = Matching(
            instruments,
            market.quotes,
            market.halted,
            book,
            birth=ledger.birth,
            duplicate_detection=settings.duplicate_detection,
        )
        exchange = Exchange(market, matching, book, desk, clock)
        exchange.recover()
        if settings.faults_path is not None:
            trouble = Trouble(
                exchange, injector, lines, fault_log, clock, duplicate_detection=settings.duplicate_detection
            )
            script = FaultFile(settings.faults_path, trouble.obey, trouble.halt)
            script.look(asyncio.get_running_loop().time())
            tasks.spawn(script.follow(), name="fault script")

        tasks.spawn(desk.run(), name="desk")
        tasks.spawn(injector.run(), name="injector")
        tasks.spawn(beat(exchange, lines, settings.ticks_per_second), name="beat")
        tasks.spawn(remember(exchange, market_path), name="remember")
        door = FixDoor(exchange, desk, lines, injector, instruments, clock=clock, tasks=tasks)
        await stack.enter_async_context(
            open_door(door, host=settings.host, port=settings.port, comp_id=settings.comp_id, tasks=tasks)
        )
        logger.info("accepting", host=settings.host, port=settings.port, comp_id=settings.comp_id)
        yield
