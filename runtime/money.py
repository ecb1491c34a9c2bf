"""Money: whole micros inside (1,000,000 = 1 unit of currency), decimal text outside. The only place that converts."""

import re

from runtime.errors import InvalidArgument

MICROS = 1_000_000
# 9 whole digits keep price times the largest quantity inside a signed 64-bit integer of micros.
MAX_MICROS = 10**9 * MICROS
_TEXT = re.compile(r"(-?)(\d{1,10})(?:\.(\d{1,12}))?")


class InvalidMoney(InvalidArgument):
    """The text is not an amount: digits, at most one point, at most 6 decimals, no sign but a leading minus, no exponent."""

    reason = "INVALID_MONEY"


def micros_from_text(text: str, *, field: str = "amount") -> int:
    """Return the micros that a decimal text means, exactly.

    Raises InvalidMoney for anything else than plain decimal digits, for more than 6 decimals that are not zero and for
    amounts of 10^9 and above; `field` is named in its metadata.
    """
    match = _TEXT.fullmatch(text)
    if match is None or not text.isascii():
        raise InvalidMoney(f"{field} must be decimal text like 190.12, got {text[:40]!r}", field=field)
    sign, whole, decimals = match[1], match[2], (match[3] or "").rstrip("0")
    if len(decimals) > 6:  # noqa: PLR2004 - the number of decimals in a micro
        raise InvalidMoney(f"{field} has more than 6 decimals: {text[:40]}", field=field, limit=6, actual=len(decimals))
    micros = int(whole) * MICROS + int(decimals.ljust(6, "0"))
    if micros >= MAX_MICROS:
        raise InvalidMoney(f"{field} must be below 1000000000, got {text[:40]}", field=field, limit="999999999.999999")
    return -micros if sign else micros


def text_from_micros(micros: int) -> str:
    """Return micros as the shortest decimal text with at least two decimals: 190_120_000 is "190.12"."""
    sign = "-" if micros < 0 else ""
    whole, part = divmod(abs(micros), MICROS)
    decimals = f"{part:06d}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole}.{decimals}"


def text_or_empty(micros: int | None) -> str:
    """Return micros as text, and the empty text for "not known" (None or 0, as no price is 0)."""
    return text_from_micros(micros) if micros else ""


def average_micros(total_micros: int, quantity: int) -> int:
    """Return total / quantity in micros, rounded half to even (IEEE 754's rule for decimals), without a float in between."""
    floor, rest = divmod(total_micros, quantity)
    if rest * 2 > quantity or (rest * 2 == quantity and floor % 2 == 1):
        floor += 1
    return floor
