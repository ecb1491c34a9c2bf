from typing import cast

from gen.trading.v1 import price_pb2 as pb
from price_svc.announcer import QuoteAnnouncer
from price_svc.holdings import Holdings
from price_svc.market import Phase
from price_svc.quote import Quote, State
from price_svc.wire import QuoteMessages
from runtime import subjects
from runtime.jetstream import Bus
from tests.unit.price_svc.examples import Right

APPLE = subjects.partition_of("AAPL", subjects.TICK_PARTITIONS)
RIGHT = Right()
LIVE = Quote("AAPL", price_micros=190_000_000, epoch=1, seq=1, state=State.LIVE, reason="")


class RecordingBus:
    """Remembers what was published."""

    def __init__(self) -> None:
        self.published: list[tuple[str, pb.QuoteBatch]] = []

    async def publish_live(self, subject: str, payload: bytes) -> None:
        self.published.append((subject, pb.QuoteBatch.FromString(payload)))

    def take(self) -> list[tuple[str, pb.QuoteBatch]]:
        taken, self.published = self.published, []
        return taken


def an_announcer(bus: RecordingBus, *owned: int) -> QuoteAnnouncer:
    holdings = Holdings()
    announcer = QuoteAnnouncer(cast("Bus", bus), QuoteMessages(), holdings=holdings, interval_seconds=0)
    for partition in owned:
        holdings.take(partition, RIGHT)
        announcer.take_over(partition, [])
    return announcer


async def test_only_the_newest_of_a_symbol_is_said() -> None:
    bus = RecordingBus()
    announcer = an_announcer(bus, APPLE)
    for seq in range(1, 10):
        announcer.changed([LIVE._replace(seq=seq)], [])
    announcer.reached(APPLE, 77)

    await announcer.flush()

    ((subject, batch),) = bus.take()
    assert subject == f"quotes.live.{APPLE}"
    assert [(quote.symbol, quote.seq) for quote in batch.quotes] == [("AAPL", 9)]
    assert batch.ticks_sequence == 77
    await announcer.flush()
    assert bus.take() == []


async def test_partitions_of_others_are_theirs_to_say() -> None:
    bus = RecordingBus()
    announcer = an_announcer(bus, (APPLE + 1) % 8)

    announcer.changed([LIVE], [LIVE])
    await announcer.flush()
    await announcer.flush_kept()

    assert bus.take() == []


async def test_a_state_that_turned_is_said_with_its_reason() -> None:
    bus = RecordingBus()
    announcer = an_announcer(bus, APPLE)
    halted = LIVE._replace(state=State.HALTED, since_ns=5, reason="news")

    announcer.changed([halted], [halted])
    await announcer.flush()

    ((_, batch),) = bus.take()
    assert [(status.symbol, status.state, status.reason) for status in batch.statuses] == [
        ("AAPL", pb.Quote.HALTED, "news")
    ]


async def test_a_quote_is_kept_once_with_its_state_and_the_venues_phase() -> None:
    bus = RecordingBus()
    announcer = an_announcer(bus, APPLE)
    halted = LIVE._replace(state=State.HALTED, since_ns=5, reason="news")
    announcer.phase_changed(Phase.OPEN, 5)
    announcer.changed([LIVE], [])
    announcer.changed([halted], [halted])

    await announcer.flush_kept()

    ((subject, batch),) = bus.take()
    assert subject == "quotes.last.AAPL"
    assert batch.quotes[0].state == pb.Quote.HALTED
    assert batch.statuses[0].reason == "news"
    assert batch.market == pb.GetMarketStatusResponse.OPEN
    await announcer.flush_kept()
    assert bus.take() == []


async def test_a_phase_is_said_to_every_partition_and_kept_with_every_quote() -> None:
    bus = RecordingBus()
    announcer = an_announcer(bus, *range(8))
    announcer.changed([LIVE], [])
    await announcer.flush()
    await announcer.flush_kept()
    bus.take()

    announcer.phase_changed(Phase.CLOSED, 6)
    await announcer.flush()
    await announcer.flush_kept()

    said = bus.take()
    assert {subject for subject, _ in said} == {*(f"quotes.live.{number}" for number in range(8)), "quotes.last.AAPL"}
    assert {batch.market for _, batch in said} == {pb.GetMarketStatusResponse.CLOSED}


async def test_many_quotes_go_in_several_messages() -> None:
    bus = RecordingBus()
    announcer = an_announcer(bus, *range(8))
    announcer.changed([LIVE._replace(symbol=f"S{number}") for number in range(8_000)], [])

    await announcer.flush()

    said = bus.take()
    assert max(len(batch.quotes) for _, batch in said) == 500
    assert sum(len(batch.quotes) for _, batch in said) == 8_000


async def test_nothing_is_said_or_kept_once_the_lease_is_over() -> None:
    bus, right, holdings = RecordingBus(), Right(), Holdings()
    announcer = QuoteAnnouncer(cast("Bus", bus), QuoteMessages(), holdings=holdings, interval_seconds=0)
    holdings.take(APPLE, right)
    announcer.take_over(APPLE, [LIVE])
    right.held = False

    await announcer.flush()
    await announcer.flush_kept()

    assert bus.take() == []


async def test_who_takes_over_says_all_quotes_and_who_leaves_says_none() -> None:
    bus = RecordingBus()
    announcer = an_announcer(bus, APPLE)
    announcer.take_over(APPLE, [LIVE])
    await announcer.flush()
    assert [len(batch.quotes) for _, batch in bus.take()] == [1]
    announcer.reached(APPLE, 7)
    announcer.changed([LIVE], [])

    assert announcer.leave(APPLE) == 7

    await announcer.flush()
    assert bus.take() == []
