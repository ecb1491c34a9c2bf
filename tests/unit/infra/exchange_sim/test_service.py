"""Tests of infra/exchange_sim/service.py, and of the market's memory in pulse.py."""

from pathlib import Path

import pytest

from infra.exchange_sim.book import DAY_US, Book
from infra.exchange_sim.desk import Desk
from infra.exchange_sim.facts import AnyFact, TimeInForce
from infra.exchange_sim.market import Market
from infra.exchange_sim.matching import Change, Matching
from infra.exchange_sim.order import State
from infra.exchange_sim.pulse import load_memory, save_memory
from infra.exchange_sim.reports import CancelRefusal, Report
from infra.exchange_sim.requests import CancelRequest
from infra.exchange_sim.service import Exchange
from tests.unit.infra.exchange_sim.factories import SESSION, a_request, an_instrument


class Notes(Desk):
    """A desk that only notes what passes it."""

    def __init__(self) -> None:
        self.facts: list[AnyFact] = []
        self.reports: list[Report] = []

    def publish(self, changes: list[Change]) -> None:  # type: ignore[override]  # lists are all it gets here
        self.facts += [change.fact for change in changes]

    def answer(self, reports: list[Report]) -> None:  # type: ignore[override]  # see above
        self.reports += reports


class Scene:
    """An exchange of one symbol with a clock that the test moves."""

    def __init__(self) -> None:
        self.now_us = 20_000 * DAY_US + 1
        self.desk = Notes()
        self.market = Market({"AAPL": an_instrument()}, seed=1, day=20_000, ticks_per_second=300)
        book = Book()
        matching = Matching(
            {"AAPL": an_instrument()}, self.market.quotes, self.market.halted, book,
            birth="b", duplicate_detection=True,
        )  # fmt: skip
        self.book = book
        self.exchange = Exchange(self.market, matching, book, self.desk, lambda: self.now_us)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_an_order_rests_until_the_walk_touches_it(scene: Scene) -> None:
    scene.exchange.place(a_request(price="189.95"))

    for _ in range(2000):
        scene.exchange.beat(1)

    order = scene.book.find("STOCKMESH", "key")
    assert order is not None
    assert order.state is State.FILLED


def test_a_day_rolls_once_and_ends_what_lived_for_it(scene: Scene) -> None:
    scene.exchange.place(a_request("day", price="1.00", time_in_force=TimeInForce.DAY))
    scene.exchange.place(a_request("gtc", price="1.00"))
    assert scene.exchange.roll() == []

    scene.now_us += DAY_US
    quotes = scene.exchange.roll()

    assert [quote.volume for quote in quotes] == [0]
    assert scene.exchange.roll() == []
    states = {key: scene.book.find("STOCKMESH", key) for key in ("day", "gtc")}
    assert [order and order.state for order in states.values()] == [State.EXPIRED, State.NEW]


def test_what_a_sudden_end_left_half_done_is_canceled_at_the_start(scene: Scene) -> None:
    scene.exchange.place(a_request("day", price="1.00", time_in_force=TimeInForce.DAY))
    scene.exchange.place(a_request("gtc", price="1.00"))
    scene.exchange.place(a_request("market", quantity=5000))
    # The disk has the market order's first two lines only.
    book = Book(scene.desk.facts[:4])
    scene.now_us += DAY_US
    matching = Matching(
        {"AAPL": an_instrument()}, scene.market.quotes, scene.market.halted, book, birth="b", duplicate_detection=True
    )

    Exchange(scene.market, matching, book, scene.desk, lambda: scene.now_us).recover()

    states = [order.state for order in book.orders_of("STOCKMESH")]
    assert states == [State.EXPIRED, State.NEW, State.CANCELED]


def test_all_orders_of_the_firm_are_told_whichever_session_sent_them(scene: Scene) -> None:
    scene.exchange.place(a_request("mine", price="1.00"))
    scene.exchange.place(a_request("ours", price="1.00", session="STOCKMESH-ORD-1"))
    scene.exchange.place(a_request("theirs", price="1.00", session="OTHER-ORD-0"))

    told = [(one.session, one.cl_ord_id, one.part) for one in scene.exchange.mass_status(SESSION, "all")]

    assert [(session, key) for session, key, _ in told] == [(SESSION, "mine"), (SESSION, "ours")]
    assert [part and (part.number, part.total) for _, _, part in told] == [(1, 2), (2, 2)]


def test_a_refused_cancel_is_told_with_the_order_as_it_is(scene: Scene) -> None:
    scene.exchange.place(a_request())
    scene.exchange.cancel(CancelRequest(session=SESSION, cl_ord_id="late", orig_cl_ord_id="key"))

    (refusal,) = scene.desk.reports
    assert isinstance(refusal, CancelRefusal)
    assert refusal.order is not None
    assert (refusal.reason, refusal.order.state, refusal.is_replace) == (0, State.FILLED, False)


def test_the_market_is_remembered_whole(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "market.json"
    scene.exchange.beat(100)

    save_memory(path, scene.market.memory())

    assert load_memory(path) == scene.market.memory()


def test_a_market_that_cannot_be_remembered_starts_afresh(tmp_path: Path) -> None:
    spoilt = tmp_path / "market.json"
    spoilt.write_text("{")

    assert load_memory(spoilt) is None
    assert load_memory(tmp_path / "missing.json") is None
