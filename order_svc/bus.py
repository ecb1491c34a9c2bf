"""NATS door: hears what the exchange said of orders, and what the market is like."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import datetime
from typing import Protocol

from google.protobuf.message import DecodeError

from gen.trading.v1 import exchange_pb2, price_pb2
from order_svc import wire
from order_svc.fact import Fact
from order_svc.market import LastPrice, MarketMemory
from order_svc.risk import Instrument
from order_svc.service import Orders
from runtime import logs
from runtime.crash_points import reach
from runtime.dead_letters import bury
from runtime.errors import InvalidArgument, Malformed, TradingError
from runtime.jetstream import Bus, Heard
from runtime.money import micros_from_text
from runtime.process import Tasks
from runtime.pulling import Delivery
from runtime.subjects import (
    INSTRUMENTS,
    ORDER_PARTITIONS,
    ORDER_REPORTS,
    QUOTES,
    TRADING_STATE,
    quotes_live,
    trading_state,
)

REPORTS_DURABLE = "order_svc-reports"
# Facts that arrive this close together share a transaction: an acknowledgement and its fill are one update.
LINGER_SECONDS = 0.004
# Under load a transaction for many facts is worth a little more patience.
BUSY_LINGER_SECONDS = 0.025
MAX_FACTS = 100
# A report that has broken something so often is given up.
MOST_DELIVERIES = 5
EVERY_INSTRUMENT = "instruments.*"
# What is said live may be lost.
INSTRUMENTS_EVERY_SECONDS = 30.0
FIRST_INSTRUMENTS_SECONDS = 0.5

logger = logs.get_logger("order_svc.bus")


class Clock(Protocol):
    """Tells the time in whole milliseconds."""

    def __call__(self) -> datetime:
        """Return now."""


async def hear_reports(bus: Bus, orders: Orders, now: Clock, count_letter: Callable[[str, str], None]) -> None:
    """Fold what the exchange says into orders, for ever; a message is acknowledged after its fact is stored.

    `count_letter` hears the stream and the reason of each dead letter.
    """
    subjects = [f"orders.reports.{partition}" for partition in range(ORDER_PARTITIONS)]
    pulled = bus.pull(
        ORDER_REPORTS,
        durable=REPORTS_DURABLE,
        subjects=subjects,
        max_batch=MAX_FACTS,
        linger_seconds=LINGER_SECONDS,
        busy_linger_seconds=BUSY_LINGER_SECONDS,
    )
    async with aclosing(pulled) as batches:  # type: ignore[type-var]  # an async generator behind its iterator type
        async for deliveries in batches:
            try:
                await _hear(bus, orders, now, deliveries, count_letter)
            except asyncio.CancelledError:
                # Whoever goes on gets them at once, not when the broker has missed our answers.
                for delivery in deliveries:
                    await delivery.nak(0)
                raise


async def _hear(
    bus: Bus,
    orders: Orders,
    now: Clock,
    deliveries: Sequence[Delivery],
    count_letter: Callable[[str, str], None],
) -> None:
    reach("K13")
    facts: dict[str, list[Fact]] = {}
    readable: list[tuple[str, Delivery]] = []
    for delivery in deliveries:
        try:
            order_id, fact = wire.fact_from(delivery.payload, now=now())
        except Malformed as error:
            await _bury(bus, delivery, "MALFORMED", error, count_letter)
            continue
        facts.setdefault(order_id, []).append(fact)
        readable.append((order_id, delivery))
    locked, spoilt = await _fold(orders, facts)
    for order_id, delivery in readable:
        if order_id in spoilt and delivery.deliveries >= MOST_DELIVERIES:
            await _bury(bus, delivery, "FAILED", spoilt[order_id], count_letter)
        elif order_id in locked or order_id in spoilt:
            await delivery.nak()
        else:
            await delivery.ack()


async def _fold(orders: Orders, facts: Mapping[str, Sequence[Fact]]) -> tuple[set[str], dict[str, Exception]]:
    """Store facts; return the orders that could not be changed now, and those whose facts break something, with what broke."""
    try:
        return await orders.take_in(facts), {}
    except TradingError as error:
        logger.warning("facts not stored, asked for again", error=repr(error), orders=len(facts))
        return set(facts), {}
    except Exception as error:
        if len(facts) == 1:
            order_id = next(iter(facts))
            logger.error("facts cannot be stored", order_id=order_id, exc_info=error)
            return set(), {order_id: error}
    # One of them is poison, and the others must not suffer.
    locked, spoilt = set[str](), dict[str, Exception]()
    for order_id, some in facts.items():
        one_locked, one_spoilt = await _fold(orders, {order_id: some})
        locked |= one_locked
        spoilt |= one_spoilt
    return locked, spoilt


async def _bury(
    bus: Bus, delivery: Delivery, reason: str, error: Exception, count_letter: Callable[[str, str], None]
) -> None:
    """Put a message that nobody can handle among the dead letters, so that the lane goes on."""
    logger.error("dead letter", reason=reason, sequence=delivery.sequence, error=str(error))
    try:
        await bury(bus, delivery, stream=ORDER_REPORTS, reason=reason, detail=str(error))
    except TradingError:
        await delivery.nak()
        return
    count_letter(ORDER_REPORTS, reason)
    await delivery.term()


@asynccontextmanager
async def hear_market(bus: Bus, market: MarketMemory, tasks: Tasks) -> AsyncIterator[None]:
    """Keep the market memory true inside the block: first what was last said, then what is said now."""

    async def hear_quotes(heard: Heard) -> None:
        _take_quotes(market, heard.payload)

    async def hear_state(heard: Heard) -> None:
        _take_state(market, heard.payload)

    async def hear_instruments(heard: Heard) -> None:
        _take_instruments(market, heard.payload)

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(bus.listen(quotes_live(None), hear_quotes))
        # They come in several messages, so that a look at the wrong moment finds a part of them.
        await stack.enter_async_context(bus.listen(EVERY_INSTRUMENT, hear_instruments))
        await stack.enter_async_context(bus.listen(trading_state(), hear_state))
        async for heard in bus.last_values(QUOTES, "quotes.last.*"):
            _take_quotes(market, heard.payload)
        async for heard in bus.last_values(TRADING_STATE, trading_state()):
            _take_state(market, heard.payload)
        await _read_instruments(bus, market)
        tasks.spawn(_follow_instruments(bus, market), name="instruments")
        yield


async def _follow_instruments(bus: Bus, market: MarketMemory) -> None:
    while True:
        # The venue may not have named them yet when we start.
        await asyncio.sleep(INSTRUMENTS_EVERY_SECONDS if market.instruments else FIRST_INSTRUMENTS_SECONDS)
        try:
            await _read_instruments(bus, market)
        except TradingError as error:
            logger.warning("instruments not read", error=repr(error))


async def _read_instruments(bus: Bus, market: MarketMemory) -> None:
    async for heard in bus.last_values(INSTRUMENTS, EVERY_INSTRUMENT):
        _take_instruments(market, heard.payload)


def _take_instruments(market: MarketMemory, payload: bytes) -> None:
    try:
        listed = [
            Instrument(one.symbol, micros_from_text(one.tick_size), one.lot_size, one.max_quantity, one.tradable)
            for one in price_pb2.InstrumentBatch.FromString(payload).instruments
        ]
    except (DecodeError, InvalidArgument) as error:
        logger.error("instruments cannot be read", error=str(error))
        return
    for instrument in listed:
        market.hear_instrument(instrument)


def _take_quotes(market: MarketMemory, payload: bytes) -> None:
    batch = price_pb2.QuoteBatch.FromString(payload)
    for quote in batch.quotes:
        price = LastPrice(
            epoch=quote.epoch,
            seq=quote.seq,
            micros=micros_from_text(quote.price) if quote.price else 0,
            live=quote.state == price_pb2.Quote.LIVE,
            halted=quote.state == price_pb2.Quote.HALTED,
            heard_at=time.monotonic(),
        )
        market.hear_price(quote.symbol, price)
    if batch.market:
        market.hear_venue(is_open=batch.market == price_pb2.GetMarketStatusResponse.OPEN)


def _take_state(market: MarketMemory, payload: bytes) -> None:
    try:
        state = exchange_pb2.TradingState.FromString(payload).state
    except DecodeError as error:
        logger.error("trading state cannot be read", error=str(error))
        return
    market.hear_trading_state(exchange_pb2.TradingState.State.Name(state))
