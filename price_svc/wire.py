"""Protobuf messages and what they mean here, both ways. On the path of every tick: a quote's message is made once a change."""

from collections.abc import Iterable
from functools import lru_cache

from google.protobuf.timestamp_pb2 import Timestamp

from gen.trading.v1 import price_pb2 as pb
from price_svc.history import Asked
from price_svc.instrument import Instrument
from price_svc.market import Phase, PhaseChange
from price_svc.quote import SECOND_NS, Quote, State, Tick
from price_svc.service import MarketStatus, Priced, ToldBar
from runtime.money import micros_from_text, text_or_empty

_STATES = {state: pb.Quote.State.Value(state.value) for state in State}
_STATE_OF = {number: state for state, number in _STATES.items()}
_PHASES = {phase: pb.GetMarketStatusResponse.State.Value(phase.value) for phase in Phase}
_PHASE_OF = {number: phase for phase, number in _PHASES.items()}
# The same few prices come again and again: the day's, and those that the last ones moved between.
_text = lru_cache(1 << 15)(text_or_empty)


def tick_from(tick: pb.Tick, now_ns: int) -> Tick:
    """Return a tick as it came; one without a time was made now."""
    return Tick(
        tick.symbol,
        tick.price_micros,
        tick.size,
        tick.bid_micros,
        tick.ask_micros,
        tick.epoch,
        tick.seq,
        ns_of(tick.exchange_time) or now_ns,
        tick.open_micros,
        tick.high_micros,
        tick.low_micros,
        tick.previous_close_micros,
        tick.volume,
        tick.snapshot,
    )


def phase_from(phase: pb.TradingPhase, now_ns: int) -> PhaseChange:
    """Return a change of phase; one without a time was made now, a state that we do not know is UNKNOWN."""
    state = _PHASE_OF.get(phase.state, Phase.UNKNOWN)
    return PhaseChange(phase.symbol, state, phase.reason, ns_of(phase.exchange_time) or now_ns, phase.epoch)


def quote_to(quote: Quote) -> pb.Quote:
    """Return the whole quote."""
    return pb.Quote(
        symbol=quote.symbol,
        price=_text(quote.price_micros),
        bid=_text(quote.bid_micros),
        ask=_text(quote.ask_micros),
        open=_text(quote.open_micros),
        high=_text(quote.high_micros),
        low=_text(quote.low_micros),
        previous_close=_text(quote.previous_close_micros),
        volume=quote.volume,
        epoch=quote.epoch,
        seq=quote.seq,
        quote_time=time_to(quote.time_ns),
        state=_STATES[quote.state],
    )


def last_price_to(quote: Quote) -> pb.Quote:
    """Return what the mode LTP tells of a quote."""
    return pb.Quote(
        symbol=quote.symbol,
        price=_text(quote.price_micros),
        epoch=quote.epoch,
        seq=quote.seq,
        quote_time=time_to(quote.time_ns),
        state=_STATES[quote.state],
    )


