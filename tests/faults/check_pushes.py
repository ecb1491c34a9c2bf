"""What was pushed: each follower's frames chain by position, hold everything that the stream holds, each once. Pure.

A follower's events: `began` {recovered, position, from}, `snapshot` {orders}, `update` {position, previous, order}.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from tests.faults.evidence import Evidence
from tests.faults.history import Event, Kind
from tests.faults.violation import Harm, Violation


@dataclass(slots=True)
class _Follower:
    """What one follower has seen: the last position, revisions by order, and sequences by stream since it last began anew."""

    account: str
    position: str = ""
    needs_snapshot: bool = False
    last: Event | None = None
    revisions: dict[str, int] = field(default_factory=dict)
    started: int = 0
    sequences: list[int] = field(default_factory=list)


def _followers(evidence: Evidence) -> tuple[dict[str, _Follower], list[Violation]]:
    followers: dict[str, _Follower] = {}
    found: list[Violation] = []
    for event in evidence.history:
        if event.kind is Kind.TOLD and event.what in ("began", "snapshot", "update"):
            follower = followers.setdefault(event.client, _Follower(event.account))
            problem = _took(follower, event)
            if problem:
                witness = (*([str(follower.last)] if follower.last else []), str(event))
                found.append(Violation("I12", Harm.OTHER, f"{event.client}: {problem}", witness))
            follower.last = event
    return followers, found


def _took(follower: _Follower, event: Event) -> str | None:
    match event.what:
        case "began":
            return _began(follower, event)
        case "snapshot":
            follower.needs_snapshot = False
            for order in event.value["orders"]:
                follower.revisions[order["order_id"]] = order["revision"]
            return None
        case _:
            return _updated(follower, event)


def _began(follower: _Follower, event: Event) -> str | None:
    asked, recovered, position = event.value.get("from", ""), event.value["recovered"], event.value["position"]
    if recovered:
        return None if asked == follower.position else f"resumed from {asked} after {follower.position}"
    follower.position, follower.needs_snapshot = position, True
    follower.started, follower.sequences = _sequence(position), []
    return None


def _updated(follower: _Follower, event: Event) -> str | None:
    position, previous, order = event.value["position"], event.value["previous"], event.value["order"]
    expected, follower.position = follower.position, position
    known = follower.revisions.get(order["order_id"], 0)
    follower.revisions[order["order_id"]] = max(known, order["revision"])
    follower.sequences.append(_sequence(position))
    if follower.needs_snapshot:
        return "not recovered, and an update came before the snapshot"
    if previous != expected:
        return f"a gap or a repetition: expected what follows {expected}, got what follows {previous}"
    return None


def gap_free(evidence: Evidence) -> list[Violation]:
    """I12: every frame follows the one before it; after an interruption, from there on, or from a snapshot on."""
    return _followers(evidence)[1]


def complete(evidence: Evidence) -> list[Violation]:
    """I12: in the end every follower knows every order of its account as it is, and missed nothing of the stream."""
    followers, _ = _followers(evidence)
    found = []
    for name, follower in followers.items():
        for row in evidence.rows:
            if row.account_id == follower.account and follower.revisions.get(row.order_id, 0) < row.revision:
                seen = follower.revisions.get(row.order_id, 0)
                words = f"{name} knows order {row.order_id} at revision {seen}, the database has {row.revision}"
                found.append(Violation("I12", Harm.LOST, words, (str(row),)))
        if follower.position.split("-")[0] != evidence.stream:
            continue
        theirs = [one.sequence for one in evidence.updates if one.account_id == follower.account]
        expected = [sequence for sequence in theirs if sequence > follower.started]
        if follower.sequences != expected:
            odd = sorted(set(follower.sequences) ^ set(expected))
            words = f"{name} received other updates than the stream holds: {odd[:10] or 'in another order or twice'}"
            found.append(Violation("I12", Harm.OTHER, words))
    return found


def stream_in_order(evidence: Evidence) -> list[Violation]:
    """I12: an order's changes are in the stream by rising revision, each once."""
    last: dict[str, int] = defaultdict(int)
    found = []
    for said in sorted(evidence.updates, key=lambda one: one.sequence):
        if said.account_id in evidence.accounts and said.revision <= last[said.order_id]:
            words = f"order {said.order_id} is told at revision {said.revision} after {last[said.order_id]}"
            found.append(Violation("I12", Harm.OTHER, words, (str(said),)))
        last[said.order_id] = max(last[said.order_id], said.revision)
    return found


def _sequence(position: str) -> int:
    return int(position.partition("-")[2] or 0)
