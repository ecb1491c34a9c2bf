"""Price subscriptions of a session: listen first, then the snapshot by one coalesced read, then updates."""

from collections.abc import Iterable

from edge.audience import Subscription, Wish
from edge.audiences import Audiences
from edge.beats import Beats
from edge.hub import Hub
from edge.params import Subscribe, Unsubscribe
from edge.reads import Latest, PriceReads, unknown_symbols
from edge.replies import Done, encode
from edge.session import Session
from edge.tally import Tally
from edge.topic import Mode, Topic
from runtime.errors import FailedPrecondition, TradingError

# Beats are not longer than a minute.
SLOWEST_HZ = 1 / 60


class TooManySubscriptions(FailedPrecondition):
    """The socket, or its account (`scope`), watches as many symbols as it may."""

    reason = "TOO_MANY_SUBSCRIPTIONS"


class Watching:
    """Lets sessions watch symbols."""

    def __init__(
        self,
        hub: Hub,
        reads: PriceReads,
        *,
        max_subscriptions: int,
        default_hz: float,
        tally: Tally,
    ) -> None:
        self._hub, self._reads = hub, reads
        self._max_subscriptions, self._default_hz = max_subscriptions, default_hz
        self._audiences, self._tally = Audiences(Beats(), tally), tally

    async def subscribe(self, session: Session, params: Subscribe) -> Done:
        """Watch symbols, or change mode and pace of symbols that are watched already.

        Answers with the whole current list, the snapshot of the symbols named, and those refused. Raises the refusal when every
        symbol is refused, and what the price service raises; then nothing has changed.
        """
        if session.budget is not None:
            session.budget.subscribe(len(params.symbols))
        async with session.prices_lock:
            refusals: dict[str, TradingError] = {}
            wanted = self._within_limit(session, dict.fromkeys(params.symbols), refusals)
            topics = self._hub.hold(wanted)
            try:
                latest = await self._reads.latest(wanted)
                accepted = self._accept(session, topics, latest, self._wish(params), refusals)
            finally:
                self._hub.release(topics)
        if refusals and not accepted:
            raise next(iter(refusals.values()))
        refused = encode(
            [{"symbol": symbol, "reason": error.reason, "message": error.message} for symbol, error in refusals.items()]
        )
        return Done(lambda: _answer(session, accepted, refused), lambda: self._begin(session, accepted))

    async def unsubscribe(self, session: Session, params: Unsubscribe) -> Done:
        """Watch symbols no more; symbols that are not watched do not matter."""
        async with session.prices_lock:
            known = [symbol for symbol in dict.fromkeys(params.symbols) if symbol in session.subscriptions]
            ended = [session.subscriptions.pop(symbol).topic for symbol in known]
            self._count(session, -len(ended))
            self._seat(session)
            self._hub.release(ended)
        return Done(lambda: _answer(session, (), b"[]"))

    def leave(self, session: Session) -> None:
        """Forget a session that is over."""
        topics = [subscription.topic for subscription in session.subscriptions.values()]
        session.subscriptions.clear()
        self._count(session, -len(topics))
        self._seat(session)
        self._hub.release(topics)

    def _wish(self, params: Subscribe) -> Wish:
        return Wish(Mode(params.mode or "QUOTE"), 1.0 / max(params.max_hz or self._default_hz, SLOWEST_HZ))

    def _within_limit(self, session: Session, symbols: dict[str, None], refusals: dict[str, TradingError]) -> list[str]:
        room, limit, scope = self._max_subscriptions - len(session.subscriptions), self._max_subscriptions, "socket"
        budget = session.budget
        if budget is not None and budget.subscriptions_left is not None and budget.subscriptions_left < room:
            room, limit, scope = budget.subscriptions_left, budget.allowance.subscriptions, "account"
        wanted: list[str] = []
        for symbol in symbols:
            if symbol not in session.subscriptions:
                if room <= 0:
                    words = f"the {scope} watches {limit} symbols, which is all that it may"
                    refusals[symbol] = TooManySubscriptions(words, limit=limit, scope=scope)
                    continue
                room -= 1
            wanted.append(symbol)
        return wanted

    def _accept(
        self, session: Session, topics: list[Topic], latest: Latest, wish: Wish, refusals: dict[str, TradingError]
    ) -> list[Subscription]:
        accepted: list[Subscription] = []
        for topic in topics:
            price = latest.prices.get(topic.symbol)
            if price is None:
                refusals[topic.symbol] = unknown_symbols([topic.symbol])
                continue
            topic.catch_up(price.quote)
            subscription = session.subscriptions.get(topic.symbol)
            if subscription is None:
                self._hub.hold([topic.symbol])
                self._count(session, 1)
                subscription = session.subscriptions[topic.symbol] = Subscription(topic, wish)
            subscription.wish = wish
            accepted.append(subscription)
        return accepted

    def _count(self, session: Session, symbols: int) -> None:
        self._tally.subscriptions += symbols
        if session.budget is not None:
            session.budget.watched += symbols

    def _begin(self, session: Session, subscriptions: Iterable[Subscription]) -> None:
        """Go on from the snapshot that was sent just now."""
        for subscription in subscriptions:
            subscription.is_silent = False
        self._seat(session, [subscription.topic for subscription in subscriptions])

    def _seat(self, session: Session, snapshot: Iterable[Topic] = ()) -> None:
        """Put a session among those who want the same; it has the snapshot, and what it got where it sat before."""
        outbox, seats = session.outbox, session.seats
        told: dict[Topic, int] = {}
        for seat in seats.values():
            told.update(seat.audience.told(seat))
        told.update((topic, topic.changes) for topic in snapshot)
        wanted: dict[Wish, dict[Topic, int]] = {}
        for subscription in session.subscriptions.values():
            if not subscription.is_silent:
                topic = subscription.topic
                wanted.setdefault(subscription.wish, {})[topic] = told[topic]
        for wish, seat in list(seats.items()):
            if wish in wanted and seat.audience.topics == wanted[wish].keys():
                seat.note(wanted.pop(wish))
            else:
                self._audiences.leave(seats.pop(wish))
        for wish, has in wanted.items():
            seats[wish] = self._audiences.join(outbox, wish, has)


def _answer(session: Session, named: Iterable[Subscription], refused: bytes) -> bytes:
    subscriptions = [
        {"symbol": symbol, "mode": kept.wish.mode.value, "maxHz": round(1.0 / kept.wish.interval, 3)}
        for symbol, kept in session.subscriptions.items()
    ]
    quotes = b",".join(subscription.topic.text(subscription.wish.mode) for subscription in named)
    return b'{"subscriptions":%b,"quotes":[%b],"refused":%b}' % (encode(subscriptions), quotes, refused)
