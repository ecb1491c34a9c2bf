from hypothesis import given
from hypothesis import strategies as st

from price_svc.typos import LONG, SHORTEST, Typos, is_one_edit, is_two_edits

WORDS = st.text("abc", max_size=12)


def edits(word: str, other: str) -> int:
    """The textbook's table."""
    row = list(range(len(other) + 1))
    for nth, letter in enumerate(word, 1):
        corner, row[0] = row[0], nth
        for at, its in enumerate(other, 1):
            corner, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, corner + (letter != its))
    return row[-1]


@given(WORDS, WORDS)
def test_edits_are_those_of_the_textbook(word: str, other: str) -> None:
    assert is_one_edit(word, other) == (edits(word, other) <= 1)
    assert is_two_edits(word, other) == (edits(word, other) <= 2)


@given(WORDS, st.lists(WORDS, max_size=6))
def test_no_word_that_is_near_enough_is_missed(word: str, words: list[str]) -> None:
    near = Typos(words).near(word)

    far = 2 if len(word) >= LONG else 1
    wanted = {other for other in words if 0 < edits(word, other) <= far and len(word) >= SHORTEST}
    assert wanted <= near.keys()
    assert all(near[other] == edits(word, other) for other in wanted if edits(word, other) <= near[other])


def test_neighbours_changed_round_are_one_edit() -> None:
    assert Typos(["berkshire", "apple"]).near("berkhsire") == {"berkshire": 1}
    assert Typos(["apple"]).near("aplpe") == {"apple": 1}
