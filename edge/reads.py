"""Price reads of all sockets, coalesced: whatever is asked for in the same moment is one question to the price service."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import uuid4

from edge.asking import Method, ask
from edge.rendering import json_of
from gen.trading.v1.price_pb2 import GetPricesRequest, GetPricesResponse, Quote
from runtime.batching import Batcher
from runtime.errors import DeadlineExceeded, NotFound

# The most that one question may name (price.proto).
SYMBOLS_PER_CALL = 500
CALL_SECONDS = 2.0
# A reader waits for the question before its own, and for its own.
READ_SECONDS = 2 * CALL_SECONDS
CALLERS_PER_FLUSH = 2_000
LINGER_SECONDS = 0.001


class UnknownSymbol(NotFound):
    """There is no such symbol."""

    reason = "UNKNOWN_SYMBOL"


class Price:
    """The latest price of a symbol; its JSON text is made once for all who ask until it changes."""

    __slots__ = ("_text", "quote")

    def __init__(self, quote: Quote) -> None:
        # A copy: the original would keep the whole answer that it came in.
        self.quote = Quote()
        self.quote.CopyFrom(quote)
        self._text = b""

    def holds_against(self, quote: Quote) -> bool:
        """Tell whether this is as new as a quote; replicas of the price service need not be equally far."""
        held, version = (self.quote.epoch, self.quote.seq), (quote.epoch, quote.seq)
        return held > version or (held == version and self.quote.state == quote.state)

    @property
    def text(self) -> bytes:
        """The JSON text of a StockPrice without bars."""
        if not self._text:
            self._text = b'{"quote":%b,"bars":[],"interval":"","sources":[]}' % json_of(self.quote)
        return self._text


@dataclass(frozen=True, slots=True)
class Latest:
    """The latest prices that one question brought, by symbol. A symbol that is not in it does not exist."""

    prices: dict[str, Price]

    def of(self, symbols: Iterable[str]) -> list[Price]:
        """Return the prices of these symbols, in this order. Raises UnknownSymbol that names all that do not exist."""
        unknown = [symbol for symbol in dict.fromkeys(symbols) if symbol not in self.prices]
        if unknown:
            raise unknown_symbols(unknown)
        return [self.prices[symbol] for symbol in symbols]


def unknown_symbols(symbols: Sequence[str]) -> UnknownSymbol:
    """Return the refusal that names symbols which do not exist."""
    named = ",".join(symbols)
    return UnknownSymbol(f"no such symbol: {named[:200]}", symbols=named)


class PriceReads:
    """Asks the price service in the edge's own name; prices are the same for everybody."""

    def __init__(self, get_prices: Method, *, token: str) -> None:
        self._get_prices, self._token = get_prices, token
        # One for each symbol that was ever asked for; only symbols that exist get here.
        self._prices: dict[str, Price] = {}
        self._batcher: Batcher[Sequence[str], Latest] = Batcher(
            self._flush, max_items=CALLERS_PER_FLUSH, max_wait=LINGER_SECONDS
        )

    async def run(self) -> None:
        """Ask for ever; to be spawned as one of the process's loops."""
        await self._batcher.run()

    async def latest(self, symbols: Sequence[str]) -> Latest:
        """Return the latest prices of these symbols (and of those that others asked for). Raises what the price service raises."""
        if not symbols:
            return Latest({})
        try:
            async with asyncio.timeout(READ_SECONDS):
                try:
                    return await self._batcher.add(symbols)
                except _AskAlone:
                    return await self._ask_alone(symbols)
        except TimeoutError:
            raise DeadlineExceeded("the price service did not answer in time") from None

    async def _flush(self, questions: Sequence[Sequence[str]]) -> list[Latest | Exception]:
        """Ask one question for all. Who names a symbol that does not exist asks again alone, so that the others do not wait."""
        alone: set[int] = set()
        while True:
            together = [symbols for number, symbols in enumerate(questions) if number not in alone]
            try:
                latest = await self._ask_all(list(dict.fromkeys(symbol for symbols in together for symbol in symbols)))
            except NotFound as error:
                named = _named_in(error)
                suspects = {number for number, symbols in enumerate(questions) if not named.isdisjoint(symbols)} - alone
                alone |= suspects or set(range(len(questions)))
            else:
                return [_AskAlone() if number in alone else latest for number in range(len(questions))]

    async def _ask_alone(self, symbols: Sequence[str]) -> Latest:
        left = list(symbols)
        while True:
            try:
                return await self._ask_all(left)
            except NotFound as error:
                named = _named_in(error)
                if named.isdisjoint(left):
                    raise
                left = [symbol for symbol in left if symbol not in named]

    async def _ask_all(self, symbols: Sequence[str]) -> Latest:
        chunks = [symbols[at : at + SYMBOLS_PER_CALL] for at in range(0, len(symbols), SYMBOLS_PER_CALL)]
        answers = await asyncio.gather(*(self._ask(chunk) for chunk in chunks), return_exceptions=True)
        prices: dict[str, Price] = {}
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            prices.update((price.quote.symbol, self._newest(price.quote)) for price in answer.prices)
        return Latest(prices)

    def _newest(self, quote: Quote) -> Price:
        held = self._prices.get(quote.symbol)
        if held is None or not held.holds_against(quote):
            held = self._prices[quote.symbol] = Price(quote)
        return held

    async def _ask(self, symbols: Sequence[str]) -> GetPricesResponse:
        return await ask(
            self._get_prices,
            GetPricesRequest(symbols=symbols),
            GetPricesResponse,
            seconds=CALL_SECONDS,
            token=self._token,
            request_id=uuid4().hex,
        )


class _AskAlone(Exception):
    """The question names a symbol that may not exist."""


def _named_in(error: NotFound) -> set[str]:
    return set(error.metadata.get("symbols", "").split(","))
