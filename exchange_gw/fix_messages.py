"""Orders in FIX 4.4: requests written as D, F, G, H and AF, answers read from 8, 9, 3 and j. Pure. Drop copy: fix_trades.py."""

from datetime import UTC, datetime

from fixcore.message import Message

from exchange_gw.command import Asks, Command, Side, TimeInForce, Type
from exchange_gw.exchange import (
    DUPLICATE_ORDER,
    UNKNOWN_ORDER,
    ChangeRefused,
    ExecType,
    Execution,
    OrdStatus,
    Part,
    Unsupported,
)
from runtime.money import MICROS, InvalidMoney, micros_from_text, text_from_micros

_SIDES = {Side.BUY: "1", Side.SELL: "2"}
_TYPES = {Type.MARKET: "1", Type.LIMIT: "2"}
_TIMES_IN_FORCE = {TimeInForce.DAY: "0", TimeInForce.GTC: "1", TimeInForce.IOC: "3", TimeInForce.FOK: "4"}
_EXEC_TYPES = {
    "0": ExecType.NEW,
    "4": ExecType.CANCELED,
    "6": ExecType.PENDING,
    "A": ExecType.PENDING,
    "E": ExecType.PENDING,
    "5": ExecType.REPLACED,
    "8": ExecType.REJECTED,
    "C": ExecType.EXPIRED,
    "F": ExecType.FILL,
    "G": ExecType.CORRECTION,
    "H": ExecType.BUST,
    "I": ExecType.STATUS,
}
_STATUSES = {status.value: status for status in OrdStatus}
# OrdRejReason (103).
_ORDER_REFUSALS = {
    "1": "UNKNOWN_SYMBOL",
    "2": "EXCHANGE_CLOSED",
    "3": "ORDER_EXCEEDS_LIMIT",
    "4": "TOO_LATE_TO_ENTER",
    "5": UNKNOWN_ORDER,
    "6": DUPLICATE_ORDER,
    "11": "UNSUPPORTED_ORDER",
    "13": "INCORRECT_QUANTITY",
    "15": "UNKNOWN_ACCOUNT",
}
# CxlRejReason (102).
_CHANGE_REFUSALS = {
    "0": "TOO_LATE",
    "1": UNKNOWN_ORDER,
    "3": "ALREADY_PENDING",
    "6": DUPLICATE_ORDER,
}
# BusinessRejectReason (380).
_MESSAGE_REFUSALS = {
    "1": "UNKNOWN_ID",
    "2": "UNKNOWN_SYMBOL",
    "3": "UNSUPPORTED_MESSAGE",
    "4": "EXCHANGE_NOT_AVAILABLE",
    "5": "FIELD_MISSING",
    "8": "THROTTLED",
}
OTHER_REFUSAL = "REFUSED_BY_EXCHANGE"
_ALL_ORDERS = "7"
_POSS_RESEND = 97
# More no message of ours can carry.
_MOST_DIGITS = 18


def request_of(command: Command, now: datetime, *, again: bool) -> Message:
    """Write a SUBMIT as NewOrderSingle (D), a CANCEL as F, a REPLACE as G; `again` sets PossResend (97)."""
    match command.asks:
        case Asks.CANCEL:
            message = _message("F", command, now)
            message.set_field(41, command.orig_cl_ord_id)
        case Asks.REPLACE:
            message = _message("G", command, now)
            message.set_field(41, command.orig_cl_ord_id)
            _set_terms(message, command)
        case _:
            message = _message("D", command, now)
            message.set_field(21, "1")
            _set_terms(message, command)
    if again:
        message.set_field(_POSS_RESEND, "Y")
    return message


def _message(kind: str, command: Command, now: datetime) -> Message:
    message = Message()
    fields = (
        (35, kind),
        (11, command.cl_ord_id),
        (37, command.exchange_order_id if kind != "D" else ""),
        (1, command.account_id),
        (55, command.symbol),
        (54, _SIDES[command.side]),
        (38, str(command.quantity)),
        (60, time_text(now)),
    )
    for tag, value in fields:
        if value:
            message.set_field(tag, value)
    return message


def _set_terms(message: Message, command: Command) -> None:
    message.set_field(40, _TYPES[command.type])
    if command.price_micros:
        message.set_field(44, text_from_micros(command.price_micros))
    message.set_field(59, _TIMES_IN_FORCE[command.time_in_force])


def status_request(command: Command, *, request_id: str) -> Message:
    """Write an OrderStatusRequest (H) about the order of a command."""
    message = status_request_by_id(command.orig_cl_ord_id, request_id=request_id)
    for tag, value in ((37, command.exchange_order_id), (55, command.symbol), (54, _SIDES[command.side])):
        if value:
            message.set_field(tag, value)
    return message


