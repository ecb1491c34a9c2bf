"""A good story, and one spoiler for each way in which a promise can be broken."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.faults.evidence import Evidence, Letter, Row, Said, VenueOrder
from tests.faults.history import History, Kind

A, B, KEY, ORDER, VENUE = "fa", "fb", "fa.0-1", "order-1", "venue-1"
WISH = {"symbol": "AAPL", "side": "BUY", "type": "LIMIT", "quantity": 7, "limit_price_micros": 10_000_000}


def order(state: str = "PENDING", *, revision: int = 1, filled: int = 0, **changes: Any) -> dict[str, Any]:
    return {
        **WISH,
        "order_id": ORDER,
        "client_order_id": KEY,
        "account_id": A,
        "filled": filled,
        "state": state,
        "pending": "NONE",
        "certainty": "CONFIRMED",
        "revision": revision,
    } | changes


def called(
    history: History, what: str, kind: Kind, value: dict[str, Any], *, client: str = "ws", key: str = KEY
) -> None:
    asked = WISH if what == "place" else {}
    begun = history.add(client, Kind.INVOKE, what, account=A, key=key, value=asked)
    history.add(client, kind, what, account=A, key=key, call=begun.number, value=value)


def followed(history: History, *frames: tuple[str, dict[str, Any]]) -> None:
    for what, value in frames:
        history.add("socket-a", Kind.TOLD, what, account=A, key=KEY, value=value)


def update(position: str, previous: str, one: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "update", {"position": position, "previous": previous, "order": one}


BEGAN = ("began", {"recovered": False, "position": "9-0", "from": ""})
NOTHING_YET: tuple[str, dict[str, Any]] = ("snapshot", {"orders": []})


def a_row(**changes: Any) -> Row:
    return replace(
        Row(
            order_id=ORDER,
            account_id=A,
            client_order_id=KEY,
            symbol="AAPL",
            side="BUY",
            ordered=7,
            ordered_price=10_000_000,
            quantity=7,
            state="FILLED",
            revision=2,
            fills={"e1": (7, 10_000_000)},
            exchange_order_id=VENUE,
        ),
        **changes,
    )


def a_venue_order(**changes: Any) -> VenueOrder:
    return replace(
        VenueOrder(
            venue_id=VENUE,
            root=ORDER,
            account=A,
            symbol="AAPL",
            side="BUY",
            ordered=7,
            ordered_price=10_000_000,
            quantity=7,
            state="FILLED",
            fills={"e1": (7, 10_000_000)},
        ),
        **changes,
    )


def a_good_story() -> Evidence:
    """One order: placed, read, filled, pushed."""
    history = History()
    followed(history, BEGAN, NOTHING_YET)
    called(history, "place", Kind.OK, {"order": order(), "replayed": False})
    followed(history, update("9-3", "9-0", order()), update("9-5", "9-3", order("FILLED", revision=2, filled=7)))
    called(history, "get", Kind.OK, {"order": order("FILLED", revision=2, filled=7)})
    called(history, "list", Kind.OK, {"orders": [order("FILLED", revision=2, filled=7)]}, key="")
    return Evidence(
        accounts=(A, B),
        history=history.events,
        rows=[a_row()],
        venue=[a_venue_order()],
        updates=[Said(A, 3, ORDER, 1), Said(A, 5, ORDER, 2)],
        stream="9",
    )


Spoil = Callable[[Evidence, History], None]


def lose_the_row(evidence: Evidence, history: History) -> None:
    evidence.rows = []


def lose_at_both(evidence: Evidence, history: History) -> None:
    evidence.rows, evidence.venue = [], []


def nobody_asked(evidence: Evidence, history: History) -> None:
    stranger = a_row(order_id="order-2", client_order_id="fa.0-2", exchange_order_id="venue-2")
    evidence.rows = [*evidence.rows, stranger]
    evidence.venue = [*evidence.venue, a_venue_order(venue_id="venue-2", root="order-2")]


def refused_and_there(evidence: Evidence, history: History) -> None:
    called(history, "place", Kind.FAIL, {"reason": "HALTED"}, key="fa.0-2")
    nobody_asked(evidence, history)


def sent_twice(evidence: Evidence, history: History) -> None:
    evidence.venue = [*evidence.venue, a_venue_order(venue_id="venue-2")]


def two_orders_for_a_key(evidence: Evidence, history: History) -> None:
    evidence.rows = [*evidence.rows, a_row(order_id="order-2")]
    evidence.venue = [*evidence.venue, a_venue_order(root="order-2")]


def another_id_answered(evidence: Evidence, history: History) -> None:
    called(history, "place", Kind.OK, {"order": order(order_id="order-2"), "replayed": False})


def other_terms_answered(evidence: Evidence, history: History) -> None:
    called(history, "place", Kind.OK, {"order": order("FILLED", revision=2, filled=7, side="SELL"), "replayed": True})


def other_price_at_the_exchange(evidence: Evidence, history: History) -> None:
    evidence.venue = [a_venue_order(ordered_price=1)]


def a_fill_missing(evidence: Evidence, history: History) -> None:
    evidence.rows = [a_row(fills={}, state="PLACED")]


def a_fill_too_many(evidence: Evidence, history: History) -> None:
    evidence.rows = [a_row(fills={"e1": (7, 10_000_000), "e2": (7, 10_000_000)})]


def another_state(evidence: Evidence, history: History) -> None:
    evidence.rows = [a_row(state="CANCELED")]


def filled_at_nobody(evidence: Evidence, history: History) -> None:
    evidence.venue = []


def never_sent(evidence: Evidence, history: History) -> None:
    evidence.rows, evidence.venue = [a_row(state="PENDING", fills={}, exchange_order_id="")], []


def uncertain_for_ever(evidence: Evidence, history: History) -> None:
    evidence.rows = [a_row(certainty="UNCERTAIN")]


def outbox_left(evidence: Evidence, history: History) -> None:
    evidence.outbox = 1


def state_goes_back(evidence: Evidence, history: History) -> None:
    followed(history, update("9-6", "9-5", order("PLACED", revision=3, filled=7)))
    evidence.updates = [*evidence.updates, Said(A, 6, ORDER, 3)]


def two_faces(evidence: Evidence, history: History) -> None:
    called(history, "get", Kind.OK, {"order": order("CANCELED", revision=2)})


def read_goes_back(evidence: Evidence, history: History) -> None:
    called(history, "get", Kind.OK, {"order": order()}, client="rpc")


def read_forgets(evidence: Evidence, history: History) -> None:
    called(history, "get", Kind.FAIL, {"reason": "ORDER_NOT_FOUND"})


def list_forgets(evidence: Evidence, history: History) -> None:
    called(history, "list", Kind.OK, {"orders": []}, key="")


def foreign_order(evidence: Evidence, history: History) -> None:
    theirs = order("FILLED", revision=2, filled=7, account_id=B, client_order_id="fb.0-1", order_id="order-2")
    called(history, "list", Kind.OK, {"orders": [order("FILLED", revision=2, filled=7), theirs]}, key="")


def probe_found_something(evidence: Evidence, history: History) -> None:
    called(history, "probe", Kind.OK, {}, key="")


def canary_heard(evidence: Evidence, history: History) -> None:
    history.add("socket-a", Kind.TOLD, "canary", account=A, value={"canaries": [B]})


def dead_letter_not_shown(evidence: Evidence, history: History) -> None:
    evidence.letters, evidence.expected_letters = [Letter("ORDER_COMMANDS", "MALFORMED", ORDER)], 1
    evidence.rows = [a_row(certainty="UNCERTAIN", reason="NO_ANSWER")]


def dead_letter_missing(evidence: Evidence, history: History) -> None:
    evidence.expected_letters = 1


def push_lost(evidence: Evidence, history: History) -> None:
    history.events[:] = [event for event in history.events if event.value.get("position") != "9-3"]


def push_doubled(evidence: Evidence, history: History) -> None:
    followed(history, update("9-5", "9-3", order("FILLED", revision=2, filled=7)))


def last_push_never_came(evidence: Evidence, history: History) -> None:
    history.events[:] = [event for event in history.events if event.value.get("position") != "9-5"]


def resumed_elsewhere(evidence: Evidence, history: History) -> None:
    followed(history, ("began", {"recovered": True, "position": "9-3", "from": "9-3"}))


def no_snapshot(evidence: Evidence, history: History) -> None:
    followed(history, ("began", {"recovered": False, "position": "9-5", "from": "8-1"}))
    followed(history, update("9-6", "9-5", order("FILLED", revision=2, filled=7)))


def stream_goes_back(evidence: Evidence, history: History) -> None:
    evidence.updates = [*evidence.updates, Said(A, 6, ORDER, 1)]
    followed(history, update("9-6", "9-5", order()))


def act_not_audited(evidence: Evidence, history: History) -> None:
    evidence.acts = ["SetTradingState"]


def case_failed(evidence: Evidence, history: History) -> None:
    evidence.problems = ["K9 was not reached"]
