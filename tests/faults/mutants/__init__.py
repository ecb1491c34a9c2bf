"""Services with one flaw each. A suite in which one of them goes unnoticed proves nothing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """A flaw: in which service, the case that must expose it, and the promises of which at least one must be seen broken."""

    service: str
    case: str
    invariants: frozenset[str]
    words: str


def put(owner: object, name: str, flawed: object) -> None:
    """Replace something of a service by its flawed twin."""
    setattr(owner, name, flawed)


MUTANTS = {
    "ack_before_commit": Mutant(
        "order_svc", "K2", frozenset({"I1", "I3", "I8"}), "an order is answered before it is stored"
    ),
    "dedup_off": Mutant("exchange_gw", "F29", frozenset({"I2"}), "a command is carried out as often as it comes"),
    "token_before_publish": Mutant(
        "order_svc", "K5", frozenset({"I6", "I7", "I12"}), "the relay notes what it has not published yet"
    ),
    "redis_only_idempotency": Mutant("order_svc", "F24-flush", frozenset({"I4"}), "Redis alone remembers keys"),
    "fold_without_version": Mutant(
        "order_svc", "calm", frozenset({"I5", "I6", "I7", "I12"}), "the last writer of an order wins"
    ),
    "missing_account_filter": Mutant("order_svc", "calm", frozenset({"I9"}), "an order is found by its id alone"),
}
