"""An account's updates, when the live way loses, repeats or reorders what the stream holds."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bus import Hearing, OrderUpdates, StreamState
from edge.closing import Close
from edge.feed import MAX_REPLAY, Feed, Follower
from gen.trading.v1.order_pb2 import Order, OrderUpdate
from runtime.jetstream import BusUnavailable, Heard
from runtime.positions import Position

CREATED = 1_700_000_000_000


class Stream:
    """A stream in memory: every second sequence is this account's, the others are somebody else's."""

    def __init__(self) -> None:
        self.created, self.first = CREATED, 1
        self.stored: list[Heard] = []
        self.is_away = False
        self.hearing: Hearing | None = None

    def store(self) -> Heard:
        previous = self.stored[-1].sequence if self.stored else 0
        sequence = previous + 2
        payload = OrderUpdate(order=Order(order_id="o", revision=sequence)).SerializeToString()
        self.stored.append(Heard("live.orders.updates.demo", payload, {}, sequence, previous))
        return self.stored[-1]

    async def live(self, heard: Heard) -> None:
        assert self.hearing is not None
        await self.hearing(heard)

    @asynccontextmanager
    async def listen(self, account_id: str, hearing: Hearing) -> AsyncIterator[None]:
        self.hearing = hearing
        yield
        self.hearing = None

    async def history(self, account_id: str, *, after: int) -> AsyncGenerator[Heard, None]:
        if self.is_away:
            raise BusUnavailable("away")
        for heard in list(self.stored):
            if heard.sequence > after and heard.sequence >= self.first:
                yield heard

    async def last(self, account_id: str) -> int:
        return self.stored[-1].sequence if self.stored else 0

    async def state(self) -> StreamState:
        if self.is_away:
            raise BusUnavailable("away")
        return StreamState(self.created, self.first)


class Client:
    """A follower's other end: keeps the sequences it was sent, and checks that they are a chain."""

    def __init__(self) -> None:
        self.sequences: list[int] = []
        self.closed: list[Close] = []
        self.follower = Follower("demo", send=self._read, close=self.closed.append)
        self._last: str | None = None

    def begin(self, at: Position, frames: list[bytes] | None = None, last: int | None = None) -> None:
        self._last = str(at)
        self.follower.begin(at, frames or [], at.sequence if last is None else last)

    def _read(self, frame: bytes) -> None:
        params = json.loads(frame)["params"]
        assert params["previous"] == self._last
        self._last = params["position"]
        self.sequences.append(int(params["order"]["revision"]))


async def opened(stream: Stream) -> Feed:
    feed = Feed("demo", cast("OrderUpdates", stream))
    await feed.open()
    return feed


async def following(feed: Feed) -> Client:
    client = Client()
    feed.followers.add(client.follower)
    client.begin(feed.position)
    return client


async def test_live_updates_are_passed_on_as_a_chain() -> None:
    stream = Stream()
    stream.store()
    feed = await opened(stream)
    client = await following(feed)
    for _ in range(3):
        await stream.live(stream.store())
    assert client.sequences == [4, 6, 8]
    assert client.follower.position == f"{CREATED}-8"


async def test_what_the_live_way_lost_is_read_back() -> None:
    stream = Stream()
    feed = await opened(stream)
    client = await following(feed)
    await stream.live(stream.store())
    stream.store()
    stream.store()
    await stream.live(stream.store())
    assert client.sequences == [2, 4, 6, 8]


async def test_repetitions_are_not_passed_on() -> None:
    stream = Stream()
    feed = await opened(stream)
    client = await following(feed)
    first = stream.store()
    for heard in (first, first, stream.store(), first):
        await stream.live(heard)
    assert client.sequences == [2, 4]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["live", "lost", "twice", "late", "away", "repair"]), max_size=30))
async def test_whatever_the_live_way_does_each_update_comes_once_and_in_order(happenings: list[str]) -> None:
    stream = Stream()
    feed = await opened(stream)
    client = await following(feed)
    late: list[Heard] = []
    for happening in happenings:
        stream.is_away = happening == "away"
        if happening == "repair":
            await feed.repair()
            continue
        heard = stream.store()
        if happening == "late":
            late.append(heard)
        elif happening != "lost":
            await stream.live(heard)
            if happening == "twice":
                await stream.live(heard)
    stream.is_away = False
    for heard in late:
        await stream.live(heard)
    await feed.repair()
    assert client.sequences == [heard.sequence for heard in stream.stored]
    assert client.closed == []


