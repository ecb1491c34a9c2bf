"""Executions that may have been missed, in FIX 4.4: TradeCaptureReportRequest (AD) written, AQ and AE read. Pure."""

from datetime import datetime

from fixcore.message import Group, Message

from exchange_gw.command import Command
from exchange_gw.exchange import ExecType, Execution, OrdStatus, TradePart
from exchange_gw.fix_messages import micros_from, shares_from, time_from, time_text
from exchange_gw.report import NOTHING_SAID

_MATCHED_TRADES = "1"
_SNAPSHOT = "0"
# TradeReportTransType (487).
_KINDS = {"": ExecType.FILL, "0": ExecType.FILL, "1": ExecType.BUST, "2": ExecType.CORRECTION}
# TradeRequestResult (749) and TradeRequestStatus (750).
_NOT_SUPPORTED = "8"
_REJECTED = "2"


def trades_since(request_id: str, since: datetime) -> Message:
    """Write a request for all executions since a time by the venue's clock."""
    message = _request(request_id)
    text, criterion = time_text(since), Group()
    criterion.set_field(75, text[:8])
    criterion.set_field(60, text)
    message.add_group(580, criterion)
    return message


def trades_of(request_id: str, command: Command) -> Message:
    """Write a request for all executions of the order of a command."""
    message = _request(request_id)
    for tag, value in ((11, command.orig_cl_ord_id), (37, command.exchange_order_id)):
        if value:
            message.set_field(tag, value)
    return message


def _request(request_id: str) -> Message:
    message = Message()
    for tag, value in ((35, "AD"), (568, request_id), (569, _MATCHED_TRADES), (263, _SNAPSHOT)):
        message.set_field(tag, value)
    return message


def answer_from(message: Message) -> TradePart:
    """Read a TradeCaptureReportRequestAck (AQ): nothing to tell, or a refusal. Raises KeyError."""
    fields: dict[int, str] = message.body
    result, status = fields.get(749, "0"), fields.get(750, "")
    is_refused = result != "0" or status == _REJECTED
    return TradePart(
        request_id=fields[568],
        # A venue may accept first and send the executions then; it is over when it says that there are none.
        is_last=is_refused or fields.get(748, "0") == "0",
        refusal=(fields.get(58, "") or f"result {result}") if is_refused else "",
        is_unsupported=is_refused and result in ("0", _NOT_SUPPORTED),
    )


def trade_from(body: bytes) -> TradePart:
    """Read the body of a TradeCaptureReport (AE). Raises LookupError, ValueError or TradingError."""
    fields: dict[bytes, str] = {}
    for field in body.split(b"\x01"):
        tag, _, value = field.partition(b"=")
        # Of a trade with two sides the first is ours.
        fields.setdefault(tag, value.decode("latin-1"))
    get = fields.get
    kind = _KINDS[get(b"487", "")]
    trade = Execution(
        cl_ord_id=get(b"11", ""),
        exchange_order_id="" if get(b"37") == "NONE" else get(b"37", ""),
        exec_id=fields[b"17"],
        exec_ref_id=get(b"572", "") if kind is not ExecType.FILL else "",
        exec_type=kind,
        status=OrdStatus.UNKNOWN,
        account_id=get(b"1", ""),
        symbol=get(b"55", ""),
        last_quantity=shares_from(get(b"32")),
        last_price_micros=micros_from(get(b"31")),
        # What the order has in all is not said here.
        cumulative_quantity=NOTHING_SAID,
        time=time_from(get(b"60", "")),
    )
    return TradePart(request_id=get(b"568", ""), is_last=get(b"912") == "Y", trade=trade)
