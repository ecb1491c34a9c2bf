"""The rest of the promises: nothing stuck, dead letters shown, operators' acts audited, and a case that did what it says. Pure."""

from collections import Counter

from tests.faults.evidence import DEAD_LETTERED, Evidence
from tests.faults.violation import Harm, Violation


def case_did_its_work(evidence: Evidence) -> list[Violation]:
    """A case that did not do its damage proves nothing."""
    return [Violation("case", Harm.OTHER, problem) for problem in evidence.problems]


def nothing_stuck(evidence: Evidence) -> list[Violation]:
    """I7: after the faults end, everything comes to rest in time: outbox, consumers, orders."""
    found = [Violation("I7", Harm.STUCK, words) for words in evidence.unquiet]
    if evidence.outbox:
        found.append(Violation("I7", Harm.STUCK, f"{evidence.outbox} entries of the outbox are left"))
    for row in evidence.rows:
        if row.account_id not in evidence.accounts or row.reason == DEAD_LETTERED:
            continue
        is_waiting = row.state in ("PENDING", "SUBMITTED") or row.pending != "NONE" or row.certainty != "CONFIRMED"
        if is_waiting:
            words = f"order {row.order_id} is still {row.state}, pending {row.pending}, {row.certainty}"
            found.append(Violation("I7", Harm.STUCK, words, (str(row),)))
    return found


def letters_show(evidence: Evidence) -> list[Violation]:
    """I11: every poison message is a dead letter, and the order of one that could be read says so."""
    found = []
    if len(evidence.letters) != evidence.expected_letters:
        words = f"{evidence.expected_letters} dead letters expected, {len(evidence.letters)} found"
        found.append(Violation("I11", Harm.OTHER, words, tuple(map(str, evidence.letters))))
    rows = {row.order_id: row for row in evidence.rows}
    for letter in evidence.letters:
        row = rows.get(letter.order_id)
        # An order that the exchange has spoken of is certain again.
        if row is not None and row.reason != DEAD_LETTERED and row.certainty != "CONFIRMED":
            words = f"order {row.order_id} was dead-lettered and does not say so"
            found.append(Violation("I11", Harm.OTHER, words, (str(letter), str(row))))
    return found


def acts_are_audited(evidence: Evidence) -> list[Violation]:
    """I14: what operators did is in the audit, once for each time."""
    missing = Counter(evidence.acts) - Counter(evidence.audit)
    return [Violation("I14", Harm.OTHER, f"not in the audit: {act}, {count} times") for act, count in missing.items()]
