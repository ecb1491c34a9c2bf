"""All cases by name."""

from collections.abc import Sequence

from tests.faults import crashes, cuts, faults, lies, messages, operators, relays
from tests.faults.case import Case

CASES: dict[str, Case] = {
    case.name: case
    for case in (
        Case(name="calm", words="no fault at all"),
        *crashes.cases(),
        *faults.cases(),
        *messages.cases(),
        *relays.cases(),
        *cuts.cases(),
        *lies.cases(),
        *operators.cases(),
    )
}


def chosen(words: str) -> list[Case]:
    """Return the cases that a list like "K9,F19" names: a name, or all that begin with it and a dash or an x.

    Raises KeyError for a name that names nothing.
    """
    if not words:
        return list(CASES.values())
    found: dict[str, Case] = {}
    for word in words.split(","):
        fits: Sequence[str] = [name for name in CASES if name == word or name.startswith((f"{word}-", f"{word}x"))]
        if not fits:
            raise KeyError(word)
        found |= {name: CASES[name] for name in fits}
    return list(found.values())
