"""All quotes in memory: what ticks, phases, other replicas and silence make of them. Pure: the time is given."""

from collections.abc import Iterable

from price_svc.market import Market, Phase, PhaseChange
from price_svc.quote import SECOND_NS, Quote, State, Tick
from price_svc.rhythm import FIRST_GAP_NS, Rhythm


class Board:
    """The newest quote of every symbol, and how far each can be trusted."""

    def __init__(self) -> None:
        self.market = Market()
        self.feed = Rhythm()
        self._quotes: dict[str, Quote] = {}
        self._rhythms: dict[str, Rhythm] = {}
        # Symbols whose owner says that they are stale; our own ears need not agree.
        self._told_stale: set[str] = set()

    def quote(self, symbol: str) -> Quote | None:
        """Return the newest quote of a symbol; None when none was ever heard."""
        return self._quotes.get(symbol)

    def quotes(self) -> Iterable[Quote]:
        """Return all quotes."""
        return self._quotes.values()

    def apply(self, tick: Tick, now_ns: int) -> Quote | None:
        """Return the quote after a tick; None when the tick is not newer and was dropped."""
        symbol = tick.symbol
        old = self._quotes.get(symbol) or Quote(symbol)
        if not old.is_older_than(tick.epoch, tick.seq):
            return None
        rhythm = self._beat(symbol, tick.time_ns, now_ns)
        self.market.hear(tick)
        self._told_stale.discard(symbol)
        state, since_ns, reason = self._verdict(symbol, rhythm, now_ns)
        if state is old.state and old.since_ns:
            since_ns, reason = old.since_ns, old.reason
        quote = old.after(tick, state=state, since_ns=since_ns, reason=reason)
        self._quotes[symbol] = quote
        return quote

    def hear(self, told: Quote, now_ns: int) -> Quote | None:
        """Return the quote after what its owner, another replica, said of it; None when that is not news."""
        old = self._quotes.get(told.symbol)
        if old is None or old.is_older_than(told.epoch, told.seq):
            self._beat(told.symbol, told.time_ns, now_ns)
        elif old.state is told.state or (old.epoch, old.seq) != (told.epoch, told.seq):
            return None
        if not told.since_ns:
            same = old is not None and old.state is told.state
            told = told.in_state(
                told.state, since_ns=old.since_ns if old and same else now_ns, reason=old.reason if old and same else ""
            )
        self._take_state(told)
        self._quotes[told.symbol] = told
        return self._judge(told, now_ns) or told

    def restore(self, kept: Quote, now_ns: int) -> None:
        """Take a quote that was kept from before the start; it is as old as it says. The venue's phase comes first."""
        old = self._quotes.get(kept.symbol)
        if old is not None and not old.is_older_than(kept.epoch, kept.seq):
            return
        self._rhythms.setdefault(kept.symbol, Rhythm(first_gap_ns=FIRST_GAP_NS)).remember(kept.time_ns)
        self.feed.remember(kept.time_ns)
        self._take_halt(kept)
        self._quotes[kept.symbol] = kept
        self._judge(kept, now_ns)

    def change(self, change: PhaseChange, now_ns: int) -> list[Quote]:
        """Return the quotes whose state turned because a phase began."""
        self.market.change(change)
        if not change.symbol:
            return self.sweep(now_ns)
        quote = self._quotes.get(change.symbol)
        turned = self._judge(quote, now_ns) if quote else None
        return [turned] if turned else []

    def sweep(self, now_ns: int) -> list[Quote]:
        """Return the quotes whose state turned because time went by; to be called every second."""
        judged = [self._judge(quote, now_ns) for quote in list(self._quotes.values())]
        return [quote for quote in judged if quote]

    def feed_age_ms(self, now_ns: int) -> int:
        """Return how long ago the last tick of any symbol was heard; -1 when none was."""
        return self.feed.silence_ns(now_ns) // 1_000_000 if self.feed.heard_ns else -1

    def _beat(self, symbol: str, time_ns: int, now_ns: int) -> Rhythm:
        rhythm = self._rhythms.get(symbol)
        if rhythm is None:
            rhythm = self._rhythms[symbol] = Rhythm(first_gap_ns=FIRST_GAP_NS)
        rhythm.beat(time_ns, now_ns)
        self.feed.beat(time_ns, now_ns)
        return rhythm

    def _take_state(self, told: Quote) -> None:
        if told.state is State.STALE:
            self._told_stale.add(told.symbol)
        else:
            self._told_stale.discard(told.symbol)
        if told.state is not State.HALTED:
            self.market.lift(told.symbol)
        self._take_halt(told)

    def _take_halt(self, told: Quote) -> None:
        # While the whole venue is halted every quote is; that says nothing about the symbol.
        if told.state is State.HALTED and self.market.phase is not Phase.HALTED:
            self.market.change(PhaseChange(told.symbol, Phase.HALTED, told.reason, told.since_ns, told.epoch))

    def _judge(self, quote: Quote, now_ns: int) -> Quote | None:
        """Keep the quote in its state of now; return it if that is another one."""
        state, since_ns, reason = self._verdict(quote.symbol, self._rhythms[quote.symbol], now_ns)
        if state is quote.state:
            return None
        turned = self._quotes[quote.symbol] = quote.in_state(state, since_ns=since_ns, reason=reason)
        return turned

    def _verdict(self, symbol: str, rhythm: Rhythm, now_ns: int) -> tuple[State, int, str]:
        halt = self.market.halt_of(symbol)
        if halt is not None:
            return State.HALTED, halt.time_ns, halt.reason or "the venue has stopped trading"
        reason = self._staleness(symbol, rhythm, now_ns)
        return (State.STALE, now_ns, reason) if reason else (State.LIVE, now_ns, "")

    def _staleness(self, symbol: str, rhythm: Rhythm, now_ns: int) -> str:
        market = self.market
        if market.is_feed_lost:
            return "the feed is lost"
        if market.is_quiet:
            return ""
        if self.feed.is_silent(now_ns):
            return f"the feed is silent for {self.feed.silence_ns(now_ns) // SECOND_NS} s"
        if rhythm.is_late:
            return "its news are old"
        if rhythm.is_silent(now_ns):
            return f"the symbol is silent for {rhythm.silence_ns(now_ns) // SECOND_NS} s"
        return "its owner cannot vouch for it" if symbol in self._told_stale else ""
