"""Trades told again in FIX 4.4 (a drop copy): requests read from AD, answers written as AE and AQ."""

from datetime import UTC, datetime, timedelta

from fixcore.message import Message

from infra.exchange_sim.codes import EXEC_TYPES, SIDE_CODES, STATE_CODES
from infra.exchange_sim.facts import Filled
from infra.exchange_sim.reports import Capture, NoCapture
from infra.exchange_sim.requests import TradesOfOrder, TradesOfTime
from infra.exchange_sim.wire import CL_ORD_ID, SYMBOL, Text, fields, required, time_text
from runtime.money import text_from_micros

# TradeRequestResult (tag 749).
NOT_SUPPORTED, OTHER = 8, 99
_ALL_TRADES, _MATCHED_TRADES = "0", "1"
_COMPLETED, _REJECTED = 1, 2
_SNAPSHOT = "0"
_NO_DATES, _TRADE_DATE, _TRANSACT_TIME = 580, 75, 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_MICRO = timedelta(microseconds=1)
_END_OF_TIME = 2**62
# From and to; digits of a second, from none to micros.
_MOST_DATES = 2
_MOST_DIGITS = 6


class NoAnswer(Exception):
    """A request can be read but not answered; `reason` is FIX's TradeRequestResult."""

    def __init__(self, reason: int, text: str) -> None:
        super().__init__(text)
        self.reason, self.text = reason, text


def request_names(message: Message) -> tuple[str, str]:
    """Read the id and the type of a TradeCaptureReportRequest (AD). Raises BadMessage."""
    return required(message, 568), required(message, 569)


def wanted_trades(message: Message) -> TradesOfTime | TradesOfOrder:
    """Read what a TradeCaptureReportRequest (AD) asks for: the trades of an order, else of a time. Raises NoAnswer."""
    if message.get_field_or(569) not in {_ALL_TRADES, _MATCHED_TRADES}:
        raise NoAnswer(NOT_SUPPORTED, "tag 569 must be 0 or 1")
    if message.get_field_or(263) not in {"", _SNAPSHOT}:
        raise NoAnswer(NOT_SUPPORTED, "tag 263 must be 0: trades to come are told in execution reports")
    cl_ord_id, order_id = message.get_field_or(CL_ORD_ID), message.get_field_or(37)
    if cl_ord_id or order_id:
        return TradesOfOrder(cl_ord_id, order_id)
    return _time(message)


def _time(message: Message) -> TradesOfTime:
    dates = message.get_groups(_NO_DATES)
    if str(len(dates)) != (message.get_field_or(_NO_DATES) or str(len(dates))) or len(dates) > _MOST_DATES:
        raise NoAnswer(OTHER, "tag 580 must count one or two entries, each begun by tag 75")
    spans = [_span(date.get_field_or(_TRADE_DATE), date.get_field_or(_TRANSACT_TIME)) for date in dates]
    since_us = spans[0][0] if spans else 0
    until_us = spans[1][1] if len(spans) > 1 else _END_OF_TIME
    return TradesOfTime(since_us, until_us)


def _span(date: str, time: str) -> tuple[int, int]:
    """Return the first and the last microsecond that a date and time may mean: a time is as exact as it is written."""
    try:
        if not time:
            start = datetime.strptime(date, "%Y%m%d").replace(tzinfo=UTC)
            return _micros(start), _micros(start + _DAY) - 1
        whole, _, fraction = time.partition(".")
        start = datetime.strptime(whole, "%Y%m%d-%H:%M:%S").replace(tzinfo=UTC)
        if fraction and not (fraction.isascii() and fraction.isdigit() and len(fraction) <= _MOST_DIGITS):
            raise ValueError(fraction)
    except ValueError:
        raise NoAnswer(OTHER, f"{time or date!r} is no time of the form YYYYMMDD-HH:MM:SS.sss") from None
    unit = 10 ** (_MOST_DIGITS - len(fraction))
    first = _micros(start) + int(fraction or 0) * unit
    return first, first + unit - 1


def _micros(time: datetime) -> int:
    return (time - _EPOCH) // _MICRO


def capture(report: Capture) -> Text:
    """Write a trade as a TradeCaptureReport (AE)."""
    fact, part = report.fill.fact, report.part
    return Text(
        "AE",
        fields(
            (571, fact.exec_id),
            (487, 0),
            (568, part.request_id),
            (150, EXEC_TYPES[Filled]),
            (748, part.total),
            (912, "Y" if part.number == part.total else "N"),
            (17, fact.exec_id),
            (39, STATE_CODES[report.fill.state]),
            (570, "N"),
            (SYMBOL, fact.symbol),
            (32, fact.last_quantity),
            (31, text_from_micros(fact.last_price_micros)),
            (_TRADE_DATE, time_text(fact.time_us)[:8]),
            (_TRANSACT_TIME, time_text(fact.time_us)),
            (552, 1),
            (54, SIDE_CODES[fact.side]),
            (37, fact.order_id),
            (CL_ORD_ID, fact.cl_ord_id),
            (1, fact.account),
        ),
    )


def no_capture(report: NoCapture) -> Text:
    """Write that there are no trades, or that none are told, as a TradeCaptureReportRequestAck (AQ)."""
    return Text(
        "AQ",
        fields(
            (568, report.request_id),
            (569, report.request_type),
            (748, 0),
            (749, report.refusal),
            (750, _REJECTED if report.refusal else _COMPLETED),
            (58, report.text),
        ),
    )
