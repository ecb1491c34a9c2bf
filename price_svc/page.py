"""Page tokens and page sizes: opaque to clients, bound to the question they continue. Pure."""

import base64
import binascii
import json
from typing import TypeAlias
from zlib import crc32

from runtime.errors import InvalidArgument

MAX_PAGE = 500
MAX_TOKEN = 1_000
# What the last item of a page was sorted by; the next page begins behind it, whatever came or went in between.
Key: TypeAlias = tuple[int | str, ...]


class InvalidPageToken(InvalidArgument):
    """The page token is not one that this question was answered with."""

    reason = "INVALID_PAGE_TOKEN"


class InvalidPageSize(InvalidArgument):
    """The page size is negative."""

    reason = "INVALID_PAGE_SIZE"


def page_size_of(asked: int, *, default: int, limit: int = MAX_PAGE) -> int:
    """Return how many items a page holds: the default for 0, never more than the limit (AIP-158). Raises InvalidPageSize."""
    if asked < 0:
        raise InvalidPageSize(f"page_size cannot be negative, got {asked}", field="page_size", actual=asked)
    return min(asked or default, limit)


def token_after(question: str, key: Key) -> str:
    """Return the token of the page that begins behind the item with this key."""
    return base64.urlsafe_b64encode(json.dumps([_mark(question), *key]).encode()).decode().rstrip("=")


def key_in(question: str, token: str, *kinds: type) -> Key:
    """Return the key in a token, whose parts are of the given types. Raises InvalidPageToken."""
    try:
        text = base64.b64decode(token[:MAX_TOKEN] + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        mark, *key = json.loads(text)
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise _refusal() from None
    if mark != _mark(question) or [type(part) for part in key] != list(kinds) or not all(map(_is_storable, key)):
        raise _refusal()
    return tuple(key)


def _is_storable(part: int | str) -> bool:
    """Tell whether a database can be asked for it: a number of 64 bits, a text without halves of surrogate pairs."""
    if isinstance(part, int):
        return -(2**63) <= part < 2**63
    return part.isascii() or not any("\ud800" <= char <= "\udfff" for char in part)


def _refusal() -> InvalidPageToken:
    return InvalidPageToken("page_token is not from an answer to this question", field="page_token")


def _mark(question: str) -> int:
    return crc32(question.encode())
