"""Harnesses of what is spelt as text: subject tokens, money, positions and page tokens. Pure."""

from datetime import UTC, datetime
from decimal import Decimal

from bson import encode
from hypothesis import strategies as st

from order_svc.store import InvalidPageToken as InvalidOrderPageToken
from order_svc.store import _read_token as read_token
from price_svc import page
from runtime import money, subjects
from runtime.positions import Position
from tests.fuzz.harness import Harness, mutated

_TEXT = st.text(max_size=24).map(lambda text: text.encode("utf-8", "surrogatepass"))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def check_token(data: bytes) -> None:
    """Every text has one token, which no other text has, and no token holds what means something in a subject."""
    text = _text(data)
    if text:
        token = subjects.encode_token(text)
        assert not set(token) & set(".*> \t\r\n$")
        assert token.isascii()
        assert subjects.decode_token(token) == text
        assert 0 <= subjects.partition_of(text, 8) < 8
    try:
        meant = subjects.decode_token(text)
    except ValueError:
        return
    assert subjects.encode_token(meant) == text


def check_money(data: bytes) -> None:
    """A text is exactly so many micros, or no money; what we write is read as the same."""
    text = _text(data)
    try:
        micros = money.micros_from_text(text)
    except money.InvalidMoney as refusal:
        _short(refusal)
        return
    assert Decimal(text) * money.MICROS == micros
    assert abs(micros) < money.MAX_MICROS
    assert money.micros_from_text(money.text_from_micros(micros)) == micros


def _short(refusal: money.InvalidMoney) -> None:
    """A refusal does not repeat a long text."""
    assert len(refusal.message) < 200


def check_position(data: bytes) -> None:
    """A position that a client brings is one that a stream can have, or none."""
    position = Position.parse(_text(data))
    if position is not None:
        assert Position.parse(str(position)) == position
        assert max(position.created, position.sequence) < 2**63


def check_page(data: bytes) -> None:
    """What a page token means can be asked of a database, or it is refused."""
    text = _text(data)
    for kinds in ((str,), (int, int), (int, str)):
        try:
            key = page.key_in("q", text, *kinds)
        except page.InvalidPageToken:
            continue
        encode({"key": list(key)})
    try:
        time, order_id = read_token(text)
    except InvalidOrderPageToken:
        return
    encode({"time": time.replace(tzinfo=None), "order_id": order_id})
    assert datetime.min.replace(tzinfo=UTC) <= time


def _page_token(parts: tuple[object, ...]) -> bytes:
    return page.token_after("q", parts).encode()  # type: ignore[arg-type]


_parts = st.one_of(
    st.tuples(st.text(alphabet=st.characters(), max_size=8)),
    st.tuples(st.integers(), st.integers()),
    st.tuples(st.integers(), st.text(max_size=8)),
)
_amount = st.decimals(allow_nan=True, allow_infinity=True).map(lambda amount: str(amount).encode())
_plain = st.from_regex(r"-?[0-9]{1,12}(\.[0-9]{0,14})?", fullmatch=True).map(str.encode)

HARNESSES = (
    Harness(
        "tokens",
        mutated(st.one_of(_TEXT, st.from_regex(r"[A-Za-z_0-9a-f-]{1,12}", fullmatch=True).map(str.encode))),
        check_token,
    ),
    Harness("money", mutated(st.one_of(_amount, _plain, _TEXT)), check_money),
    Harness(
        "positions", mutated(st.from_regex(r"[0-9]{1,20}-[0-9]{1,20}", fullmatch=True).map(str.encode)), check_position
    ),
    Harness("pages", mutated(_parts.map(_page_token)), check_page),
)
