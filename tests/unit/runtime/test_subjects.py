"""runtime/subjects.py: whatever a client's text holds, a subject stays what it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import subjects

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(texts)
def test_a_token_gives_back_the_text_it_was_made_of(text: str) -> None:
    assert subjects.decode_token(subjects.encode_token(text)) == text


@given(texts)
def test_a_token_is_one_token_without_wildcards(text: str) -> None:
    token = subjects.encode_token(text)

    assert token.isascii()
    assert token.isprintable()
    assert not set(token) & set(".*> ")


@given(texts)
def test_an_account_cannot_reach_beyond_its_own_subjects(account: str) -> None:
    assert len(subjects.order_update(account).split(".")) == 3
    assert len(subjects.order_command(account).split(".")) == 4


@pytest.mark.parametrize("token", ["", "a.b", "*", ">", "_2", "_2G", "a b", "_41", "_2d"])
def test_a_token_that_was_never_made_is_not_read(token: str) -> None:
    with pytest.raises(ValueError, match="token"):
        subjects.decode_token(token)


def test_a_partition_is_the_same_in_every_release() -> None:
    assert [subjects.partition_of(symbol, 8) for symbol in ("AAPL", "MSFT", "BRK.B")] == [4, 3, 4]


def test_every_function_says_subjects_of_a_stream_that_exists() -> None:
    for subject in (
        subjects.ticks(3),
        subjects.quote_last("BRK.B"),
        subjects.instruments(1),
        subjects.order_command("demo"),
        subjects.order_report("o1"),
        subjects.order_update("demo"),
        subjects.dead_letter("TICKS", "MALFORMED"),
        subjects.trading_state(),
    ):
        owners = [stream for stream in subjects.STREAMS.values() if any(_fits(subject, one) for one in stream.subjects)]
        assert len(owners) == 1, subject


def _fits(subject: str, pattern: str) -> bool:
    parts, wanted = subject.split("."), pattern.split(".")
    return len(parts) == len(wanted) and all(want in ("*", part) for part, want in zip(parts, wanted, strict=True))
