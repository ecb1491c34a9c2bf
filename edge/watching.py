"""Price subscriptions of a session: listen first, then the snapshot by one coalesced read, then updates."""

from edge.hub import Hub
from edge.outbox import Watch
from edge.params import Subscribe, Unsubscribe
from edge.reads import Latest, PriceReads, unknown_symbols
from edge.replies import Done, encode
from edge.session import Session
from edge.topic import Mode, Topic
from runtime.errors import FailedPrecondition, TradingError


class TooManySubscriptions(FailedPrecondition):
    """One socket watches as many symbols as it may."""

    reason = "TOO_MANY_SUBSCRIPTIONS"


class Watching:
    """Lets sessions watch symbols."""

    def __init__(self, hub: Hub, reads: PriceReads, *, max_subscriptions: int, default_hz: float) -> None:
        self._hub, self._reads = hub, reads
        self._max_subscriptions, self._default_hz = max_subscriptions, default_hz

    async def subscribe(self, session: Session, params: Subscribe) -> Done:
        """Watch symbols, or change mode and pace of symbols that are watched already.

        Answers with the whole current list, the snapshot of the symbols named, and those refused. Raises the refusal when every
        symbol is refused, and what the price service raises; then nothing has changed.
        """
        async with session.prices_lock:
            refusals: dict[str, TradingError] = {}
            wanted = self._within_limit(session, dict.fromkeys(params.symbols), refusals)
            topics = self._hub.hold(wanted)
            try:
                latest = await self._reads.latest(wanted)
                watches = self._attach(session, topics, latest, params, refusals)
            finally:
                self._hub.release(topics)
        if refusals and not watches:
            raise next(iter(refusals.values()))
        quotes = b",".join(watch.topic.text(watch.mode) for watch in watches)
        refused = [
            {"symbol": symbol, "reason": error.reason, "message": error.message} for symbol, error in refusals.items()
        ]

        def wake() -> None:
            for watch in watches:
                watch.wake()

        return Done(_answer(session, quotes, encode(refused)), wake)

    async def unsubscribe(self, session: Session, params: Unsubscribe) -> Done:
        """Watch symbols no more; symbols that are not watched do not matter."""
        async with session.prices_lock:
            for symbol in params.symbols:
                watch = session.watches.pop(symbol, None)
                if watch is not None:
                    self._detach(session, watch)
        return Done(_answer(session, b"", b"[]"))

    def leave(self, session: Session) -> None:
        """Forget a session that is over."""
        for watch in session.watches.values():
            self._detach(session, watch)
        session.watches.clear()

    def _within_limit(self, session: Session, symbols: dict[str, None], refusals: dict[str, TradingError]) -> list[str]:
        room = self._max_subscriptions - len(session.watches)
        wanted: list[str] = []
        for symbol in symbols:
            if symbol not in session.watches:
                if room <= 0:
                    limit = self._max_subscriptions
                    refusals[symbol] = TooManySubscriptions(f"a socket watches at most {limit} symbols", limit=limit)
                    continue
                room -= 1
            wanted.append(symbol)
        return wanted

    def _attach(
        self,
        session: Session,
        topics: list[Topic],
        latest: Latest,
        params: Subscribe,
        refusals: dict[str, TradingError],
    ) -> list[Watch]:
        mode, interval = Mode(params.mode or "QUOTE"), 1.0 / (params.max_hz or self._default_hz)
        attached: list[Watch] = []
        for topic in topics:
            price = latest.prices.get(topic.symbol)
            if price is None:
                refusals[topic.symbol] = unknown_symbols([topic.symbol])
                continue
            topic.catch_up(price.quote)
            watch = session.watches.get(topic.symbol)
            if watch is None:
                watch = session.watches[topic.symbol] = Watch(session.outbox, topic, mode, interval)
                self._hub.watch(topic, watch)
            watch.mode, watch.interval = mode, interval
            attached.append(watch)
        return attached

    def _detach(self, session: Session, watch: Watch) -> None:
        self._hub.unwatch(watch.topic, watch)
        session.outbox.drop(watch)


def _answer(session: Session, quotes: bytes, refused: bytes) -> bytes:
    subscriptions = [
        {"symbol": symbol, "mode": watch.mode.value, "maxHz": round(1.0 / watch.interval, 3)}
        for symbol, watch in session.watches.items()
    ]
    return b'{"subscriptions":%b,"quotes":[%b],"refused":%b}' % (encode(subscriptions), quotes, refused)
