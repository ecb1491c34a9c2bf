"""Keeps what the server sends of prices equal to what the watches of a client want, over all its sessions."""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from stockmesh.backoff import Backoff
from stockmesh.deadlines import deadline_of
from stockmesh.errors import Refused, Retry, StockmeshError, UnexpectedAnswer
from stockmesh.frames import Notification
from stockmesh.models import Degraded, Mode, PriceState, PriceStatus, Quote, Refusal
from stockmesh.models.wire import read
from stockmesh.session import Session
from stockmesh.watching import PriceWatch, Want

# A frame holds 64 KiB, and an answer carries a quote for each symbol.
SYMBOLS_A_REQUEST = 200


class Subscriptions:
    """The watches of a client, and the one list of subscriptions that serves them all."""

    def __init__(self) -> None:
        self._watches: set[PriceWatch] = set()
        self._by_symbol: dict[str, list[PriceWatch]] = {}
        # What the server last said of each watched symbol in this session, for watches that join later.
        self._latest: dict[str, Quote] = {}
        self._refused: dict[str, Refusal] = {}
        self._changed = asyncio.Event()
        self._end: StockmeshError | None = None

    def watch(self, symbols: Iterable[str], *, mode: Mode, max_hz: float) -> PriceWatch:
        """Return a watch; it begins when it is entered or iterated."""
        return PriceWatch(symbols, Want(mode, max_hz), opened=self._open, closed=self._close)

    async def keep(self, session: Session) -> None:
        """Make the server's list what the watches want, whenever that changes. Raises what no answer came with."""
        served: dict[str, Want] = {}
        pauses = Backoff()
        while True:
            self._changed.clear()
            wanted = self._wanted()
            gone = sorted(served.keys() - wanted.keys())
            if gone:
                await _ask(session, "prices.unsubscribe", {"symbols": gone})
                served = {symbol: want for symbol, want in served.items() if symbol in wanted}
            missing = {symbol: want for symbol, want in wanted.items() if served.get(symbol) != want}
            for want, symbols in _requests(missing):
                try:
                    self._take(await _ask(session, "prices.subscribe", _params(want, symbols)))
                except Refused as error:
                    if error.retry is not Retry.NEVER:
                        await asyncio.sleep(pauses.next(at_least=error.retry_after_seconds or 0.0))
                        self._changed.set()
                        break
                    self._refuse(
                        [Refusal(symbol=each, reason=error.reason, message=error.message) for each in symbols], error
                    )
                # Refused ones count as served: asking again in this session would not help.
                served |= dict.fromkeys(symbols, want)
                pauses.reset()
            await self._changed.wait()

    def hear(self, message: Notification) -> None:
        """Pass prices on to the watches of their symbols."""
        if message.method == "prices.update":
            self._pass_on(message.params.get("quotes"))
        elif message.method == "prices.status":
            status = read(PriceStatus, message.params)
            for watch in self._by_symbol.get(status.symbol, ()):
                watch.offer_status(status)
        elif message.method == "session.degraded":
            degraded = read(Degraded, message.params)
            for watch in self._watches:
                watch.degraded = degraded if degraded.dropped or degraded.max_hz else None

    def lost(self, error: StockmeshError) -> None:
        """Tell every watch that its prices are as old as the connection is away."""
        for symbol, watches in self._by_symbol.items():
            status = PriceStatus(symbol=symbol, state=PriceState.STALE, since=datetime.now(UTC), reason=error.message)
            for watch in watches:
                if symbol not in watch.refused:
                    watch.offer_status(status)
                watch.degraded = None
        self._latest.clear()
        self._refused.clear()

    def end(self, error: StockmeshError) -> None:
        """End every watch, and those to come."""
        self._end = error
        for watch in self._watches:
            watch.fail(error)

    def _open(self, watch: PriceWatch) -> None:
        if self._end is not None:
            watch.fail(self._end)
            return
        self._watches.add(watch)
        self._index()
        watch.refuse(self._refused, None)
        for symbol in watch.symbols & self._latest.keys():
            watch.offer(self._latest[symbol])

    def _close(self, watch: PriceWatch) -> None:
        self._watches.discard(watch)
        self._index()

    def _index(self) -> None:
        self._by_symbol = {}
        for watch in self._watches:
            for symbol in watch.symbols:
                self._by_symbol.setdefault(symbol, []).append(watch)
        self._latest = {symbol: quote for symbol, quote in self._latest.items() if symbol in self._by_symbol}
        self._refused = {symbol: refusal for symbol, refusal in self._refused.items() if symbol in self._by_symbol}
        self._changed.set()

    def _wanted(self) -> dict[str, Want]:
        wanted: dict[str, Want] = {}
        for symbol, watches in self._by_symbol.items():
            for watch in watches:
                wanted[symbol] = wanted[symbol].joined(watch.want) if symbol in wanted else watch.want
        return wanted

    def _take(self, answer: dict[str, Any]) -> None:
        self._refuse(map(_refusal, answer.get("refused") or ()), None)
        self._pass_on(answer.get("quotes"))

    def _refuse(self, refusals: Iterable[Refusal], error: Refused | None) -> None:
        refused = {refusal.symbol: refusal for refusal in refusals}
        self._refused |= refused
        for watch in self._watches:
            watch.refuse(refused, error)

    def _pass_on(self, quotes: object) -> None:
        if not isinstance(quotes, list):
            raise UnexpectedAnswer("the server sent prices without a list of quotes")
        for raw in quotes:
            quote = read(Quote, raw)
            watches = self._by_symbol.get(quote.symbol)
            if watches:
                self._latest[quote.symbol] = quote
                for watch in watches:
                    watch.offer(quote)


async def _ask(session: Session, method: str, params: dict[str, Any]) -> dict[str, Any]:
    answer = await session.request(method, params, seconds=deadline_of(method))
    if not isinstance(answer, dict):
        raise UnexpectedAnswer(f"{method} was answered with something that is no object")
    return answer


def _requests(missing: dict[str, Want]) -> Iterator[tuple[Want, list[str]]]:
    """Group the symbols by how they are wanted, in pieces that one frame holds."""
    groups: dict[Want, list[str]] = {}
    for symbol, want in missing.items():
        groups.setdefault(want, []).append(symbol)
    for want, symbols in groups.items():
        for start in range(0, len(symbols), SYMBOLS_A_REQUEST):
            yield want, symbols[start : start + SYMBOLS_A_REQUEST]


def _params(want: Want, symbols: list[str]) -> dict[str, Any]:
    params: dict[str, Any] = {"symbols": symbols, "mode": want.mode.value}
    return params | {"maxHz": want.max_hz} if want.max_hz else params


def _refusal(raw: object) -> Refusal:
    return Refusal(symbol=raw) if isinstance(raw, str) else read(Refusal, raw)
