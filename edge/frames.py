"""What a client's frame says: JSON text into calls, by JSON-RPC 2.0 to the letter (https://www.jsonrpc.org/specification). Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn

import msgspec

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
# What services refuse, and this edge in their name.
APPLICATION_ERROR = -32000

NULL_ID = b"null"
MAX_ID_BYTES = 256
DUPLICATE = "DUPLICATE_FIELD"


class Fault(Exception):
    """A frame, or a part of it, breaks the protocol; nothing was executed.

    `reason` is stable; `problem` is for people; `field` names the parameter, spelt as the client spells it.
    """

    def __init__(self, code: int, reason: str, problem: str, *, field: str = "") -> None:
        super().__init__(problem)
        self.code, self.reason, self.problem, self.field = code, reason, problem, field


@dataclass(frozen=True, slots=True)
class Call:
    """A request; a notification when `id` is None. `id` and `params` are JSON texts, the id exactly as the client wrote it."""

    method: str
    params: bytes
    id: bytes | None


@dataclass(frozen=True, slots=True)
class Refused:
    """An element of a frame that is no request; it is answered with an error."""

    id: bytes
    fault: Fault


@dataclass(frozen=True, slots=True)
class Frame:
    """What a client's frame says. A batch is answered with one frame, however many elements it has."""

    elements: Sequence[Call | Refused]
    batch: bool


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    jsonrpc: Literal["2.0"]
    method: str
    params: msgspec.Raw = msgspec.Raw(b"{}")
    id: msgspec.Raw = msgspec.Raw(b"")


class _OnlyId(msgspec.Struct):
    id: msgspec.Raw = msgspec.Raw(b"")


class _DuplicateKey(ValueError):
    pass


_envelope = msgspec.json.Decoder(_Envelope)
_only_id = msgspec.json.Decoder(_OnlyId)
_elements = msgspec.json.Decoder(list[msgspec.Raw])


def read(data: bytes, *, max_batch: int) -> Frame:
    """Return the calls of a frame. What cannot be read becomes a Refused element; this never raises."""
    try:
        text = data.decode()
        repeated = _repeated_key(text)
        if not text.lstrip().startswith("["):
            return Frame((_element(data, repeated),), batch=False)
        parts = _elements.decode(data)
    except UnicodeDecodeError as error:
        return _unreadable("NOT_UTF8", f"the frame is not UTF-8 at byte {error.start}")
    except RecursionError:
        return _unreadable("NESTED_TOO_DEEP", "the frame is nested too deep")
    except msgspec.DecodeError as error:
        return _single(_no_text(error))
    except ValueError as error:
        return _unreadable("NOT_JSON", f"the frame is not JSON: {error}")
    return _batch(parts, repeated, max_batch)


def _batch(parts: Sequence[msgspec.Raw], repeated: str | None, max_batch: int) -> Frame:
    if not parts:
        return _single(Fault(INVALID_REQUEST, "EMPTY_BATCH", "a batch holds at least one request"))
    if len(parts) > max_batch:
        problem = f"a batch holds at most {max_batch} requests, this one has {len(parts)}"
        return _single(Fault(INVALID_REQUEST, "BATCH_TOO_LARGE", problem))
    return Frame([_element(bytes(part), repeated) for part in parts], batch=True)


def _unreadable(reason: str, problem: str) -> Frame:
    return _single(Fault(PARSE_ERROR, reason, problem))


def _no_text(error: msgspec.DecodeError) -> Fault:
    # JSON lets half of a surrogate pair be written (RFC 8259 §8.2); text it is not, and no two readers agree on it.
    return Fault(PARSE_ERROR, "NOT_UNICODE", f"a text in the frame is not Unicode: {error}")


def _single(fault: Fault) -> Frame:
    return Frame((Refused(NULL_ID, fault),), batch=False)


def _element(text: bytes, repeated: str | None) -> Call | Refused:
    try:
        return _call(text, repeated)
    except Fault as fault:
        is_ambiguous = fault.code == INVALID_REQUEST and fault.reason == DUPLICATE
        return Refused(NULL_ID if is_ambiguous else _id_of(text), fault)


def _call(text: bytes, repeated: str | None) -> Call:
    try:
        envelope = _envelope.decode(text)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except msgspec.DecodeError as error:
        raise _no_text(error) from None
    params, identity = bytes(envelope.params), bytes(envelope.id)
    if identity and not _is_id(identity):
        raise _invalid(f"id must be a string of at most {MAX_ID_BYTES} bytes, a number or null")
    if not params.startswith((b"{", b"[")):
        raise _invalid("params must be an object")
    if repeated is not None:
        # Rare enough to look twice: which element of the frame, and which part of it, holds the repetition.
        key = _repeated_key(params.decode())
        if key is not None:
            raise Fault(INVALID_PARAMS, DUPLICATE, f"{key[:64]} is given twice", field=key[:64])
        if _repeated_key(text.decode()) is not None:
            raise Fault(INVALID_REQUEST, DUPLICATE, f"{repeated[:64]} is given twice")
    return Call(envelope.method, params, identity or None)


def _invalid(problem: str) -> Fault:
    return Fault(INVALID_REQUEST, "INVALID_REQUEST", problem)


def id_of_unread(data: bytes) -> bytes | None:
    """Return the id of a request that will not be read: None for a notification, null for what is no request."""
    try:
        identity = bytes(_only_id.decode(data).id)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return NULL_ID
    if not identity:
        return None
    return identity if _is_id(identity) else NULL_ID


def _id_of(text: bytes) -> bytes:
    """Return the id of a request that is wrong otherwise; null where none can be made out."""
    return id_of_unread(text) or NULL_ID


def _is_id(identity: bytes) -> bool:
    if len(identity) > MAX_ID_BYTES:
        return False
    if identity.startswith(b'"'):
        try:
            msgspec.json.decode(identity)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return False
        return True
    return identity == NULL_ID or identity[:1] in b"-0123456789"


def _repeated_key(text: str) -> str | None:
    """Read the whole text, strictly. Return the first key that an object has twice. Raises ValueError or RecursionError.

    Every reader of JSON takes one of the two values silently, and not every reader the same one (RFC 8259 §4).
    """
    try:
        _strict.decode(text)
    except _DuplicateKey as error:
        return str(error)
    return None


def _no_repetition(pairs: list[tuple[str, object]]) -> None:
    if len(dict(pairs)) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _DuplicateKey(key)
            seen.add(key)


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


# Numbers stay text: nothing is computed from them here, and a number of 60,000 digits costs nothing.
_strict = json.JSONDecoder(
    object_pairs_hook=_no_repetition, parse_constant=_refuse_constant, parse_float=str, parse_int=str
)
