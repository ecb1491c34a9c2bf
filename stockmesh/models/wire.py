"""Between the wire's JSON (canonical proto3) and frozen records: empty texts, 64-bit numbers as text, absent times."""

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Self, TypeVar

import msgspec

from stockmesh.errors import UnexpectedAnswer


class Model(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=False):
    """A record of the contract. Fields that a newer server adds are left out; one that it does not send has its default."""


class Word(StrEnum):
    """A word of the contract; one that a newer server knows and this client does not reads as UNRECOGNIZED."""

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("UNRECOGNIZED")


M = TypeVar("M", bound=Model)

# int32 in the contract: a JSON number there, where int64 is a text.
_SMALL_NUMBERS = frozenset({"priced_instruments", "dropped"})


def read(kind: type[M], raw: object) -> M:
    """Return the record that the decoded JSON describes. Raises UnexpectedAnswer when it does not describe one."""
    try:
        return msgspec.convert(_without_empty_texts(raw), kind, strict=False)
    except msgspec.ValidationError as error:
        raise UnexpectedAnswer(f"the server sent something that is no {kind.__name__}: {error}") from None


def _without_empty_texts(raw: object) -> object:
    """An empty text says nothing: left out, so that a price is None and not a number that cannot be read."""
    if isinstance(raw, dict):
        return {name: _without_empty_texts(value) for name, value in raw.items() if value != "" and value is not None}
    if isinstance(raw, list):
        return [_without_empty_texts(item) for item in raw]
    return raw


def canonical(record: Model) -> dict[str, Any]:
    """Return the record as the contract's JSON: the same names and values as on the WebSocket and in REST."""
    result: dict[str, Any] = {}
    for field in msgspec.structs.fields(record):
        value = getattr(record, field.name)
        if value is None:
            if field.type == Decimal | None:
                result[field.encode_name] = ""
            continue
        result[field.encode_name] = _plain(value, small=field.name in _SMALL_NUMBERS)
    return result


def _plain(value: object, *, small: bool = False) -> object:
    if isinstance(value, Model):
        return canonical(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, int) and not isinstance(value, bool) and not small:
        return str(value)
    return value


def time_text(time: datetime | None) -> str | None:
    """Return a time as the contract's JSON: RFC 3339 in UTC. A time without a zone is this machine's."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z") if time else None
