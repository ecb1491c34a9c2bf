"""Finds words that were probably meant: one edit away, two for long words. Pure.

An edit leaves at least one half of a word as it is, and two edits one third: only words that share such a piece, in about the
same place, are compared letter by letter. Neighbours changed round count as one edit.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import pairwise

# Shorter words are near too many others, and two edits in one that is no longer change most of it.
SHORTEST, LONG = 4, 9
_PIECE = 3
_AFTER_ALL = "\U0010ffff"


class Typos:
    """The words that there are."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = sorted(set(words))
        self._known = frozenset(self._words)
        self._backwards = sorted(word[::-1] for word in self._words)
        # Long words by each of their pieces and its place.
        self._pieces: dict[tuple[int, str], list[str]] = {}
        for word in self._words:
            if len(word) >= LONG - 2:
                for at in range(len(word) - _PIECE + 1):
                    self._pieces.setdefault((at, word[at : at + _PIECE]), []).append(word)

    def near(self, word: str) -> dict[str, int]:
        """Return the words that may be meant and are not the word itself, with their distance."""
        length = len(word)
        if length < SHORTEST:
            return {}
        near: dict[str, int] = {}
        if length >= LONG:
            near = {other: 2 for other in self._sharing_a_third(word) if is_two_edits(word, other)}
        near |= {other: 1 for other in self._sharing_a_half(word) if is_one_edit(word, other)}
        near |= {other: 1 for other in _changed_round(word) if other in self._known}
        near.pop(word, None)
        return near

    def _sharing_a_half(self, word: str) -> Iterator[str]:
        middle, length = len(word) // 2, len(word)
        for words, half, turned in (
            (self._words, word[:middle], False),
            (self._backwards, word[middle:][::-1], True),
        ):
            for other in words[bisect_left(words, half) : bisect_left(words, half + _AFTER_ALL)]:
                if -1 <= len(other) - length <= 1:
                    yield other[::-1] if turned else other

    def _sharing_a_third(self, word: str) -> set[str]:
        third, length = len(word) // 3, len(word)
        return {
            other
            for start in (0, third, length - third)
            for at in range(max(start - 2, 0), start + 3)
            for other in self._pieces.get((at, word[start : start + _PIECE]), ())
            if -2 <= len(other) - length <= 2  # noqa: PLR2004 - two edits
        }


def is_one_edit(word: str, other: str) -> bool:
    """Tell whether one letter put in, left out or replaced makes the one of the other."""
    return _is_reached(word, other, 1)


def is_two_edits(word: str, other: str) -> bool:
    """Tell whether two letters put in, left out or replaced at most make the one of the other."""
    return _is_reached(word, other, 2)


def _is_reached(word: str, other: str, edits: int) -> bool:
    if abs(len(word) - len(other)) > edits:
        return False
    at, end = 0, min(len(word), len(other))
    while at < end and word[at] == other[at]:
        at += 1
    word, other = word[at:], other[at:]
    if not edits or word == other:
        return word == other
    return (
        _is_reached(word[1:], other[1:], edits - 1)
        or _is_reached(word, other[1:], edits - 1)
        or _is_reached(word[1:], other, edits - 1)
    )


def _changed_round(word: str) -> Iterator[str]:
    for at, (left, right) in enumerate(pairwise(word)):
        if left != right:
            yield word[:at] + right + left + word[at + 2 :]