async def test_a_broker_that_is_away_leaves_the_feed_behind_until_it_is_repaired() -> None:
    stream = Stream()
    feed = await opened(stream)
    client = await following(feed)
    stream.store()
    stream.is_away = True
    await stream.live(stream.store())
    assert (client.sequences, feed.is_behind) == ([], True)
    stream.is_away = False
    await feed.repair()
    assert (client.sequences, feed.is_behind) == ([2, 4], False)


async def test_another_stream_ends_what_followed_the_old_one() -> None:
    stream = Stream()
    feed = await opened(stream)
    client = await following(feed)
    stream.created += 1
    await feed.repair()
    assert (client.closed, feed.is_lost) == ([Close.STATE_LOST], True)


async def test_updates_that_wait_for_the_answer_come_after_it_and_once() -> None:
    stream = Stream()
    stream.store()
    feed = await opened(stream)
    client = Client()
    feed.followers.add(client.follower)
    await stream.live(stream.store())
    missed = await feed.missed_since(Position(CREATED, 2))
    assert missed is not None
    await stream.live(stream.store())
    assert client.sequences == []
    client.begin(Position(CREATED, 2), [update.frame for update in missed], missed[-1].sequence)
    await stream.live(stream.store())
    assert client.sequences == [4, 6, 8]


@pytest.mark.parametrize(
    ("asked", "missed"),
    [
        (Position(CREATED, 8), []),
        (Position(CREATED, 4), [6, 8]),
        (Position(CREATED, 2), [4, 6, 8]),
        (Position(CREATED, 0), [2, 4, 6, 8]),
        (Position(CREATED, 5), None),
        (Position(CREATED, 99), None),
        (Position(CREATED - 1, 4), None),
    ],
)
async def test_a_position_is_recovered_only_when_everything_after_it_is_known(
    asked: Position, missed: list[int] | None
) -> None:
    stream = Stream()
    for _ in range(4):
        stream.store()
    feed = await opened(stream)
    updates = await feed.missed_since(asked)
    assert (None if updates is None else [update.sequence for update in updates]) == missed


async def test_a_position_that_has_expired_is_not_recovered() -> None:
    stream = Stream()
    for _ in range(4):
        stream.store()
    feed = await opened(stream)
    stream.first = 5
    assert await feed.missed_since(Position(CREATED, 4)) is None
    assert await feed.missed_since(Position(CREATED, 0)) is None
    recovered = await feed.missed_since(Position(CREATED, 6))
    assert [update.sequence for update in recovered or ()] == [8]


async def test_a_position_that_another_edge_gave_is_caught_up_with() -> None:
    stream = Stream()
    feed = await opened(stream)
    stream.store()
    assert await feed.missed_since(Position(CREATED, 2)) == []


async def test_who_missed_too_much_gets_a_snapshot() -> None:
    stream = Stream()
    for _ in range(MAX_REPLAY + 2):
        stream.store()
    feed = await opened(stream)
    assert await feed.missed_since(Position(CREATED, 2)) is None
    assert len(await feed.missed_since(Position(CREATED, 4)) or ()) == MAX_REPLAY


async def test_an_update_that_cannot_be_read_does_not_stop_the_others() -> None:
    stream = Stream()
    feed = await opened(stream)
    sent: list[bytes] = []
    follower = Follower("demo", send=sent.append, close=lambda _: None)
    feed.followers.add(follower)
    follower.begin(feed.position, [], 0)
    await stream.live(Heard("live", b"\xff\xff", {}, 1, 0))
    await stream.live(Heard("live", OrderUpdate().SerializeToString(), {}, 3, 1))
    assert [json.loads(frame)["params"]["position"] for frame in sent] == [f"{CREATED}-3"]


@pytest.mark.parametrize("text", ["", "x", "1", "1-", "-1", "1-2-3", "1 - 2", "\u0661-2", "9" * 30 + "-1"])
def test_only_our_own_positions_are_read(text: str) -> None:
    assert Position.parse(text) is None
    assert str(Position.parse("12-34")) == "12-34"
