"""The judge: pure and offline. It compares what clients saw with our database, the exchange's ledger and the streams.

I1   what was answered OK has exactly one order            I8   reads never go back, and see what was answered before them
I2   an order is accepted at most once by the exchange     I9   no account sees another's data
I3   every acceptance has its order, with the same terms   I11  what was dead-lettered shows at its order
I4   one key and body, one order; another body, an error   I12  pushes are gap-free, in order, each once
I5   states and fills only go forward                      I14  operators' actions are in the audit
I6   our orders equal the exchange's                       case the case did what it says it does
I7   nothing is stuck
"""

from collections.abc import Callable, Sequence

from tests.faults import check_ledger, check_pushes, check_reads, check_rest
from tests.faults.evidence import Evidence
from tests.faults.violation import Violation

CHECKS: Sequence[Callable[[Evidence], list[Violation]]] = (
    check_rest.case_did_its_work,
    check_ledger.answered_orders_exist,
    check_ledger.orders_have_callers,
    check_ledger.accepted_once,
    check_ledger.acceptances_have_orders,
    check_ledger.equal_to_the_exchange,
    check_reads.one_key_one_order,
    check_reads.forward_only,
    check_reads.reads_never_go_back,
    check_reads.no_foreign_data,
    check_pushes.gap_free,
    check_pushes.complete,
    check_pushes.stream_in_order,
    check_rest.nothing_stuck,
    check_rest.letters_show,
    check_rest.acts_are_audited,
)


def check(evidence: Evidence) -> list[Violation]:
    """Return every broken promise."""
    return [violation for one in CHECKS for violation in one(evidence)]
