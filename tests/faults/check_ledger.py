"""Set algebra over attempts, answers, database and ledger: lost, phantom, doubled; and equality with the exchange. Pure."""

from collections import defaultdict

from tests.faults.evidence import DEAD_LETTERED, Evidence, Row, VenueOrder
from tests.faults.history import Event, Kind
from tests.faults.violation import Harm, Violation


def answered_orders_exist(evidence: Evidence) -> list[Violation]:
    """I1: every place that was answered OK has its order."""
    rows = {row.order_id for row in evidence.rows}
    found = []
    for event in evidence.history:
        if event.kind is Kind.OK and event.what == "place" and event.value["order"]["order_id"] not in rows:
            words = f"order {event.value['order']['order_id']} was acknowledged and is not in the database"
            found.append(Violation("I1", Harm.LOST, words, story(evidence, event.account, event.key)))
    return found


def orders_have_callers(evidence: Evidence) -> list[Violation]:
    """I1, the other way: an order of the run's accounts was asked for, and not only by attempts that were refused."""
    ends: dict[tuple[str, str], set[Kind]] = defaultdict(set)
    open_calls = {event.number: event for event in evidence.history if event.kind is Kind.INVOKE}
    for event in evidence.history:
        if event.what == "place" and event.kind in (Kind.OK, Kind.FAIL, Kind.INFO):
            ends[event.account, event.key].add(event.kind)
            open_calls.pop(event.call, None)
    for event in open_calls.values():
        ends[event.account, event.key].add(Kind.INFO)
    found = []
    for row in evidence.rows:
        if row.account_id in evidence.accounts and not ends[row.account_id, row.client_order_id] - {Kind.FAIL}:
            words = f"order {row.order_id} exists although every attempt of its key was refused, or there was none"
            witness = story(evidence, row.account_id, row.client_order_id)
            found.append(Violation("I1", Harm.OTHER, words, witness))
    keys = [(row.account_id, row.client_order_id) for row in evidence.rows]
    for key in {key for key in keys if keys.count(key) > 1}:
        found.append(Violation("I4", Harm.DOUBLED, f"two orders for the key {key}", story(evidence, *key)))
    return found


def accepted_once(evidence: Evidence) -> list[Violation]:
    """I2: no order is twice in the exchange's book."""
    found = []
    for root, orders in _by_root(evidence).items():
        accepted = [order for order in orders if order.state != "REJECTED"]
        if len(accepted) > 1:
            words = f"order {root} was accepted {len(accepted)} times by the exchange"
            found.append(Violation("I2", Harm.DOUBLED, words, tuple(map(str, accepted))))
    return found


def acceptances_have_orders(evidence: Evidence) -> list[Violation]:
    """I3: whatever the exchange accepted is an order of ours, with its terms."""
    rows = {row.order_id: row for row in evidence.rows}
    found = []
    for order in evidence.venue:
        row = rows.get(order.root)
        if row is None:
            words = f"the exchange has order {order.root}, the database has not"
            found.append(Violation("I3", Harm.LOST, words, (str(order),)))
        elif differences := _differing_terms(row, order):
            words = f"order {order.root} has other terms at the exchange: {', '.join(differences)}"
            found.append(Violation("I3", Harm.OTHER, words, (str(row), str(order))))
    return found


def _differing_terms(row: Row, order: VenueOrder) -> list[str]:
    pairs = {
        "account": (row.account_id, order.account),
        "symbol": (row.symbol, order.symbol),
        "side": (row.side, order.side),
        "quantity": (row.ordered, order.ordered),
        "price": (row.ordered_price, order.ordered_price),
    }
    return [name for name, (ours, theirs) in pairs.items() if ours != theirs]


def equal_to_the_exchange(evidence: Evidence) -> list[Violation]:
    """I6: state, quantity and fills are the exchange's."""
    venue = _by_root(evidence)
    found = []
    for row in evidence.rows:
        if row.account_id not in evidence.accounts or row.reason == DEAD_LETTERED:
            continue
        orders = venue.get(row.order_id, [])
        if problem := _disagreement(row, orders[0] if orders else None):
            harm, words = problem
            witness = (str(row), *map(str, orders), *story(evidence, row.account_id, row.client_order_id))
            found.append(Violation("I6", harm, f"order {row.order_id}: {words}", witness))
    return found


def _disagreement(row: Row, order: VenueOrder | None) -> tuple[Harm, str] | None:
    if order is None:
        if row.fills or row.state in ("PLACED", "PARTIALLY_FILLED", "FILLED"):
            return Harm.OTHER, f"is {row.state} and the exchange does not have it"
        # CANCELED, EXPIRED and REJECTED are possible without the exchange; what is still open never got there.
        return None if row.is_terminal else (Harm.STUCK, f"is {row.state} and never reached the exchange")
    if row.fills != order.fills:
        extra, missing = row.fills.keys() - order.fills.keys(), order.fills.keys() - row.fills.keys()
        harm = Harm.DOUBLED if extra else Harm.LOST
        return harm, f"has other fills than the exchange: {sorted(extra)} too many, {sorted(missing)} missing"
    ours = (row.state, row.quantity, row.exchange_order_id)
    theirs = (order.state, order.quantity, order.venue_id)
    return None if ours == theirs else (Harm.OTHER, f"is {ours}, at the exchange {theirs}")


def _by_root(evidence: Evidence) -> dict[str, list[VenueOrder]]:
    found: dict[str, list[VenueOrder]] = defaultdict(list)
    for order in evidence.venue:
        found[order.root].append(order)
    return found


def story(evidence: Evidence, account: str, key: str, *, most: int = 12) -> tuple[str, ...]:
    """Return what happened around one key: the smallest proof that a person can follow."""

    def concerns(event: Event) -> bool:
        return event.account == account and event.key == key

    return tuple(str(event) for event in evidence.history if concerns(event))[:most]