class QuoteMessages:
    """The message of each symbol's newest quote, made once and shared by all who send it. Nobody may change one."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[Quote, pb.Quote]] = {}

    def of(self, quote: Quote) -> pb.Quote:
        """Return the whole quote."""
        made = self._made.get(quote.symbol)
        if made is not None and made[0] is quote:
            return made[1]
        message = quote_to(quote)
        self._made[quote.symbol] = quote, message
        return message


def quotes_from(batch: pb.QuoteBatch) -> list[Quote]:
    """Return the quotes of a batch, with since when and why each is in its state if the batch says so. Raises InvalidMoney."""
    statuses = {status.symbol: status for status in batch.statuses}
    return [_quote_from(quote, statuses.get(quote.symbol)) for quote in batch.quotes]


def _quote_from(quote: pb.Quote, status: pb.PriceStatus | None) -> Quote:
    return Quote(
        quote.symbol,
        _micros(quote.price),
        _micros(quote.bid),
        _micros(quote.ask),
        _micros(quote.open),
        _micros(quote.high),
        _micros(quote.low),
        _micros(quote.previous_close),
        quote.volume,
        quote.epoch,
        quote.seq,
        ns_of(quote.quote_time),
        _STATE_OF.get(quote.state, State.STALE),
        ns_of(status.since) if status else 0,
        status.reason if status else "",
    )


def status_to(quote: Quote) -> pb.PriceStatus:
    """Return since when and why a quote is in its state."""
    return pb.PriceStatus(
        symbol=quote.symbol, state=_STATES[quote.state], since=time_to(quote.since_ns), reason=quote.reason
    )


def phase_told(batch: pb.QuoteBatch) -> PhaseChange | None:
    """Return the venue's phase that a batch tells; None when it tells none."""
    phase = _PHASE_OF.get(batch.market, Phase.UNKNOWN)
    return None if phase is Phase.UNKNOWN else PhaseChange("", phase, "", ns_of(batch.market_since), 0)


def phase_to(phase: Phase) -> "pb.GetMarketStatusResponse.State.ValueType":
    """Return the number of a phase."""
    return _PHASES[phase]


def asked_from(request: pb.GetPricesRequest) -> Asked:
    """Return what a request asks for of the past."""
    return Asked(request.timerange, request.interval, ns_of(request.from_time), ns_of(request.to_time))


def priced_to(priced: Priced, quote: pb.Quote) -> pb.StockPrice:
    """Return a price with its bars; `quote` is the message of its quote."""
    return pb.StockPrice(quote=quote, bars=map(_bar_to, priced.bars), interval=priced.interval, sources=priced.sources)


def _bar_to(told: ToldBar) -> pb.Bar:
    bar = told.bar
    return pb.Bar(
        start_time=Timestamp(seconds=told.start_ns // SECOND_NS),
        open=_text(bar.open_micros),
        high=_text(bar.high_micros),
        low=_text(bar.low_micros),
        close=_text(bar.close_micros),
        volume=bar.volume,
        final=told.is_final,
    )


def market_status_to(status: MarketStatus) -> pb.GetMarketStatusResponse:
    """Return the state of the market."""
    return pb.GetMarketStatusResponse(
        state=_PHASES[status.phase],
        since=time_to(status.since_ns),
        feed_age_ms=status.feed_age_ms,
        priced_instruments=status.priced_instruments,
        time_zone=status.time_zone,
        session_open=time_to(status.session.open_ns) if status.session else None,
        session_close=time_to(status.session.close_ns) if status.session else None,
    )


def instrument_to(instrument: Instrument) -> pb.Instrument:
    """Return an instrument's message."""
    return pb.Instrument(
        symbol=instrument.symbol,
        name=instrument.name,
        exchange=instrument.exchange,
        currency=instrument.currency,
        tick_size=text_or_empty(instrument.tick_size_micros),
        lot_size=instrument.lot_size,
        max_quantity=instrument.max_quantity,
        tradable=instrument.tradable,
    )


def instruments_from(batch: Iterable[pb.Instrument]) -> tuple[Instrument, ...]:
    """Return instruments as they came. Raises InvalidMoney."""
    return tuple(
        Instrument(
            item.symbol,
            item.name,
            item.exchange,
            item.currency,
            _micros(item.tick_size),
            item.lot_size,
            item.max_quantity,
            item.tradable,
        )
        for item in batch
    )


def ns_of(time: Timestamp) -> int:
    """Return nanoseconds since 1970; 0 for a time that is absent."""
    return time.seconds * SECOND_NS + time.nanos


def time_to(time_ns: int) -> Timestamp | None:
    """Return a time; None (absent) for 0."""
    return Timestamp(seconds=time_ns // SECOND_NS, nanos=time_ns % SECOND_NS) if time_ns else None


@lru_cache(1 << 15)
def _micros(text: str) -> int:
    return micros_from_text(text) if text else 0
