"""FIX as this exchange writes and reads it: fields, times, and messages whose body is already text."""

from datetime import UTC, datetime
from functools import lru_cache

from fixcore.message import Message

from runtime.errors import TradingError
from runtime.money import MICROS, micros_from_text

# Tags that more than one message uses.
MSG_TYPE = 35
SYMBOL = 55
CL_ORD_ID = 11


class BadMessage(Exception):
    """A message cannot be read as what it says it is; `reason` is FIX's BusinessRejectReason (tag 380)."""

    OTHER = 0
    UNSUPPORTED_TYPE = 3
    NOT_AVAILABLE = 4
    FIELD_MISSING = 5

    def __init__(self, reason: int, text: str) -> None:
        super().__init__(text)
        self.reason, self.text = reason, text


class Text(Message):  # type: ignore[misc]  # fixcore carries no type information
    """An outgoing message with a ready body, each field ended by SOH.

    The engine keeps a body as a dict of fields and a list of groups; an increment has hundreds of entries, and building them
    only to join them again costs several times the join.
    """

    __slots__ = ("_text",)

    def __init__(self, msg_type: str, text: str) -> None:
        super().__init__()
        self.header.set(MSG_TYPE, msg_type)
        self._text = text

    def encode(self) -> bytes:
        """Return the bytes for the line, once the session has filled the header."""
        of = self.header.get
        head = f"35={of(MSG_TYPE)}\x0149={of(49)}\x0156={of(56)}\x0134={of(34)}\x0152={of(52)}\x01"
        body = f"{head}{self._text}".encode("latin-1", "replace")
        prefix = f"8={of(8)}\x019={len(body)}\x01".encode("latin-1")
        return b"%b%b10=%03d\x01" % (prefix, body, (sum(prefix) + sum(body)) % 256)


def fields(*pairs: tuple[int, object]) -> str:
    """Return fields as text; those that are None or empty are left out."""
    return "".join([f"{tag}={value}\x01" for tag, value in pairs if value is not None and value != ""])


def required(message: Message, tag: int) -> str:
    """Return a field. Raises BadMessage when it is absent or empty."""
    value = str(message.get_field_or(tag))
    if not value:
        raise BadMessage(BadMessage.FIELD_MISSING, f"tag {tag} is required")
    return value


def shares(message: Message, tag: int) -> int:
    """Return a quantity of whole shares. Raises BadMessage."""
    micros = price(message, tag)
    if micros % MICROS:
        raise BadMessage(BadMessage.OTHER, f"tag {tag} must be a whole number")
    return micros // MICROS


def price(message: Message, tag: int) -> int:
    """Return a price in micros. Raises BadMessage."""
    try:
        return micros_from_text(required(message, tag), field=f"tag {tag}")
    except TradingError as error:
        raise BadMessage(BadMessage.OTHER, error.message) from None


def time_text(time_us: int) -> str:
    """Return a time as FIX's UTCTimestamp with milliseconds."""
    seconds, micros = divmod(time_us, MICROS)
    return f"{_second_text(seconds)}.{micros // 1000:03d}"


@lru_cache(maxsize=8)
def _second_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%d-%H:%M:%S")
