"""Searches a second among 10,000 instruments: what is typed right, in part and wrong, against a naive scan with difflib."""

import difflib
import random
import time
from collections.abc import Callable, Sequence

from bench.table import percentile, say
from price_svc.instrument import Instrument
from price_svc.search import InstrumentIndex

INSTRUMENTS = 10_000
SYLLABLES = tuple(head + vowel for head in ("", *"bcdfghklmnprstvwz", "st", "br", "ch") for vowel in "aeiou")
KINDS = (
    "Bank",
    "Energy",
    "Group",
    "Holdings",
    "Industries",
    "International",
    "Pharmaceuticals",
    "Systems",
    "Technologies",
)
QUESTIONS = 300
QUESTIONS_OF_BASELINE = 5


async def bench() -> None:
    """Print the table; each question is asked once, as answers are remembered."""
    chance = random.Random(1)  # noqa: S311 - made-up names
    listed = _instruments(chance)
    started = time.perf_counter()
    index = InstrumentIndex(listed)
    made = time.perf_counter() - started
    names = [instrument.name.split()[0].lower() for instrument in chance.sample(listed, QUESTIONS)]
    asked = {
        "symbols": [instrument.symbol for instrument in chance.sample(listed, QUESTIONS)],
        "half a word": [name[: max(len(name) // 2, 2)] for name in names],
        "a letter wrong": [_mistyped(name, chance) for name in names],
        "two letters wrong": [_mistyped(_mistyped(name, chance), chance) for name in names],
    }
    scan = _scan(listed)
    rows: list[dict[str, object]] = []
    for what, questions in asked.items():
        took = _ask(index.search, questions)
        base = _ask(scan, questions[:QUESTIONS_OF_BASELINE])
        ratio = round(percentile(base, 0.5) / percentile(took, 0.5))
        times = {f"p{share} ms": round(percentile(took, share / 100) * 1000, 3) for share in (50, 99)}
        rows.append(
            {"asked": what, **times, "naive p50 ms": round(percentile(base, 0.5) * 1000, 1), "x baseline": ratio}
        )
    say(f"search in {INSTRUMENTS} instruments, index made in {made:.2f} s (baseline: difflib over all names)", rows)


def _ask(search: Callable[[str], object], questions: Sequence[str]) -> list[float]:
    took = []
    for question in questions:
        started = time.perf_counter()
        search(question)
        took.append(time.perf_counter() - started)
    return took


def _scan(listed: Sequence[Instrument]) -> Callable[[str], object]:
    words = [(instrument, instrument.symbol.lower(), instrument.name.lower().split()) for instrument in listed]

    def scan(question: str) -> object:
        question = question.lower()
        found = [
            (difflib.SequenceMatcher(None, question, word).ratio(), instrument.symbol)
            for instrument, symbol, name in words
            for word in (symbol, *name)
        ]
        return sorted(found, reverse=True)[:20]

    return scan


def _instruments(chance: random.Random) -> list[Instrument]:
    symbols: set[str] = set()
    while len(symbols) < INSTRUMENTS:
        symbols.add("".join(chance.choices("ABCDEFGHIJKLMNOPRSTUVWXYZ", k=chance.choice((3, 4, 4, 5)))))
    return [Instrument(symbol, _name(chance), "XNYS", "USD", 10_000, 1, 100_000, True) for symbol in sorted(symbols)]


def _name(chance: random.Random) -> str:
    word = "".join(chance.choices(SYLLABLES, k=chance.choice((2, 3, 4, 5)))).title()
    return f"{word} {chance.choice(KINDS)} Inc."


def _mistyped(word: str, chance: random.Random) -> str:
    at = chance.randrange(len(word))
    return chance.choice((word[:at] + word[at + 1 :], word[:at] + "q" + word[at + 1 :], word[:at] + "x" + word[at:]))
