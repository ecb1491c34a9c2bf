"""Finds instruments by symbol and by words of their names, best match first. Pure; an index never changes, it is replaced."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from unicodedata import combining, normalize

from price_svc.instrument import Instrument
from price_svc.page import Key, key_in, page_size_of, token_after
from price_svc.typos import Typos
from runtime.errors import InvalidArgument

MAX_QUERY = 64
DEFAULT_PAGE = 20
REMEMBERED_QUERIES = 512
_WORD = re.compile(r"\w+")
_AFTER_ALL = "\U0010ffff"

# A match is one number, so that thousands are sorted in a fraction of a millisecond: how well it fits,
# then its place in symbol order.
_PLACES = 1 << 24
_RANK = 1_000_000
_SYMBOL, _SYMBOL_PREFIX, _NAME, _WORD_OF_NAME, _TYPO = (rank * _RANK for rank in range(5))


class QueryTooLong(InvalidArgument):
    """Nobody types that much to find a share."""

    reason = "QUERY_TOO_LONG"


class InstrumentIndex:
    """All instruments, by symbol and by word."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._by_symbol = {instrument.symbol: instrument for instrument in instruments}
        self.symbols = sorted(self._by_symbol)
        codes = sorted((_code(symbol), place) for place, symbol in enumerate(self.symbols))
        words = sorted(
            (word, _fit(nth, item) * _PLACES + place)
            for place, item in enumerate(map(self._by_symbol.__getitem__, self.symbols))
            for nth, word in enumerate(_words(item.name))
        )
        self._codes, self._coded = [code for code, _ in codes], [place for _, place in codes]
        self._words, self._worded = [word for word, _ in words], [match for _, match in words]
        self._typos = Typos(self._words)
        self._matches = lru_cache(REMEMBERED_QUERIES)(self._find)

    def __len__(self) -> int:
        return len(self._by_symbol)

    def get(self, symbol: str) -> Instrument | None:
        """Return the instrument of a symbol, spelt as the venue spells it."""
        return self._by_symbol.get(symbol)

    def search(self, query: str, *, page_size: int = 0, page_token: str = "") -> tuple[list[Instrument], str]:
        """Return a page of what fits the query, best first, and the token of the next page (empty on the last).

        An empty query finds all, in symbol order. Raises QueryTooLong, InvalidPageToken, InvalidPageSize.
        """
        if len(query) > MAX_QUERY:
            raise QueryTooLong(f"a query has at most {MAX_QUERY} characters", limit=MAX_QUERY, actual=len(query))
        size = page_size_of(page_size, default=DEFAULT_PAGE)
        question = " ".join(_words(query))
        matches = self._matches(question)
        first = self._place_behind(matches, key_in(question, page_token, int, str)) if page_token else 0
        page = matches[first : first + size]
        symbols = [self.symbols[match % _PLACES] for match in page]
        more = first + size < len(matches)
        next_token = token_after(question, (page[-1] // _PLACES, symbols[-1])) if more else ""
        return [self._by_symbol[symbol] for symbol in symbols], next_token

    def _place_behind(self, matches: Sequence[int], key: Key) -> int:
        fit, symbol = int(key[0]), str(key[1])
        # The symbol may be gone since; then its neighbour is next.
        return bisect_left(matches, fit * _PLACES + bisect_right(self.symbols, symbol))

    def _find(self, question: str) -> Sequence[int]:
        words = question.split()
        if not words:
            return range(len(self.symbols))
        matches = self._by_code("".join(words)) + self._by_words(words)
        # Of several ways to the same instrument the best comes first and counts.
        best: dict[int, int] = {}
        for match in sorted(matches):
            best.setdefault(match % _PLACES, match)
        return tuple(best.values())

    def _by_code(self, code: str) -> list[int]:
        at = slice(bisect_left(self._codes, code), bisect_left(self._codes, code + _AFTER_ALL))
        return [
            (_SYMBOL if found == code else _SYMBOL_PREFIX) * _PLACES + place
            for found, place in zip(self._codes[at], self._coded[at], strict=True)
        ]

    def _by_words(self, words: list[str]) -> list[int]:
        matches = self._by_word(words[0])
        for word in words[1:]:
            others: dict[int, int] = {}
            for match in sorted(self._by_word(word)):
                others.setdefault(match % _PLACES, match)
            matches = [_both(match, others[place]) for match in matches if (place := match % _PLACES) in others]
        return matches

    def _by_word(self, word: str) -> list[int]:
        """Return what has a word that begins so, and what has one that was probably meant."""
        matches = self._worded[bisect_left(self._words, word) : bisect_left(self._words, word + _AFTER_ALL)]
        for meant, distance in self._typos.near(word).items():
            if not meant.startswith(word):
                at = slice(bisect_left(self._words, meant), bisect_right(self._words, meant))
                rank = (_TYPO + (distance - 1) * _RANK) * _PLACES
                matches += [rank + match % (_RANK * _PLACES) for match in self._worded[at]]
        return matches


def _both(match: int, other: int) -> int:
    """Return the first of two words' matches of an instrument, no better than a typo if the other word is one."""
    typo = other // (_RANK * _PLACES) * (_RANK * _PLACES)
    return match if typo < _TYPO * _PLACES else max(match, typo + match % (_RANK * _PLACES))


def _fit(nth: int, instrument: Instrument) -> int:
    """Return how well the n-th word of a name fits: early words, then short names ("Apple Inc." before "Apple Hospitality")."""
    rank = _NAME if nth == 0 else _WORD_OF_NAME
    return rank + 1_000 * min(nth, 99) + min(len(instrument.name), 999)


def _words(text: str) -> list[str]:
    """Return the words of a text, without case and accents."""
    plain = "".join(char for char in normalize("NFKD", text) if not combining(char))
    return _WORD.findall(plain.casefold())


def _code(symbol: str) -> str:
    """Return a symbol as people type it: "brk b" and "BRKB" find BRK.B."""
    return "".join(_words(symbol))
