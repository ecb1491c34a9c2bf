"""runtime/money.py: exact in both directions."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.money import MAX_MICROS, InvalidMoney, average_micros, micros_from_text, text_from_micros, text_or_empty


@given(st.integers(-MAX_MICROS + 1, MAX_MICROS - 1))
def test_text_gives_back_the_micros_it_was_made_of(micros: int) -> None:
    assert micros_from_text(text_from_micros(micros)) == micros


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("190.12", 190_120_000),
        ("0", 0),
        ("1", 1_000_000),
        ("0.000001", 1),
        ("-2.50", -2_500_000),
        ("7.1000000000", 7_100_000),
    ],
)
def test_decimal_text_is_read(text: str, micros: int) -> None:
    assert micros_from_text(text) == micros


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "+1",
        "1e3",
        "NaN",
        "Infinity",
        "0x10",
        "1,5",
        ".5",
        "5.",
        "1_000",
        "1.0000001",
        "1000000000",
        "\N{ARABIC-INDIC DIGIT ONE}",
        "1.1.1",
        "--1",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidMoney):
        micros_from_text(text)


@pytest.mark.parametrize(
    ("micros", "text"), [(190_120_000, "190.12"), (1, "0.000001"), (5_000_000, "5.00"), (-1, "-0.000001")]
)
def test_text_is_as_short_as_two_decimals_allow(micros: int, text: str) -> None:
    assert text_from_micros(micros) == text


def test_what_is_not_known_has_no_text() -> None:
    assert (text_or_empty(None), text_or_empty(0), text_or_empty(1_000_000)) == ("", "", "1.00")


@given(st.integers(0, 10**15), st.integers(1, 10**6))
def test_an_average_is_rounded_half_to_even(total: int, quantity: int) -> None:
    # Fractions are exact, and Python rounds them half to even.
    assert average_micros(total, quantity) == round(Fraction(total, quantity))
