"""What must hold whatever dies: checked at every commit, and when all faults are over."""

from collections import defaultdict

from exchange_gw.exchange import OrdStatus
from gen.trading.v1 import order_pb2
from order_svc.fact import Kind
from order_svc.order import Certainty, Order, PendingAction, State
from runtime.subjects import DEAD_LETTERS, ORDER_UPDATES, order_update
from tests.simulation.broker import Stream
from tests.simulation.clients import Clients
from tests.simulation.exchange import Resting
from tests.simulation.world import World

RANK = [
    State.PENDING,
    State.SUBMITTED,
    State.PLACED,
    State.PARTIALLY_FILLED,
    State.REJECTED,
    State.EXPIRED,
    State.CANCELED,
    State.FILLED,
]
STATES = {
    OrdStatus.NEW: State.PLACED,
    OrdStatus.PARTIALLY_FILLED: State.PARTIALLY_FILLED,
    OrdStatus.FILLED: State.FILLED,
    OrdStatus.CANCELED: State.CANCELED,
    OrdStatus.EXPIRED: State.EXPIRED,
    OrdStatus.REJECTED: State.REJECTED,
}
UNSENT = (State.CANCELED, State.EXPIRED, State.REJECTED)


class Invariants:
    """The checks of one run. Each returns or notes words that say what is wrong."""

    def __init__(self, world: World, clients: Clients) -> None:
        self._world, self._clients = world, clients
        world.orders.written = self.check_step

    def check_step(self, before: Order | None, after: Order) -> None:
        """Check one change of an order, when it is committed."""
        name = after.client_order_id
        if before is None:
            if after.facts or after.revision != 1:
                self._world.violated(f"{name}: born with a past")
            return
        known = {fact.identity for fact in before.facts}
        new = [fact for fact in after.facts if fact.identity not in known]
        self._world.trace.say(
            "orders", f"{name} {before.state} → {after.state} by {' '.join(fact.kind for fact in new)}"
        )
        if after.revision != before.revision + 1:
            self._world.violated(f"{name}: revision {before.revision} → {after.revision}")
        if lost := known - {fact.identity for fact in after.facts}:
            self._world.violated(f"{name}: facts lost: {sorted(lost)}")
        if after.terms != before.terms or after.fingerprint != before.fingerprint:
            self._world.violated(f"{name}: another order under the same key")
        if RANK.index(after.state) < RANK.index(before.state) and not any(fact.kind is Kind.REPLACED for fact in new):
            self._world.violated(f"{name}: state went back {before.state} → {after.state}")
        if after.filled_quantity < before.filled_quantity:
            self._world.violated(f"{name}: fills lost")

    def check_exchange(self) -> None:
        """Check that the exchange has nothing twice, and nothing from nowhere."""
        for name, times in self._world.exchange.book.acceptances.items():
            if times > 1:
                self._world.violated(f"accepted {times} times by the exchange: {name}")
        for resting in self._world.exchange.book.orders:
            order = self._world.orders.orders.get(resting.command.order_id)
            if order is None:
                self._world.violated(f"at the exchange and not ours: {resting.command.order_id}")
            elif (order.terms.symbol, order.account_id, order.terms.side.value) != (
                resting.command.symbol,
                resting.command.account_id,
                resting.command.side.value,
            ):
                self._world.violated(f"at the exchange with other terms: {order.client_order_id}")

    def check_clients(self) -> None:
        """Check that what clients were told is what there is."""
        for key, told in self._clients.told.items():
            ids = {order.order_id for order in told.orders}
            if len(ids) > 1:
                self._world.violated(f"{key}: {len(ids)} orders under one key")
            if told.orders and told.orders[0].order_id not in self._world.orders.orders:
                self._world.violated(f"{key}: answered and lost")
            if told.firsts > 1:
                self._world.violated(f"{key}: answered as new {told.firsts} times")
            if len({order.fingerprint for order in told.orders}) > 1:
                self._world.violated(f"{key}: two bodies were taken under one key")

    def unfinished(self) -> list[str]:
        """Return what is not yet as it must be in the end."""
        world, wrong = self._world, list[str]()
        if not self._clients.are_done:
            wrong.append("clients still ask")
        if world.orders.outbox:
            wrong.append(f"outbox holds {len(world.orders.outbox)}")
        book: dict[str, Resting] = {one.command.order_id: one for one in world.exchange.book.orders}
        for order in world.orders.orders.values():
            wrong += [
                f"{order.client_order_id} ({order.order_id}): {text}"
                for text in _differences(order, book.get(order.order_id))
            ]
        letters = len(world.broker.streams[DEAD_LETTERS].messages)
        if letters:
            wrong.append(f"{letters} dead letters")
        return wrong + self._updates_missing()

    def _updates_missing(self) -> list[str]:
        """Return orders of which the last update on the bus is not how they stand; none are told after a wipe alone."""
        wrong = []
        said = self._revisions(self._world.broker.streams[ORDER_UPDATES])
        for order in self._world.orders.orders.values():
            revisions = said.get(order.order_id, [])
            if (revisions or not self._world.broker.past) and max(revisions, default=0) != order.revision:
                wrong.append(f"{order.client_order_id}: revision {order.revision}, updates told {revisions}")
        return wrong

    def check_updates(self) -> None:
        """Check that each life of the stream tells every order's revisions in order, each once, without a gap.

        After a wipe the clients begin with a snapshot; what a former life has told need not be told again.
        """
        exact = not self._world.broker.has_forgotten_ids
        told: dict[str, set[int]] = defaultdict(set)
        for streams in [*self._world.broker.past, self._world.broker.streams]:
            for order_id, revisions in self._revisions(streams[ORDER_UPDATES]).items():
                seen = revisions if exact else list(dict.fromkeys(revisions))
                missing = set(range(1, max(seen))) - set(seen) - told[order_id]
                if seen != sorted(set(seen)) or missing:
                    name = self._world.orders.orders[order_id].client_order_id
                    self._world.violated(f"{name}: updates out of order, doubled or missing: {revisions}")
                told[order_id].update(revisions)

    @staticmethod
    def _revisions(stream: Stream) -> dict[str, list[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        for message in stream.messages:
            order = order_pb2.OrderUpdate.FromString(message.payload).order
            assert message.subject == order_update(order.account_id)
            found[order.order_id].append(order.revision)
        return found


def _differences(order: Order, resting: Resting | None) -> list[str]:
    """Return where an order and the exchange's book disagree, and what is not decided."""
    wrong = _undecided(order)
    if resting is not None:
        return wrong + _other_than(order, resting)
    if order.state not in UNSENT:
        wrong.append(f"{order.state} and not at the exchange")
    return wrong


def _undecided(order: Order) -> list[str]:
    wrong = []
    if order.overfilled_quantity:
        wrong.append(f"overfilled by {order.overfilled_quantity}")
    if order.certainty is Certainty.UNCERTAIN:
        wrong.append(f"{order.state} is uncertain")
    if order.pending_action is not PendingAction.NONE:
        wrong.append(f"{order.state} waits for a {order.pending_action}")
    return wrong


def _other_than(order: Order, resting: Resting) -> list[str]:
    wrong = []
    if order.state is not STATES[resting.status]:
        wrong.append(f"{order.state}, at the exchange {resting.status.name}")
    if (order.filled_quantity, order.quantity) != (resting.filled, resting.quantity):
        ours, theirs = f"{order.filled_quantity}/{order.quantity}", f"{resting.filled}/{resting.quantity}"
        wrong.append(f"filled {ours}, at the exchange {theirs}")
    elif abs(order.average_price_micros - resting.average_micros) > 1:
        wrong.append(f"average {order.average_price_micros}, at the exchange {resting.average_micros}")
    if order.exchange_order_id not in ("", resting.exchange_order_id):
        wrong.append(f"is called {order.exchange_order_id}, at the exchange {resting.exchange_order_id}")
    return wrong
