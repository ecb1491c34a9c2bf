"""Order subscriptions of a session: everything since a position, or a snapshot where that cannot be had, then every update."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from edge.asking import Method, ask
from edge.feed import Feed, Follower
from edge.feeds import Feeds
from edge.params import FollowOrders
from edge.rendering import timestamp_text, tree_of
from edge.replies import Done, encode, notification
from edge.session import Identity, Session
from gen.trading.v1.order_pb2 import ListOrdersRequest, ListOrdersResponse, Order
from runtime.auth import READ
from runtime.positions import Position

SNAPSHOT_AGE = timedelta(hours=24)
PAGE_SIZE = 500
# More would be a frame that many clients refuse; the rest is had by orders.list with the snapshot's page token.
MAX_SNAPSHOT_ORDERS = 1_000
LIST_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class _Start:
    """Where a subscription begins: the position that the next update follows, and frames that go before it."""

    recovered: bool
    position: Position
    frames: list[bytes]
    last: int


class FollowingOrders:
    """Lets sessions follow the orders of an account."""

    def __init__(self, feeds: Feeds, list_orders: Method) -> None:
        self._feeds, self._list_orders = feeds, list_orders

    async def subscribe(self, session: Session, identity: Identity, params: FollowOrders, request_id: str) -> Done:
        """Follow an account's orders, instead of what the session follows now.

        Raises ScopeMissing, AccountForbidden, AccountRequired, BusUnavailable and what the order service raises; then nothing
        has changed.
        """
        identity.principal.require(READ)
        account_id = identity.principal.account(params.account_id or "")
        asked = Position.parse(params.from_position) if params.from_position else None
        async with session.orders_lock, self._feeds.held(account_id) as feed:
            follower = Follower(account_id, send=session.send, close=session.close)
            # First listen, then ask: what comes in between waits with the follower.
            feed.followers.add(follower)
            try:
                start = await self._start(feed, asked, identity, request_id)
            except BaseException:
                feed.followers.discard(follower)
                raise
            before, session.followed = session.followed, _Followed(feed, follower)

        def begin() -> None:
            if before is not None:
                before.leave()
            follower.begin(start.position, start.frames, start.last)

        return Done(encode({"recovered": start.recovered, "position": str(start.position)}), begin)

    async def unsubscribe(self, session: Session) -> Done:
        """Follow no orders; it does not matter whether any were followed."""
        async with session.orders_lock:
            self.leave(session)
        return Done(b"{}")

    def leave(self, session: Session) -> None:
        """Forget a session that is over."""
        if session.followed is not None:
            session.followed.leave()
            session.followed = None

    async def _start(self, feed: Feed, asked: Position | None, identity: Identity, request_id: str) -> _Start:
        missed = await feed.missed_since(asked) if asked else None
        if asked is None or missed is None:
            # The position is read before the orders: what changes in between is told twice, never not at all.
            position = feed.position
            snapshot = await self._snapshot(position, feed.account_id, identity, request_id)
            return _Start(False, position, [snapshot], position.sequence)
        last = missed[-1].sequence if missed else asked.sequence
        return _Start(True, asked, [update.frame for update in missed], last)

    async def _snapshot(self, position: Position, account_id: str, identity: Identity, request_id: str) -> bytes:
        since = Timestamp()
        since.FromDatetime(datetime.now(UTC) - SNAPSHOT_AGE)
        orders: list[Order] = []
        token = ""
        while True:
            page = await ask(
                self._list_orders,
                ListOrdersRequest(account_id=account_id, changed_since=since, page_size=PAGE_SIZE, page_token=token),
                ListOrdersResponse,
                seconds=LIST_SECONDS,
                token=identity.token,
                request_id=request_id,
            )
            orders += page.orders
            token = page.next_page_token
            if not token or len(orders) >= MAX_SNAPSHOT_ORDERS:
                break
        params = {
            "orders": [tree_of(order) for order in orders],
            "position": str(position),
            "changedSince": timestamp_text(since.seconds, since.nanos),
            "nextPageToken": token,
        }
        return notification("orders.snapshot", encode(params))


class _Followed:
    """What a session follows."""

    def __init__(self, feed: Feed, follower: Follower) -> None:
        self._feed, self._follower = feed, follower
        self.account_id = feed.account_id

    @property
    def position(self) -> str:
        """Position of the last update sent."""
        return self._follower.position

    def leave(self) -> None:
        """Get no more updates."""
        self._feed.followers.discard(self._follower)