def status_request_by_id(cl_ord_id: str, *, request_id: str) -> Message:
    """Write an OrderStatusRequest (H) about an order of which no more than the name is known."""
    message = Message()
    message.set_field(35, "H")
    message.set_field(11, cl_ord_id)
    if request_id:
        message.set_field(790, request_id)
    return message


def mass_status_request(request_id: str) -> Message:
    """Write an OrderMassStatusRequest (AF) about all orders."""
    message = Message()
    for tag, value in ((35, "AF"), (584, request_id), (585, _ALL_ORDERS)):
        message.set_field(tag, value)
    return message


def execution_from(message: Message) -> Execution:
    """Read an ExecutionReport (8). Raises ValueError or TradingError when it does not hold what it must."""
    fields: dict[int, str] = message.body
    get = fields.get
    status = _STATUSES.get(get(39, ""), OrdStatus.UNKNOWN)
    exec_type = _EXEC_TYPES.get(fields[150], ExecType.OTHER)
    refused = status is OrdStatus.REJECTED or exec_type is ExecType.REJECTED
    return Execution(
        cl_ord_id=get(11, ""),
        orig_cl_ord_id=get(41, ""),
        # FIX has no empty fields: "NONE" is how a venue says that there is no order.
        exchange_order_id="" if get(37) == "NONE" else get(37, ""),
        exec_id=get(17, ""),
        exec_ref_id=get(19, ""),
        exec_type=exec_type,
        status=status,
        account_id=get(1, ""),
        symbol=get(55, ""),
        quantity=shares_from(get(38)),
        price_micros=micros_from(get(44)),
        last_quantity=shares_from(get(32)),
        last_price_micros=micros_from(get(31)),
        cumulative_quantity=shares_from(get(14)),
        leaves_quantity=shares_from(get(151)),
        refusal=_ORDER_REFUSALS.get(get(103, ""), OTHER_REFUSAL) if refused else "",
        text=get(58, ""),
        time=time_from(get(60, "")),
        request_id=get(790, ""),
        part=Part(fields[584], int(get(911, "0")), get(912) == "Y") if 584 in fields else None,  # noqa: PLR2004 - a tag
    )


def change_refused_from(message: Message) -> ChangeRefused:
    """Read an OrderCancelReject (9). Raises KeyError when it does not name its request."""
    fields: dict[int, str] = message.body
    get = fields.get
    return ChangeRefused(
        cl_ord_id=fields[11],
        orig_cl_ord_id=get(41, ""),
        exchange_order_id="" if get(37) == "NONE" else get(37, ""),
        is_replace=get(434) == "2",
        refusal=_CHANGE_REFUSALS.get(get(102, ""), OTHER_REFUSAL),
        text=get(58, ""),
        time=time_from(get(60, "")),
    )


def unsupported_from(message: Message, *, name: str = "") -> Unsupported:
    """Read a BusinessMessageReject (j), or a Reject (3) of the session layer; `name` is what the refused message was called."""
    get = message.body.get
    return Unsupported(
        message_type=get(372, ""),
        name=get(379, "") or name,
        code=_MESSAGE_REFUSALS.get(get(380, ""), OTHER_REFUSAL),
        text=get(58, ""),
    )


def time_text(when: datetime) -> str:
    """Write a UTCTimestamp with milliseconds."""
    # strftime costs three times as much.
    return (
        f"{when.year:04d}{when.month:02d}{when.day:02d}-"
        f"{when.hour:02d}:{when.minute:02d}:{when.second:02d}.{when.microsecond // 1000:03d}"
    )


def time_from(text: str) -> datetime | None:
    """Read a UTCTimestamp with or without a fraction; None when there is none. Raises ValueError."""
    if not text:
        return None
    seconds, _, part = text.partition(".")
    # datetime.strptime costs ten times as much, and reports come by the thousand.
    year, month, day = int(seconds[:4]), int(seconds[4:6]), int(seconds[6:8])
    hour, minute, second = int(seconds[9:11]), int(seconds[12:14]), int(seconds[15:17])
    return datetime(year, month, day, hour, minute, min(second, 59), int(part[:6].ljust(6, "0") or 0), UTC)


def micros_from(text: str | None) -> int:
    """Read a price; 0 when there is none. Raises InvalidMoney."""
    return micros_from_text(text) if text else 0


def shares_from(text: str | None) -> int:
    """Read a quantity of whole shares, which FIX allows to be written as a decimal."""
    if not text:
        return 0
    if text.isdecimal() and len(text) <= _MOST_DIGITS:
        return int(text)
    micros = micros_from_text(text, field="quantity")
    if micros % MICROS:
        raise InvalidMoney(f"not a whole number of shares: {text[:40]}", field="quantity")
    return micros // MICROS
