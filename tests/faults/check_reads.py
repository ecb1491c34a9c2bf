"""What clients read: one key is one order, orders go forward, a later read is never older, nobody sees another's orders. Pure."""

from collections import defaultdict
from collections.abc import Iterator

from tests.faults.check_ledger import story
from tests.faults.evidence import Evidence
from tests.faults.history import Event, Kind
from tests.faults.view import View
from tests.faults.violation import Harm, Violation

NOT_FOUND, KEY_TAKEN = "ORDER_NOT_FOUND", "IDEMPOTENCY_MISMATCH"
_RANK = {"PENDING": 0, "SUBMITTED": 1, "PLACED": 2, "PARTIALLY_FILLED": 3}
_ENDED = ("CANCELED", "EXPIRED", "REJECTED")
_TERMS = ("symbol", "side", "type")


def views(event: Event) -> Iterator[View]:
    """Return the orders that an event shows."""
    if event.kind in (Kind.OK, Kind.TOLD):
        if order := event.value.get("order"):
            yield order
        yield from event.value.get("orders", ())


def one_key_one_order(evidence: Evidence) -> list[Violation]:
    """I4: the same key has the same order id in every answer ever, and an answer is about the body that was asked for."""
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    asked = {event.number: event.value for event in evidence.history if event.kind is Kind.INVOKE}
    found = []
    for event in evidence.history:
        for order in views(event):
            ids[order["account_id"], order["client_order_id"]].add(order["order_id"])
        if event.what == "place" and event.kind is Kind.OK:
            order, wish = event.value["order"], asked[event.call]
            if any(order[name] != wish[name] for name in _TERMS):
                words = f"key {event.key} was answered with an order of other terms than asked for"
                found.append(Violation("I4", Harm.OTHER, words, (str(wish), str(event))))
    for (account, key), several in ids.items():
        if len(several) > 1:
            words = f"key {key} has several orders: {sorted(several)}"
            found.append(Violation("I4", Harm.DOUBLED, words, story(evidence, account, key)))
    return found


def forward_only(evidence: Evidence) -> list[Violation]:
    """I5: by revision, states follow the table and fills grow; one revision is one state of affairs."""
    seen: dict[str, dict[int, tuple[View, Event]]] = defaultdict(dict)
    found = []
    for event in evidence.history:
        for order in views(event):
            known = seen[order["order_id"]].setdefault(order["revision"], (order, event))
            if known[0] != order:
                words = f"order {order['order_id']} has two faces at revision {order['revision']}"
                found.append(Violation("I5", Harm.OTHER, words, (str(known[1]), str(event))))
    for order_id, revisions in seen.items():
        last: tuple[View, Event] | None = None
        for _, now in sorted(revisions.items()):
            if last is not None and (problem := _step_back(last[0], now[0])):
                words = f"order {order_id} {problem}"
                found.append(Violation("I5", Harm.OTHER, words, (str(last[1]), str(now[1]))))
            last = now
    return found


def _step_back(before: View, after: View) -> str | None:
    if after["filled"] < before["filled"]:
        return f"lost fills: {before['filled']}, then {after['filled']}"
    if after["filled"] > after["quantity"]:
        return f"is overfilled: {after['filled']} of {after['quantity']}"
    was, now = before["state"], after["state"]
    if was == now or (was in _ENDED and now == "FILLED"):
        return None
    if was in _ENDED or was == "FILLED":
        return f"left its end: {was}, then {now}"
    if now in _RANK and _RANK[now] < _RANK[was]:
        return f"went back: {was}, then {now}"
    return None


def reads_never_go_back(evidence: Evidence) -> list[Violation]:
    """I8: a read that began after another had ended shows at least what that one showed; per order, over all clients."""
    starts = {event.number: event for event in evidence.history if event.kind is Kind.INVOKE}
    # By order: the newest revision that was seen, with the answers that showed it, oldest first.
    known: dict[str, list[tuple[int, int, Event]]] = defaultdict(list)
    acknowledged: dict[str, dict[str, Event]] = defaultdict(dict)
    found = []
    for event in evidence.history:
        if event.kind not in (Kind.OK, Kind.FAIL) or event.call not in starts:
            continue
        began = event.call
        shown = {order["order_id"]: order for order in views(event)}
        for order_id, order in shown.items():
            newer = [
                one for number, revision, one in known[order_id] if number < began and revision > order["revision"]
            ]
            if newer:
                words = f"order {order_id} was read at an older revision than before"
                found.append(Violation("I8", Harm.OTHER, words, (str(newer[0]), str(starts[began]), str(event))))
            if not known[order_id] or known[order_id][-1][1] < order["revision"]:
                known[order_id].append((event.number, order["revision"], event))
        for missing in _unseen(event, began, shown, acknowledged[event.account]):
            words = f"order of key {missing.key} was acknowledged and a later {event.what} does not show it"
            found.append(Violation("I8", Harm.LOST, words, (str(missing), str(starts[began]), str(event))))
        if event.what == "place" and event.kind is Kind.OK:
            acknowledged[event.account].setdefault(event.key, event)
    return found


def _unseen(event: Event, began: int, shown: dict[str, View], acknowledged: dict[str, Event]) -> list[Event]:
    """Return the acknowledgements that a read should have known of and does not."""
    before = {key: one for key, one in acknowledged.items() if one.number < began}
    if event.what == "list" and event.kind is Kind.OK:
        return [one for one in before.values() if one.value["order"]["order_id"] not in shown]
    is_missing = event.kind is Kind.FAIL and event.value.get("reason") == NOT_FOUND
    return [before[event.key]] if is_missing and event.key in before else []


def no_foreign_data(evidence: Evidence) -> list[Violation]:
    """I9: what reached an account's connections is its own, by account and by tag; and probes find nothing."""
    found = []
    for event in evidence.history:
        if not event.account:
            continue
        for order in views(event):
            if order["account_id"] != event.account or not order["client_order_id"].startswith(f"{event.account}."):
                words = f"account {event.account} was shown an order of {order['account_id']}"
                found.append(Violation("I9", Harm.OTHER, words, (str(event),)))
        if event.what == "probe" and event.kind is Kind.OK:
            words = f"account {event.account} reached another's order"
            found.append(Violation("I9", Harm.OTHER, words, (str(event),)))
        for canary in event.value.get("canaries", ()):
            words = f"account {event.account} received bytes that hold the canary of {canary}"
            found.append(Violation("I9", Harm.OTHER, words, (str(event),)))
    return found
